"""
Moving from Sendbird: its data export becomes users, conversations and messages of TalkJS.

The export is many JSON files, each of some days, in no particular order and overlapping. It is
sorted into a temporary database first, so that each conversation comes in order, with its own
members, and nothing twice.

Source: the sample data and the field tables of TalkJS's own migration example (read 2026-11-22).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import anyio.to_thread

from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.records import BadRecord
from talkjs_async.bulk._engine.scratch import Scratch
from talkjs_async.bulk._engine.store_stages import Stage, StoreStages
from talkjs_async.bulk.conversations import ConversationRecordType
from talkjs_async.bulk.errors import StorageError
from talkjs_async.bulk.formats.json_arrays import items_of
from talkjs_async.bulk.imports import SETTLE, ImportRecordType
from talkjs_async.bulk.participants import ParticipantChange, ParticipantRecordType
from talkjs_async.bulk.users import UserRecordType
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError
from talkjs_async.limits import Lane


def migrate_sendbird(
    talkjs: AsyncTalkJS,
    directory: str | os.PathLike[str],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    settle: float = SETTLE,
) -> Job:
    """
    Load Sendbird's data export (JSON) of users, group channels and messages.

    Users keep their ID, nickname (as name), picture, `metadata.emailId` (as e-mail address) and
    other metadata (as custom data); channels become conversations with URL (as ID), name (as
    subject), cover and members; text messages (`MESG`) keep sender, text and time. Messages that
    were removed are left out. Files and admin messages are reported as failed: TalkJS imports texts
    of participants only. Whoever wrote and is no member takes part during the import.

    Args:
        talkjs: The client.
        directory: Where the exported `.json` files are, also in directories below it.
        journal: A file to note in what was done, needed to go on after an interruption: without it
            a second run imports all messages again. None: a temporary one.
        job_id, lane: As in `upsert_users`.
        settle: As in `import_messages`.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: The job raises it when there are no such files, or a bad one.
    """
    step = _Migration(Path(directory), settle)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane)


class _Migration(StoreStages):
    kind = "migrate_sendbird"

    def __init__(self, directory: Path, settle: float) -> None:
        self._directory = directory
        self._import = ImportRecordType(settle=settle)
        self._scratch = Scratch()
        self._counts: Mapping[str, int] = {}

    async def prepare(self) -> None:
        self._counts = await anyio.to_thread.run_sync(_sort, self._directory, self._file)

    def stages(self) -> Sequence[Stage]:
        counts = self._counts
        return (
            Stage("user", UserRecordType(), self._users, counts["user"]),
            Stage("conversation", ConversationRecordType(), self._conversations, counts["channel"]),
            Stage("message", self._import, self._messages, counts["message"]),
            Stage("participant", ParticipantRecordType(), self._former_members, counts["former"]),
        )

    @property
    def _file(self) -> Path:
        return self._scratch.path / "sendbird"

    def _users(self) -> Iterator[object]:
        for (text,) in self._rows("SELECT item FROM user ORDER BY id"):
            yield _user(json.loads(text))

    def _conversations(self) -> Iterator[object]:
        for id_, text in self._rows("SELECT id, item FROM channel ORDER BY id"):
            writers = self._rows(
                "SELECT user_id FROM member WHERE channel_id = ? ORDER BY user_id", (id_,)
            )
            yield _conversation(id_, json.loads(text), [user_id for (user_id,) in writers])

    def _messages(self) -> Iterator[object]:
        query = "SELECT channel_id, item FROM message ORDER BY channel_id, sent_at, id"
        for channel_id, text in self._rows(query):
            yield _message(channel_id, json.loads(text))

    def _former_members(self) -> Iterator[object]:
        query = "SELECT channel_id, user_id FROM member WHERE NOT listed ORDER BY 1, 2"
        for channel_id, user_id in self._rows(query):
            yield ParticipantChange(channel_id, user_id, None)

    def _rows(self, query: str, arguments: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        # Opened anew each time: the generators run in changing worker threads.
        with closing(sqlite3.connect(self._file, check_same_thread=False)) as database:
            yield from database.execute(query, arguments)


_TABLES: Final = """
CREATE TABLE user (id TEXT PRIMARY KEY, rank INTEGER, item TEXT);
CREATE TABLE channel (id TEXT PRIMARY KEY, item TEXT);
CREATE TABLE member (
    channel_id TEXT, user_id TEXT, listed INTEGER, PRIMARY KEY (channel_id, user_id)
) WITHOUT ROWID;
CREATE TABLE message (id TEXT PRIMARY KEY, channel_id TEXT, sent_at INTEGER, item TEXT);
"""


def _sort(directory: Path, target: Path) -> dict[str, int]:
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
    if isinstance(user, dict) and isinstance(user.get("user_id"), str) and _is_text(message):
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


def _is_text(message: Mapping[str, Any]) -> bool:
    return message.get("type") == "MESG"


def _user(user: Mapping[str, Any]) -> dict[str, Any]:
    id_ = user["user_id"]
    metadata = user.get("metadata")
    custom = (
        {str(key): str(value) for key, value in metadata.items()}
        if isinstance(metadata, dict)
        else {}
    )
    email = custom.pop("emailId", None)
    fields: dict[str, Any] = {"id": id_, "name": user.get("nickname") or user.get("name") or id_}
    # Members of a channel have their picture under another name.
    photo = user.get("profile_url") or user.get("image")
    if photo:
        fields["photo_url"] = photo
    if email:
        fields["email"] = [email]
    if custom:
        fields["custom"] = custom
    return fields


def _conversation(id_: str, channel: Mapping[str, Any], members: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"id": id_, "participants": members}
    if channel.get("name"):
        fields["subject"] = channel["name"]
    if channel.get("cover_url"):
        fields["photo_url"] = channel["cover_url"]
    return fields


def _message(channel_id: str, message: Mapping[str, Any]) -> Mapping[str, Any] | BadRecord:
    id_ = str(message.get("message_id"))
    if not _is_text(message):
        kind = message.get("type")
        return BadRecord(reason=f"a message of type {kind!r} cannot be imported.", id=id_)
    user = message.get("user")
    return {
        "id": id_,
        "conversation_id": channel_id,
        "sender": user.get("user_id") if isinstance(user, dict) else None,
        "text": message.get("message"),
        "sent_at": message.get("created_at"),
    }
