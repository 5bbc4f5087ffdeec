"""
An export, compared with what it says of itself and sorted into a database.

So the order of its lines does not matter, records find each other by ID, and what was checked is
what is read later. Knows which record belongs to which, nothing of what else is in them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs

from talkjs_async.bulk.errors import StorageError
from talkjs_async.bulk.formats._rows import read_rows
from talkjs_async.bulk.formats.export_directory import Manifest, file_of, read_manifest
from talkjs_async.bulk.formats.json_lines import Lines, checked_lines
from talkjs_async.errors import ConfigurationError

__all__ = ["SortedExport"]

_TABLES: Final = """
CREATE TABLE users (id BLOB PRIMARY KEY, line TEXT);
CREATE TABLE conversations (id BLOB PRIMARY KEY, line TEXT);
CREATE TABLE participants (id BLOB, user BLOB, line TEXT);
CREATE TABLE messages (id BLOB, sender BLOB, at INTEGER, line TEXT);
"""
_INDEXES: Final = """
CREATE INDEX participant_of ON participants (id, user);
CREATE INDEX message_of ON messages (id, at, sender);
CREATE VIEW message AS SELECT rowid AS number, id, at, line,
    id IN (SELECT id FROM conversations)
    AND (sender IS NULL OR sender IN (SELECT id FROM users)) AS whole FROM messages;
"""
_INSERT: Final = {
    "users": "INSERT OR REPLACE INTO users VALUES (?, ?)",
    "conversations": "INSERT OR REPLACE INTO conversations VALUES (?, ?)",
    "participants": "INSERT INTO participants VALUES (?, ?, ?)",
    "messages": "INSERT INTO messages VALUES (?, ?, ?, ?)",
}


@attrs.frozen
class SortedExport:
    """
    The records of an export, each list in an order of its own, read from a database.

    Attributes:
        manifest: What the export says of itself.
    """

    manifest: Manifest
    _database: Path

    @classmethod
    def of(cls, target: Path, database: Path) -> SortedExport:
        """
        Read all files of an export and check them.

        Args:
            target: The directory of the export.
            database: A file to make.

        Raises:
            ConfigurationError: It is not whole: a file is missing, or has not the lines that were
                written.
            StorageError: A file cannot be read, or the database cannot be written.
        """
        manifest = read_manifest(target)
        try:
            with closing(sqlite3.connect(database)) as connection, connection:
                # Nothing of it is needed after a crash.
                connection.execute("PRAGMA synchronous = OFF")
                connection.executescript(_TABLES)
                for name, lines in manifest.files.items():
                    rows = _rows(file_of(target, name), name, lines)
                    connection.executemany(_INSERT[name], rows)
                connection.executescript(_INDEXES)
        except sqlite3.Error as error:
            raise StorageError(path=str(database), reason=str(error)) from error
        return cls(manifest, database)

    def users(self) -> Iterator[dict[str, Any]]:
        """All users."""
        return self._objects("SELECT line FROM users ORDER BY rowid")

    def conversations(self) -> Iterator[dict[str, Any]]:
        """All conversations."""
        return self._objects("SELECT line FROM conversations ORDER BY rowid")

    def participants_of(self, conversation_id: str) -> Iterator[dict[str, Any]]:
        """Return the participants of a conversation that are users of the export."""
        query = "SELECT line FROM participants WHERE id = ? AND user IN (SELECT id FROM users)"
        return self._objects(f"{query} ORDER BY rowid", (_key(conversation_id),))

    def former_participants_of(self, conversation_id: str) -> list[str]:
        """Return the users of the export who wrote in a conversation and take part no more."""
        rows = self._rows(_FORMER, (_key(conversation_id),) * 2)
        return [_text(sender) for (sender,) in rows]

    def messages(self) -> Iterator[dict[str, Any]]:
        """
        Return the messages of all conversations of the export by its users, the oldest first.

        Of one millisecond, the lowest in the file comes first: exports begin with the newest.
        """
        return self._objects(_MESSAGES)

    def lost_messages(self) -> Iterator[dict[str, Any]]:
        """Return the messages whose conversation or sender is not in the export."""
        return self._objects(_LOST_MESSAGES)

    def lost_participants(self) -> Iterator[dict[str, Any]]:
        """Return the participants whose conversation or user is not in the export."""
        return self._objects(_LOST_PARTICIPANTS)

    def _objects(self, query: str, arguments: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        for (line,) in self._rows(query, arguments):
            yield json.loads(line)

    def _rows(self, query: str, arguments: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        return read_rows(self._database, query, arguments)


def _rows(path: Path, name: str, expected: Lines) -> Iterator[tuple[Any, ...]]:
    for number, (line, record) in enumerate(checked_lines(path, expected), 1):
        for field in _IDS[name]:
            id_ = record.get(field)
            if not isinstance(id_, str) or not id_:
                raise ConfigurationError(
                    "target", f"{path} is damaged: line {number} has no {field}."
                )
        yield _KEYS[name](line, record)


_FORMER: Final = """
SELECT DISTINCT sender FROM messages WHERE id = ? AND sender IN (SELECT id FROM users)
EXCEPT SELECT user FROM participants WHERE id = ?
"""
_MESSAGES: Final = "SELECT line FROM message WHERE whole ORDER BY id, at, number DESC"
_LOST_MESSAGES: Final = "SELECT line FROM message WHERE NOT whole ORDER BY number"
_LOST_PARTICIPANTS: Final = """
SELECT line FROM participants WHERE NOT (
    id IN (SELECT id FROM conversations) AND user IN (SELECT id FROM users)
) ORDER BY rowid
"""


def _key(id_: object) -> bytes | None:
    # Bytes, since half of a surrogate pair, which an ID of TalkJS's may hold, is no text to SQLite.
    return None if id_ is None else str(id_).encode(errors="surrogatepass")


def _text(key: bytes) -> str:
    return key.decode(errors="surrogatepass")


def _own_key(line: str, record: dict[str, Any]) -> tuple[Any, ...]:
    return _key(record.get("id")), line


def _participant_keys(line: str, record: dict[str, Any]) -> tuple[Any, ...]:
    return _key(record.get("conversationId")), _key(record.get("userId")), line


def _message_keys(line: str, record: dict[str, Any]) -> tuple[Any, ...]:
    at = record.get("createdAt")
    known = at if isinstance(at, int) and abs(at) < _LAST else 0
    return _key(record.get("conversationId")), _key(record.get("senderId")), known, line


_IDS: Final = {
    "users": ("id",),
    "conversations": ("id",),
    "participants": ("conversationId", "userId"),
    "messages": ("id", "conversationId"),
}
"""What a record is nothing without."""
_LAST: Final = 1 << 53
"""No time is later."""
_KEYS: Final = {
    "users": _own_key,
    "conversations": _own_key,
    "participants": _participant_keys,
    "messages": _message_keys,
}
