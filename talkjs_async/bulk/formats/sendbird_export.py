"""
Sendbird's data export, sorted into a database.

The export is many JSON files, each of some days, in no particular order and overlapping. Sorted,
each conversation comes in order, with its own members, and nothing twice. What has no ID, or one
that nothing can be called by, is kept as a problem with the file's name.

Source: the sample data and the field tables of TalkJS's own migration example (read 2026-11-22).
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NoReturn

from talkjs_async._core.wire import is_id
from talkjs_async.bulk._engine.record_ids import written_id
from talkjs_async.bulk.errors import StorageError
from talkjs_async.bulk.formats._json_arrays import TooDeep, items_of
from talkjs_async.bulk.formats._packed import PACKED
from talkjs_async.errors import ConfigurationError, shown

__all__ = ["is_text", "sort_export"]

_TABLES: Final = """
CREATE TABLE user (id TEXT PRIMARY KEY, rank INTEGER, item TEXT);
CREATE TABLE channel (id TEXT PRIMARY KEY, item TEXT);
CREATE TABLE member (
    channel_id TEXT, user_id TEXT, listed INTEGER, PRIMARY KEY (channel_id, user_id)
) WITHOUT ROWID;
CREATE TABLE message (
    id TEXT PRIMARY KEY, channel_id TEXT, sender TEXT, sent_at INTEGER, version INTEGER, item TEXT,
    user TEXT
);
CREATE TABLE removed (id TEXT PRIMARY KEY);
CREATE TABLE problem (kind TEXT, reason TEXT);
"""
_TOO_DEEP: Final = "is nested too deep"
_OTHER_FORMS: Final = {".csv", ".jsonl", ".ndjson"}
"""What records come in elsewhere."""
_UNFINISHED: Final = re.compile(
    r"\.json\.(part|partial|filepart|crdownload|opdownload|download|tmp|aria2|[0-9]+)$"
)
"""What browsers and wget call a file that they have not wholly downloaded, or have had before."""
_LISTS: Final = '"active_users", "group_channels" or "messages"'
_LAST: Final = 1 << 53
"""No time is later, and no number of Sendbird's is larger: JavaScript has none."""
_DIGITS: Final = len(str(_LAST))


def sort_export(directory: Path, target: Path) -> dict[str, int]:
    """
    Read all files into a database; the newer of two equal records stays, whatever the order.

    Returns:
        How many users, channels, messages and former members there are, problems included.
    """
    if not directory.is_dir():
        raise ConfigurationError("directory", f"{directory} is no directory.")
    target.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(target)) as database, database:
            database.executescript(_TABLES)
            found = sum(_load(database, path) for path in _files(directory))
            if not found:
                raise ConfigurationError(
                    "directory",
                    f"{directory} has no JSON files of a Sendbird export: files with {_LISTS}.",
                )
            _settle(database)
            return {
                "user": _count(database, "user") + _count(database, "problem WHERE kind = 'user'"),
                "channel": _count(database, "channel")
                + _count(database, "problem WHERE kind = 'channel'"),
                "message": _count(database, "message")
                + _count(database, "problem WHERE kind = 'message'"),
                "former": _count(database, "member WHERE NOT listed"),
            }
    except sqlite3.Error as error:
        raise StorageError(path=str(target), reason=str(error)) from error


def _files(directory: Path) -> list[Path]:
    """
    Find the JSON files, in the order of their names.

    Hidden files, and those that macOS packs beside each file, are not part of an export. A file
    that may be one and cannot be read is refused: its messages would be missing silently.
    """

    def unreadable(error: OSError) -> NoReturn:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError("directory", f"{error.filename} cannot be read: {reason}.")

    paths: list[Path] = []
    parts: list[Path] = []
    others: list[Path] = []
    been: set[str] = set()
    for folder, below, names in os.walk(directory, onerror=unreadable, followlinks=True):
        real = os.path.realpath(folder)
        # A link may lead back to where it is.
        below[:] = [] if real in been else [name for name in below if not _is_junk(name)]
        files = [] if real in been else [Path(folder, n) for n in names if not _is_junk(n)]
        been.add(real)
        for path in files:
            if path.suffix.lower() in PACKED:
                raise ConfigurationError("directory", f"{path} is packed: unpack it first.")
        paths += [path for path in files if path.suffix.lower() == ".json"]
        others += [path for path in files if path.suffix.lower() in _OTHER_FORMS]
        parts += [path for path in files if _UNFINISHED.search(path.name.lower())]
    if parts:
        raise ConfigurationError(
            "directory",
            f"{min(parts)} may be a file that was not wholly downloaded: end its name in .json if "
            "it is one of the export, or take it elsewhere.",
        )
    if paths and others:
        raise ConfigurationError(
            "directory",
            f"{min(others)} is no JSON: have Sendbird export JSON, or take the file elsewhere.",
        )
    return sorted(paths)


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _settle(database: sqlite3.Connection) -> None:
    """Take out what some file says was removed, and add what only the other messages name."""
    database.executescript(_SETTLE)


_SETTLE: Final = """
DELETE FROM message WHERE id IN (SELECT id FROM removed);
CREATE INDEX in_order ON message (channel_id, sent_at, id);
INSERT OR IGNORE INTO channel SELECT DISTINCT channel_id, '{}' FROM message;
INSERT OR IGNORE INTO member
    SELECT DISTINCT channel_id, sender, 0 FROM message WHERE sender IS NOT NULL;
INSERT OR IGNORE INTO user
    SELECT sender, 0, user FROM message WHERE sender IS NOT NULL
    ORDER BY sent_at DESC;
"""


def _count(database: sqlite3.Connection, what: str) -> int:
    (count,) = database.execute(f"SELECT count(*) FROM {what}").fetchone()  # noqa: S608
    return int(count)


def _load(database: sqlite3.Connection, path: Path) -> int:
    """Read one file. Returns how many records it has. Lists that it does not know are problems."""
    found = 0
    places: dict[str, int] = {}
    passed_over: set[str] = set()
    lists: list[str] = []

    def is_wanted(key: str) -> bool:
        if _kind(key) is not None:
            lists.append(key)
        return key in lists

    def pass_over(key: str) -> None:
        if key not in passed_over:
            passed_over.add(key)
            reason = f"{path.name}: its list {key!r} is not one of {_LISTS}, and was not imported."
            _note_problem(database, "message", reason)

    def other(key: str, value: object) -> None:
        for inner in _lists_in(value):
            pass_over(f"{key}.{inner}")

    for key, item in items_of(path, is_wanted=is_wanted, other=other):
        kind = _kind(key)
        if kind is None:
            if isinstance(item, dict | TooDeep):
                pass_over(key)
            continue
        if kind == "channel" and isinstance(item, dict) and "messages" in _lists_in(item):
            pass_over(f"{key}[].messages")
        found += 1
        places[key] = places.get(key, 0) + 1
        try:
            problem = _add(database, kind, item)
        except RecursionError:
            # It could just be read, and cannot be written.
            problem = _TOO_DEEP
        if problem is not None:
            reason = f"{path.name}: number {places[key]} of {key!r} {problem}."
            _note_problem(database, kind, reason)
    if not lists:
        raise ConfigurationError(
            "directory",
            f"{path} has none of the lists of a Sendbird export, {_LISTS}: take it elsewhere.",
        )
    return found


def _lists_in(value: object) -> list[str]:
    """Find the lists in an object that have records where they are not looked for."""
    if not isinstance(value, dict):
        return []
    return [key for key, each in value.items() if _kind(key) and isinstance(each, list) and each]


def _kind(key: str) -> str | None:
    if key.endswith("users"):
        return "user"
    return {"group_channels": "channel", "messages": "message"}.get(key)


def _add(database: sqlite3.Connection, kind: str, item: object) -> str | None:
    """Add a record. Returns what is wrong with it, if it cannot be."""
    if isinstance(item, TooDeep):
        return _TOO_DEEP
    if not isinstance(item, dict):
        return "is no object"
    needed = {"user": ("user_id",), "channel": ("channel_url",), "message": ("channel_url",)}
    for name in needed[kind]:
        item[name] = written_id(item.get(name))
        if not is_id(item[name]):
            return f"has no {name}" if item.get(name) is None else f"has a {name} that is no ID"
    if kind == "user":
        _add_user(database, item, rank=2)
    elif kind == "channel":
        return _add_channel(database, item)
    else:
        return _add_message(database, item)
    return None


def _note_problem(database: sqlite3.Connection, kind: str, reason: str) -> None:
    storable = reason.encode(errors="backslashreplace").decode()
    database.execute("INSERT INTO problem VALUES (?, ?)", (kind, storable))


def _add_user(database: sqlite3.Connection, user: Mapping[str, Any], *, rank: int) -> None:
    """Add a user. What a list of users says (rank 2) counts more than a list of members."""
    database.execute(
        "INSERT INTO user VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET rank = excluded.rank, item = excluded.item WHERE excluded.rank >= rank",
        (user["user_id"], rank, json.dumps(user)),
    )


def _add_channel(database: sqlite3.Connection, channel: Mapping[str, Any]) -> str | None:
    id_ = channel["channel_url"]
    kept = {name: channel.get(name) for name in ("name", "cover_url")}
    database.execute("INSERT OR REPLACE INTO channel VALUES (?, ?)", (id_, json.dumps(kept)))
    problem = None
    members = channel.get("members") or ()
    if not isinstance(members, Sequence) or isinstance(members, str):
        return "has members that are no list"
    for member in members:
        if isinstance(member, dict):
            member["user_id"] = written_id(member.get("user_id"))
        if not isinstance(member, dict) or not is_id(member["user_id"]):
            problem = "lists a member without a user_id"
            continue
        _add_user(database, member, rank=1)
        database.execute("INSERT OR REPLACE INTO member VALUES (?, ?, 1)", (id_, member["user_id"]))
    return problem


def _add_message(database: sqlite3.Connection, message: Mapping[str, Any]) -> str | None:
    id_ = written_id(message.get("message_id"))
    if not is_id(id_):
        return "has no message_id" if id_ is None else "has a message_id that is no ID"
    removed = message.get("is_removed")
    if not (removed is None or isinstance(removed, bool)):
        return f"has the is_removed {removed!r}, not true or false"
    if removed:
        database.execute("INSERT OR IGNORE INTO removed VALUES (?)", (id_,))
        return None
    edited_at = message.get("updated_at")
    version = _number(edited_at)
    if version is None:
        return f"has the updated_at {shown(edited_at)}, which is no time"
    sent_at = _number(message.get("created_at")) or 0
    other = database.execute(
        "SELECT 1 FROM message WHERE id = ? AND (channel_id, sent_at) != (?, ?)",
        (id_, message["channel_url"], sent_at),
    ).fetchone()
    if other is not None:
        # An edit changes neither: one of the two would be lost in silence.
        return f"has the message_id of another message, {id_}"
    user = message.get("user")
    if isinstance(user, dict):
        user["user_id"] = written_id(user.get("user_id"))
    sender = user["user_id"] if isinstance(user, dict) and is_text(message) else None
    database.execute(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "channel_id = excluded.channel_id, sender = excluded.sender, sent_at = excluded.sent_at, "
        "version = excluded.version, item = excluded.item, user = excluded.user "
        "WHERE excluded.version >= version",
        (
            id_,
            message["channel_url"],
            sender if is_id(sender) else None,
            sent_at,
            version,
            json.dumps(message),
            json.dumps(user),
        ),
    )
    return None


def _number(value: object) -> int | None:
    """Read a time to sort by; of nothing, 0. None: it is no time, and fails if it is imported."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    if isinstance(value, float) and abs(value) < _LAST:
        value = int(value)
    if value is None or value == "":
        return 0
    is_time = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LAST
    return value if is_time and isinstance(value, int) else None


def is_text(message: Mapping[str, Any]) -> bool:
    """Whether a message is a text of a user, and no file or admin message."""
    return message.get("type") == "MESG"
