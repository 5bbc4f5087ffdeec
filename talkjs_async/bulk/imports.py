"""Old messages in bulk: up to 100 with one request, with their own times, each exactly once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from talkjs_async._core.call import Lane
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.source_blocks import Source
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._engine.store_records import StoreRecords
from talkjs_async.bulk._record_types.imports import SETTLE, ImportRecordType
from talkjs_async.client import AsyncTalkJS
from talkjs_async.models.imports import ImportedMessage, ImportedSystemMessage

__all__ = ["ImportRecord", "import_messages"]

ImportRecord: TypeAlias = (
    Mapping[str, Any] | tuple[str, ImportedMessage | ImportedSystemMessage] | BadRecord
)


def import_messages(
    talkjs: AsyncTalkJS,
    source: Source[ImportRecord],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    total: int | None = None,
    dry_run: bool = False,
    settle: float = SETTLE,
) -> Job:
    """
    Import any number of messages that were written elsewhere, each exactly once.

    An import has no idempotency key and TalkJS keeps duplicates. So when no answer came to a
    request, or a job was interrupted, the conversation is read back, and only what is not there is
    sent again: a message is found by its sender, its time and its words. Other programs may import
    into the same conversation meanwhile, but not the same words of the same sender and millisecond.
    Store the users and conversations before.

    A hundred messages go with one request, or ten where TalkJS turns out to have its older rules,
    which is learned from what is stored. Those know no messages of the system: these are reported.

    Args:
        talkjs: The client.
        source: Messages, each as a mapping with "conversation_id", "sender", "text" and "sent_at"
            (or "timestamp": an aware datetime, Unix milliseconds or ISO 8601 text with a time
            zone), and the other fields of `ImportedMessage`, or as a pair of conversation ID and
            `ImportedMessage` or `ImportedSystemMessage`; "type" may be "SystemMessage" instead of
            a sender, and "content" may hold blocks as the JSON that they are. "id" is your own, as
            in `send_messages`. Best in the order in which they were written, at least inside each
            conversation.
        journal: A file to note in what was done, needed to go on after an interruption: without it
            a second run imports everything again. None: a temporary one.
        job_id, lane, total, dry_run: As in `send_messages`.
        settle: Seconds to wait, after a request without an answer, before the conversation is read
            back. The server may be slow with a request that it has.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: *source* is no iterable, or an argument breaks its rule.
    """
    step = StoreRecords(ImportRecordType(settle=settle), source, total=total)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane, dry_run=dry_run)
