"""
Jobs over many records: sync, send, import, export, anonymise.

    report = await bulk.upsert_users(talkjs, bulk.read_users("users.csv"), journal="users.journal")

Each function returns a `Job`: await it, or watch it with `async with`. Jobs use the whole budget,
say what became of every record, and go on where they were after any interruption.

There is one module per job; `file_sources` reads their files. `_record_types` holds what differs
between users, conversations and messages; `_engine` stores any of them and keeps the journal;
`formats` reads and writes file formats.
"""

from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.progress import Progress
from talkjs_async.bulk._engine.report import BulkReport, Outcome, RecordReport
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk.anonymise import anonymise_user, anonymise_vanished
from talkjs_async.bulk.conversations import ConversationRecord, upsert_conversations
from talkjs_async.bulk.errors import RecordsFailed, StorageError
from talkjs_async.bulk.export import export
from talkjs_async.bulk.file_sources import (
    read_conversations,
    read_messages,
    read_old_messages,
    read_users,
)
from talkjs_async.bulk.formats.record_file import RecordFile, RecordFormat
from talkjs_async.bulk.imports import ImportRecord, import_messages
from talkjs_async.bulk.messages import MessageRecord, send_messages
from talkjs_async.bulk.restore import restore
from talkjs_async.bulk.sendbird import migrate_sendbird
from talkjs_async.bulk.transfer import transfer
from talkjs_async.bulk.users import UserRecord, upsert_users

__all__ = [
    "BadRecord",
    "BulkReport",
    "ConversationRecord",
    "ImportRecord",
    "Job",
    "MessageRecord",
    "Outcome",
    "Progress",
    "RecordFile",
    "RecordFormat",
    "RecordReport",
    "RecordsFailed",
    "StorageError",
    "UserRecord",
    "anonymise_user",
    "anonymise_vanished",
    "export",
    "import_messages",
    "migrate_sendbird",
    "read_conversations",
    "read_messages",
    "read_old_messages",
    "read_users",
    "restore",
    "send_messages",
    "transfer",
    "upsert_conversations",
    "upsert_users",
]
