"""Reads sources from CSV and JSON Lines files: one function per record type."""

from __future__ import annotations

import os

from talkjs_async.bulk._record_types.conversations import CONVERSATION_FIELDS
from talkjs_async.bulk._record_types.imports import IMPORT_FIELDS
from talkjs_async.bulk._record_types.messages import MESSAGE_FIELDS
from talkjs_async.bulk._record_types.users import USER_FIELDS
from talkjs_async.bulk.formats.record_file import RecordFile, RecordFormat

__all__ = ["read_conversations", "read_messages", "read_old_messages", "read_users"]


def read_users(path: str | os.PathLike[str], *, format: RecordFormat | None = None) -> RecordFile:
    """
    Read users from a file, for `upsert_users`.

    The header of CSV holds "id" and names of fields of `UserInput`, in Python's or TalkJS's
    spelling; "custom.plan" is the key "plan" of the custom data. Several addresses in a cell are
    separated by ";" or written as a JSON list. An empty cell leaves the field as it is. Commas,
    semicolons or tabs separate the columns. JSON Lines holds one object per line, with those names.

    Args:
        path: The file, in UTF-8.
        format: "csv" or "jsonl". None: by the file's extension.

    Raises:
        ConfigurationError: There is no such file, or its format is unknown.
    """
    return RecordFile(path, format, USER_FIELDS, required=("id",))


def read_conversations(
    path: str | os.PathLike[str], *, format: RecordFormat | None = None
) -> RecordFile:
    """Read conversations from a file, for `upsert_conversations`; see `read_users`."""
    return RecordFile(path, format, CONVERSATION_FIELDS, required=("id",))


def read_messages(
    path: str | os.PathLike[str], *, format: RecordFormat | None = None
) -> RecordFile:
    """
    Read messages from a file, for `send_messages`; see `read_users`.

    It must have "conversation_id" and "text", and "sender" except for system messages.
    """
    return RecordFile(path, format, MESSAGE_FIELDS, required=("conversation_id", "text"))


def read_old_messages(
    path: str | os.PathLike[str], *, format: RecordFormat | None = None
) -> RecordFile:
    """
    Read old messages from a file, for `import_messages`; see `read_users`.

    It must have "conversation_id", "sender", "text" and "sent_at".
    """
    required = ("conversation_id", "sender", "text", "sent_at")
    return RecordFile(path, format, IMPORT_FIELDS, required=required)
