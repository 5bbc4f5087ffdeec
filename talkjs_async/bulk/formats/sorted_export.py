"""
The files of an export, sorted into a database.

So the order of lines does not matter, records find each other by ID, and what was checked is what
is read later. The files are those of a complete export, compared with what it says of itself, or of
one that is still growing. Knows which record belongs to which, nothing of what else is in them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from talkjs_async.bulk.errors import StorageError
from talkjs_async.bulk.formats._rows import read_rows
from talkjs_async.bulk.formats.export_directory import (
    REACTIONS,
    Manifest,
    file_of,
    read_manifest,
)
from talkjs_async.bulk.formats.json_lines import checked_lines, noted_lines
from talkjs_async.errors import ConfigurationError

__all__ = ["Chunk", "SortedExport"]

Chunk: TypeAlias = tuple[int, int]
"""Conversations by their place in the list: behind the first number, up to the second."""

_TABLES: Final = """
CREATE TABLE users (id BLOB PRIMARY KEY, line TEXT);
CREATE TABLE conversations (number INTEGER PRIMARY KEY, id BLOB UNIQUE, line TEXT);
CREATE TABLE participants (id BLOB, user BLOB, line TEXT);
CREATE TABLE messages (id BLOB, sender BLOB, at INTEGER, message BLOB, line TEXT);
CREATE TABLE reactions (message BLOB, user BLOB, line TEXT);
CREATE TABLE files (url TEXT PRIMARY KEY, id BLOB, line TEXT) WITHOUT ROWID;
"""
_INDEXES: Final = """
CREATE INDEX participant_of ON participants (id, user);
CREATE INDEX message_of ON messages (id, at, sender);
CREATE INDEX reaction_to ON reactions (message);
CREATE INDEX file_of ON files (id);
"""
_INSERT: Final = {
    "users": "INSERT OR REPLACE INTO users VALUES (?, ?)",
    "conversations": "INSERT OR REPLACE INTO conversations (id, line) VALUES (?, ?)",
    "participants": "INSERT INTO participants VALUES (?, ?, ?)",
    "messages": "INSERT INTO messages VALUES (?, ?, ?, ?, ?)",
    "reactions": "INSERT INTO reactions VALUES (?, ?, ?)",
}
_FILE: Final = "INSERT OR IGNORE INTO files VALUES (?, ?, ?)"


@attrs.define
class SortedExport:
    """
    The records of an export, each list in an order of its own, read from a database.

    Attributes:
        app_id: The app that was exported.
        has_reactions: Whether it says who has reacted to messages.
    """

    app_id: str
    _directory: Path
    _database: Path
    has_reactions: bool = attrs.field(default=True, kw_only=True)
    _read: dict[str, int] = attrs.field(factory=dict[str, int], init=False)

    @classmethod
    def of(cls, directory: Path, database: Path) -> SortedExport:
        """
        Read all files of an export and check them.

        Args:
            directory: The directory of the export.
            database: A file to make.

        Raises:
            ConfigurationError: It is not whole: a file is missing, or has not the lines that were
                written.
            StorageError: A file cannot be read, or the database cannot be written.
        """
        manifest: Manifest = read_manifest(directory)
        has_reactions = REACTIONS in manifest.files
        export = cls(manifest.app_id, directory, database, has_reactions=has_reactions)
        export._fill(
            (name, checked_lines(file_of(directory, name), lines))
            for name, lines in manifest.files.items()
        )
        return export

    @classmethod
    def growing(cls, app_id: str, directory: Path, database: Path) -> SortedExport:
        """Begin with none of the lines; `take` reads them."""
        export = cls(app_id, directory, database)
        export._fill(())
        return export

    def take(self, lengths: Mapping[str, int]) -> None:
        """
        Read on in the files.

        Args:
            lengths: Bytes that are whole, by the name of the file.

        Raises:
            StorageError: A file cannot be read, or the database cannot be written.
        """
        more = {name: to for name, to in lengths.items() if to > self._read.get(name, 0)}
        self._fill(
            (name, noted_lines(file_of(self._directory, name), self._read.get(name, 0), to))
            for name, to in more.items()
        )
        self._read.update(more)

    def add_users(self, users: Sequence[dict[str, Any]]) -> None:
        """Add users who are not in the files."""
        self._fill([("users", [(json.dumps(user), user) for user in users])])

    def _fill(self, files: Iterable[tuple[str, Iterable[tuple[str, dict[str, Any]]]]]) -> None:
        try:
            with closing(sqlite3.connect(self._database)) as connection, connection:
                is_new = connection.execute("PRAGMA user_version").fetchone() == (0,)
                if is_new:
                    # So that the rows of earlier conversations can be read meanwhile.
                    connection.execute("PRAGMA journal_mode = WAL")
                # Nothing of it is needed after a crash.
                connection.execute("PRAGMA synchronous = OFF")
                if is_new:
                    connection.executescript(f"{_TABLES} PRAGMA user_version = 1;")
                for name, lines in files:
                    for number, (line, record) in enumerate(lines, 1):
                        self._check_ids(name, number, record)
                        connection.execute(_INSERT[name], _KEYS[name](line, record))
                        if name == "messages":
                            connection.executemany(_FILE, _files_in(record))
                if is_new:
                    connection.executescript(_INDEXES)
        except sqlite3.Error as error:
            raise StorageError(path=str(self._database), reason=str(error)) from error

    def _check_ids(self, name: str, number: int, record: dict[str, Any]) -> None:
        for field in _IDS[name]:
            id_ = record.get(field)
            if not isinstance(id_, str) or not id_:
                path = file_of(self._directory, name)
                raise ConfigurationError(
                    "directory", f"{path} is damaged: line {number} has no {field}."
                )

    def counts(self) -> dict[str, int]:
        """Return how many users, files, conversations, messages and reactions there are."""
        (row,) = self._rows(_COUNTS)
        return dict(zip(("user", "file", "conversation", "message", "reaction"), row, strict=True))

    def chunk(self, after: int, up_to: int, *, messages: int) -> Chunk:
        """Return the next conversations, with so many messages or a little more."""
        last = count = 0
        for last, inside in self._rows(_SIZES, (after, up_to)):  # noqa: B007 - the last is meant
            count += inside
            if count >= messages:
                break
        return after, max(after, last)

    @property
    def everything(self) -> Chunk:
        """All conversations."""
        ((last,),) = self._rows("SELECT coalesce(max(number), 0) FROM conversations")
        return 0, int(last)

    def users(self) -> Iterator[dict[str, Any]]:
        """All users."""
        return self._objects("SELECT line FROM users ORDER BY rowid")

    def unknown_users(self, chunk: Chunk) -> list[str]:
        """Return who takes part, writes or reacts in some conversations and is no user."""
        return [_text(user) for (user,) in self._rows(_UNKNOWN, chunk * 3) if user]

    def conversations(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        """Some conversations."""
        return self._objects(
            "SELECT line FROM conversations WHERE number > ? AND number <= ? ORDER BY number", chunk
        )

    def participants_of(self, conversation_id: str) -> Iterator[dict[str, Any]]:
        """Return the participants of a conversation that are users of the export."""
        query = "SELECT line FROM participants WHERE id = ? AND user IN (SELECT id FROM users)"
        return self._objects(f"{query} ORDER BY rowid", (_key(conversation_id),))

    def former_participants_of(self, conversation_id: str) -> list[str]:
        """Return the users of the export who wrote in a conversation and take part no more."""
        rows = self._rows(_FORMER, (_key(conversation_id),) * 2)
        return [_text(sender) for (sender,) in rows]

    def files(self, chunk: Chunk) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the URLs of files that come first in some conversations, each with its block."""
        for url, line in self._rows(_FILES, chunk):
            yield url, json.loads(line)

    def messages(self, chunk: Chunk) -> Iterator[tuple[dict[str, Any], bool]]:
        """
        Return the messages of some conversations, the oldest of each first.

        Of one millisecond, the lowest in the file comes first: exports begin with the newest. Each
        comes with whether its sender is a user of the export, or it has none.
        """
        for line, known in self._rows(_MESSAGES, chunk):
            yield json.loads(line), bool(known)

    def marks(self, conversation_id: str) -> list[tuple[str, str | None, int, str | None]]:
        """Return ID, sender, time and text of the messages of a conversation, the oldest first."""
        rows = self._objects(_MESSAGES_OF, (_key(conversation_id),))
        # One without a time was not stored, and is like none that was.
        return [(m["id"], m.get("senderId"), m.get("createdAt", 0), m.get("text")) for m in rows]

    def lost_messages(self) -> Iterator[dict[str, Any]]:
        """Return the messages whose conversation is not in the export."""
        return self._objects(_LOST_MESSAGES)

    def reactions(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        """Return the reactions in some conversations, in the order of the messages."""
        return self._objects(_REACTIONS, chunk)

    def lost_reactions(self) -> Iterator[dict[str, Any]]:
        """Return the reactions whose message is not in the export."""
        return self._objects(_LOST_REACTIONS)

    def lost_participants(self) -> Iterator[dict[str, Any]]:
        """Return the participants whose conversation or user is not in the export."""
        return self._objects(_LOST_PARTICIPANTS)

    def _objects(self, query: str, arguments: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        for (line,) in self._rows(query, arguments):
            yield json.loads(line)

    def _rows(self, query: str, arguments: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        return read_rows(self._database, query, arguments)


_COUNTS: Final = """
SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM files),
    (SELECT count(*) FROM conversations), (SELECT count(*) FROM messages),
    (SELECT count(*) FROM reactions)
"""
_SIZES: Final = """
SELECT number, (SELECT count(*) FROM messages WHERE messages.id = conversations.id)
FROM conversations WHERE number > ? AND number <= ? ORDER BY number
"""
_UNKNOWN: Final = """
SELECT user FROM conversations JOIN participants USING (id) WHERE number > ? AND number <= ?
UNION SELECT sender FROM conversations JOIN messages USING (id) WHERE number > ? AND number <= ?
UNION SELECT user FROM conversations JOIN messages USING (id) JOIN reactions USING (message)
    WHERE number > ? AND number <= ?
EXCEPT SELECT id FROM users
"""
_FORMER: Final = """
SELECT DISTINCT sender FROM messages WHERE id = ? AND sender IN (SELECT id FROM users)
EXCEPT SELECT user FROM participants WHERE id = ?
"""
_FILES: Final = """
SELECT url, files.line FROM conversations JOIN files USING (id)
WHERE number > ? AND number <= ? ORDER BY number, url
"""
_MESSAGES: Final = """
SELECT m.line, m.sender IS NULL OR m.sender IN (SELECT id FROM users)
FROM conversations JOIN messages AS m USING (id)
WHERE number > ? AND number <= ? ORDER BY number, m.at, m.rowid DESC
"""
_MESSAGES_OF: Final = "SELECT line FROM messages WHERE id = ? ORDER BY at, rowid DESC"
_REACTIONS: Final = """
SELECT r.line FROM conversations JOIN messages AS m USING (id)
JOIN reactions AS r ON r.message = m.message
WHERE number > ? AND number <= ? ORDER BY number, m.at, m.rowid DESC, r.rowid
"""
_LOST_MESSAGES: Final = """
SELECT line FROM messages WHERE id IS NULL OR id NOT IN (SELECT id FROM conversations)
ORDER BY rowid
"""
_LOST_REACTIONS: Final = """
SELECT line FROM reactions WHERE message IS NULL OR message NOT IN (
    SELECT message FROM messages WHERE message IS NOT NULL
    AND id IN (SELECT id FROM conversations)
) ORDER BY rowid
"""
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
    ids = _key(record.get("conversationId")), _key(record.get("senderId"))
    return *ids, known, _key(record.get("id")), line


def _reaction_keys(line: str, record: dict[str, Any]) -> tuple[Any, ...]:
    return _key(record.get("messageId")), _key(record.get("userId")), line


def _files_in(message: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Find the files that a message carries: blocks, or the older form."""
    content = message.get("content")
    blocks = [*content] if isinstance(content, list) and content else [message.get("attachment")]
    for block in blocks:
        url = block.get("url") if isinstance(block, dict) else None
        if isinstance(url, str):
            key = url.encode(errors="backslashreplace").decode()
            yield key, _key(message.get("conversationId")), json.dumps(block)


_IDS: Final = {
    "users": ("id",),
    "conversations": ("id",),
    "participants": ("conversationId", "userId"),
    "messages": ("id", "conversationId"),
    "reactions": ("conversationId", "messageId", "emoji"),
}
"""What a record is nothing without."""
_LAST: Final = 1 << 53
"""No time is later."""
_KEYS: Final = {
    "users": _own_key,
    "conversations": _own_key,
    "participants": _participant_keys,
    "messages": _message_keys,
    "reactions": _reaction_keys,
}
