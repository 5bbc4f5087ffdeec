"""
Files that say what is in an emulator before anything happens.

JSON, TOML or (with PyYAML installed) YAML; or the directory of an export, whose users,
conversations, participants and messages become those of the emulator.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_LINES = ("users", "conversations", "participants", "messages")
# What only answers have.
_USER_FIELDS = (
    "name",
    "email",
    "phone",
    "welcomeMessage",
    "photoUrl",
    "locale",
    "role",
    "availabilityText",
    "custom",
    "pushTokens",
)
_CONVERSATION_FIELDS = ("subject", "photoUrl", "welcomeMessages", "custom")


class WrongSeed(ValueError):
    """A seed that cannot be read, or that holds something wrong."""


def read_seed(path: Path) -> dict[str, Any]:
    """Read a seed; `WrongSeed` when it cannot be."""
    try:
        document = _from_export(path) if path.is_dir() else _parse(path, path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSeed(f"The seed {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise WrongSeed(f"The seed {path} must be an object with users and conversations.")
    return document


def _parse(path: Path, text: str) -> Any:
    kind = path.suffix.lower()
    if kind in (".yaml", ".yml"):
        return _parse_yaml(path, text)
    if kind not in (".json", ".toml"):
        raise WrongSeed(f"The seed {path} must end in .json, .toml or .yaml, or be a directory.")
    try:
        return json.loads(text) if kind == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongSeed(f"The seed {path} is not {kind[1:].upper()}: {error}") from error


def _parse_yaml(path: Path, text: str) -> Any:
    try:
        import yaml  # noqa: PLC0415  # few need it
    except ModuleNotFoundError as error:
        raise WrongSeed(f"To read {path}, install PyYAML: pip install pyyaml") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise WrongSeed(f"The seed {path} is not YAML: {error}") from error


def _from_export(path: Path) -> dict[str, Any]:
    found = {name: list(_lines(path / f"{name}.jsonl")) for name in _LINES}
    try:
        return _document(**found)
    except (KeyError, TypeError, AttributeError) as error:
        raise WrongSeed(f"The export in {path} lacks what it should have: {error}") from error


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            raise WrongSeed(f"{path}, line {number} is not JSON: {error}") from error


def _document(
    users: list[dict[str, Any]],
    conversations: list[dict[str, Any]],
    participants: list[dict[str, Any]],
    messages: list[dict[str, Any]],
) -> dict[str, Any]:
    chats: dict[str, dict[str, Any]] = {
        one["id"]: {
            **_kept(one, _CONVERSATION_FIELDS),
            "at": one["createdAt"],
            "participants": {},
            "messages": [],
        }
        for one in conversations
    }
    for one in participants:
        place = {"access": one["access"], "notify": one["notify"], "readUntil": one["readUntil"]}
        chats[one["conversationId"]]["participants"][one["userId"]] = place
    # An export has the newest message first; those of one millisecond stay in order, too.
    messages.reverse()
    for one in sorted(messages, key=lambda message: message["createdAt"]):
        chats[one["conversationId"]]["messages"].append(_message(one))
    seeded = {one["id"]: {**_kept(one, _USER_FIELDS), "at": one["createdAt"]} for one in users}
    senders = {
        one["sender"] for chat in chats.values() for one in chat["messages"] if "sender" in one
    }
    for user_id in senders - set(seeded):
        seeded[user_id] = {"name": user_id}
    return {"users": seeded, "conversations": chats}


def _message(one: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"at": one["createdAt"], "type": one["type"], "id": one["id"]}
    if one["senderId"] is not None:
        message["sender"] = one["senderId"]
    if one.get("location") is not None:
        message["location"] = one["location"]
    else:
        # Files are not in an export, only where they were.
        attachment = one.get("attachment") or {}
        message["text"] = one.get("text") or attachment.get("url") or "(no text)"
    if one.get("custom"):
        message["custom"] = one["custom"]
    if one.get("referencedMessageId") is not None:
        message["referencedMessageId"] = one["referencedMessageId"]
    return message


def _kept(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: record[name] for name in names if record.get(name) not in (None, {}, [])}
