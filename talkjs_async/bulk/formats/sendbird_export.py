"""
Sendbird's data export, sorted into a database.

The export is many JSON files, each of some days, in no particular order and overlapping. Sorted,
each conversation comes in order, with its own members, and nothing twice.

Source: the sample data and the field tables of TalkJS's own migration example (read 2026-11-22).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from talkjs_async.bulk.errors import StorageError
from talkjs_async.bulk.formats._json_arrays import items_of
from talkjs_async.errors import ConfigurationError

__all__ = ["is_text", "read_rows", "sort_export"]

_TABLES: Final = """
CREATE TABLE user (id TEXT PRIMARY KEY, rank INTEGER, item TEXT);
CREATE TABLE channel (id TEXT PRIMARY KEY, item TEXT);
CREATE TABLE member (
    channel_id TEXT, user_id TEXT, listed INTEGER, PRIMARY KEY (channel_id, user_id)
) WITHOUT ROWID;
CREATE TABLE message (id TEXT PRIMARY KEY, channel_id TEXT, sent_at INTEGER, item TEXT);
"""


def sort_export(directory: Path, target: Path) -> dict[str, int]:
    """
    Read all files into a database; the later of two equal records stays.

    Returns:
        How many users, channels, messages and former members there are.
    """
    if not directory.is_dir():
        raise ConfigurationError("directory", f"{directory} is no directory.")
    paths = sorted(directory.rglob("*.json"))
    target.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(target)) as database, database:
            database.executescript(_TABLES)
            found = sum(_load(database, path) for path in paths)
            if not found:
                raise ConfigurationError(
                    "directory",
                    f"{directory} has no JSON files of a Sendbird export: files with "
                    '"active_users", "group_channels" or "messages".',
                )
            database.execute("CREATE INDEX in_order ON message (channel_id, sent_at, id)")
            return {
                "user": _count(database, "user"),
                "channel": _count(database, "channel"),
                "message": _count(database, "message"),
                "former": _count(database, "member WHERE NOT listed"),
            }
    except sqlite3.Error as error:
        raise StorageError(path=str(target), reason=str(error)) from error


def _count(database: sqlite3.Connection, what: str) -> int:
    (count,) = database.execute(f"SELECT count(*) FROM {what}").fetchone()  # noqa: S608
    return int(count)


def _load(database: sqlite3.Connection, path: Path) -> int:
    """Read one file. Returns how many records it has."""
    found = 0
    for key, item in items_of(path):
        if not isinstance(item, dict):
            continue
        if key.endswith("users") and isinstance(item.get("user_id"), str):
            _add_user(database, item, rank=2)
        elif key == "group_channels" and isinstance(item.get("channel_url"), str):
            _add_channel(database, item)
        elif key == "messages" and isinstance(item.get("channel_url"), str):
            _add_message(database, item)
        else:
            continue
        found += 1
    return found


def _add_user(database: sqlite3.Connection, user: Mapping[str, Any], *, rank: int) -> None:
    """Add a user. What a list of users says (rank 2) counts more than a mention elsewhere."""
    database.execute(
        "INSERT INTO user VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET rank = excluded.rank, item = excluded.item WHERE excluded.rank >= rank",
        (user["user_id"], rank, json.dumps(user)),
    )


def _add_channel(database: sqlite3.Connection, channel: Mapping[str, Any]) -> None:
    id_ = channel["channel_url"]
    kept = {name: channel.get(name) for name in ("name", "cover_url")}
    database.execute("INSERT OR REPLACE INTO channel VALUES (?, ?)", (id_, json.dumps(kept)))
    for member in channel.get("members") or ():
        if isinstance(member, dict) and isinstance(member.get("user_id"), str):
            _add_user(database, member, rank=1)
            database.execute(
                "INSERT OR REPLACE INTO member VALUES (?, ?, 1)", (id_, member["user_id"])
            )


def _add_message(database: sqlite3.Connection, message: Mapping[str, Any]) -> None:
    if message.get("is_removed") is True:
        return
    channel_id = message["channel_url"]
    user = message.get("user")
    if isinstance(user, dict) and isinstance(user.get("user_id"), str) and is_text(message):
        _add_user(database, user, rank=0)
        database.execute(
            "INSERT OR IGNORE INTO member VALUES (?, ?, 0)", (channel_id, user["user_id"])
        )
    database.execute("INSERT OR IGNORE INTO channel VALUES (?, '{}')", (channel_id,))
    database.execute(
        "INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?)",
        (
            str(message.get("message_id")),
            channel_id,
            message.get("created_at"),
            json.dumps(message),
        ),
    )


def is_text(message: Mapping[str, Any]) -> bool:
    """Whether a message is a text of a user, and no file or admin message."""
    return message.get("type") == "MESG"


def read_rows(
    database_path: Path, query: str, arguments: Sequence[Any] = ()
) -> Iterator[tuple[Any, ...]]:
    """Read rows of the database. The iterator may run in changing worker threads."""
    with closing(sqlite3.connect(database_path, check_same_thread=False)) as database:
        yield from database.execute(query, arguments)
