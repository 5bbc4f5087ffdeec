"""
What a damaged file holds, read in another way than the package does.

Knows nothing of the package's readers. What it calls in doubt may not be used at all.
"""

from __future__ import annotations

import json
from typing import Any, Final

import attrs

FIELDS: Final = ("conversation_id", "sender", "text", "sent_at")

Sent = tuple[str, str, str, int]
"""Conversation, sender, text and time of a message."""


@attrs.frozen
class Held:
    """What a file holds; *in_doubt* if it as a whole cannot be trusted."""

    records: frozenset[Sent] = frozenset()
    in_doubt: bool = False


def held_by_csv(text: str, delimiter: str = ",") -> Held:  # noqa: PLR0912 - one per kind of letter
    """Read CSV letter by letter, as RFC 4180 has it, but for what separates the columns."""
    rows: list[list[str]] = [[]]
    cell, state = "", "start"
    for letter in text + ("" if text.endswith("\n") else "\n"):
        if state == "quoted":
            if letter == '"':
                state = "closed?"
            else:
                cell += letter
        elif letter == '"' and state == "start":
            state = "quoted"
        elif letter == '"' and state == "closed?":
            cell, state = cell + '"', "quoted"
        elif letter == '"':
            return Held(in_doubt=True)
        elif letter in (delimiter, "\n"):
            rows[-1].append(cell)
            cell, state = "", "start"
            if letter == "\n":
                rows.append([])
        elif state == "closed?" and letter != "\r":
            return Held(in_doubt=True)
        else:
            cell += letter
            state = "closed?" if state == "closed?" else "plain"
    if state == "quoted":
        return Held(in_doubt=True)
    # A row of separators is empty, whichever of them the columns of the file have.
    rows = [row for row in rows if any(each.strip(" ,;\t\r") for each in row)]
    if not rows or tuple(title.strip() for title in rows[0]) != FIELDS:
        return Held(in_doubt=True)
    if rows[0] in rows[1:]:
        # Two files, one behind the other.
        return Held(in_doubt=True)
    cut_off = not text.endswith("\n") and len(rows[-1]) < len(FIELDS)
    return Held(frozenset(_sent(row) for row in rows[1:] if _is_message(row)), cut_off)


def _is_message(row: list[str]) -> bool:
    more = "".join(row[len(FIELDS) :]).strip("\r")
    return len(row) >= len(FIELDS) and not more and row[3].strip("\r").isdigit()


def _sent(row: list[str]) -> Sent:
    return row[0], row[1], row[2], int(row[3].strip("\r"))


def held_by_json_lines(text: str) -> Held:
    """Read each line by itself."""
    found = set()
    lines = [line for line in text.split("\n") if line.strip()]
    for line in lines:
        message = _object(line)
        if message is not None and set(FIELDS) <= set(message) <= {*FIELDS, "id", "custom"}:
            found.add(tuple(message[name] for name in FIELDS))
    broken_end = bool(lines) and not text.endswith("\n") and _object(lines[-1]) is None
    # An array of objects, or one object, over several lines; `[]` is a bad record.
    opens = "".join(lines[:1]).replace(" ", "").startswith("[{") or lines[:1] in (["["], ["{"])
    return Held(frozenset(found), broken_end or opens)


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    hashable = isinstance(value, dict) and not any(
        isinstance(value.get(name), list | dict) for name in FIELDS
    )
    return value if hashable else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def _has_id(message: object) -> bool:
    id_ = message.get("message_id") if isinstance(message, dict) else None
    is_number = isinstance(id_, int) and not isinstance(id_, bool)
    return is_number or (isinstance(id_, str) and id_.isascii() and id_ != "")


def _lists_records(file: dict[str, Any]) -> bool:
    """Whether there are lists of records, and nothing else in their places."""
    lists = [
        value
        for key, value in file.items()
        if key in {"group_channels", "messages"} or key.endswith("users")
    ]
    return bool(lists) and all(isinstance(each, list | None) for each in lists)


def _written(value: object) -> object:
    """A whole number is an ID, too."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def held_by_sendbird(texts: dict[str, str]) -> Held:
    """Read the files as wholes."""
    found, removed = set(), set()
    try:
        parsed = [json.loads(text, object_pairs_hook=_once) for text in texts.values()]
    except (ValueError, RecursionError):
        return Held(in_doubt=True)
    if not all(isinstance(each, dict) and _lists_records(each) for each in parsed):
        return Held(in_doubt=True)
    for file in parsed:
        items = file.get("messages")
        for message in items if isinstance(items, list) else []:
            if not _has_id(message) or not isinstance(message.get("is_removed"), bool | None):
                continue
            if message.get("is_removed") is True:
                removed.add(str(message["message_id"]))
            user = message.get("user")
            sender = _written(user.get("user_id")) if isinstance(user, dict) else None
            text, sent_at = message.get("message"), message.get("created_at")
            held = (_written(message.get("channel_url")), sender, text, sent_at)
            if message.get("type") == "MESG" and not any(isinstance(x, list | dict) for x in held):
                found.add((str(message["message_id"]), held))
    return Held(frozenset(held for id_, held in found if id_ not in removed))  # type: ignore[misc]
