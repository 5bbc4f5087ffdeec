"""Messages in bulk: 10 with one request, in order, each exactly once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from talkjs_async._core.call import Lane
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.source_blocks import Source
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._engine.store_records import StoreRecords
from talkjs_async.bulk._record_types.messages import MessageRecordType, Outgoing
from talkjs_async.client import AsyncTalkJS

__all__ = ["MessageRecord", "send_messages"]

MessageRecord: TypeAlias = Mapping[str, Any] | tuple[str, Outgoing] | BadRecord


def send_messages(
    talkjs: AsyncTalkJS,
    source: Source[MessageRecord],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    total: int | None = None,
    dry_run: bool = False,
) -> Job:
    """
    Send any number of messages, each exactly once, 10 with one request.

    Messages of a conversation arrive in the order of the source; conversations are worked on side
    by side. Each message has an idempotency key made of the job's ID and its own, so that a job
    that was interrupted can be run again without sending anything twice. TalkJS remembers keys for
    a day; what is in doubt for longer is looked up in the conversation first.

    Args:
        talkjs: The client.
        source: Messages, each as a mapping with "conversation_id" and the fields of `UserMessage`
            (or of `SystemMessage`, with "type": "SystemMessage"), in Python's or TalkJS's spelling,
            or as a pair of conversation ID and either model. A mapping may also have an "id", your
            own, by which the job knows the message again; without one its place in the source is
            taken, so the source must then come in the same order when the job is run again.
        journal: A file to note in what was done, needed to go on after an interruption. None: a
            temporary one.
        job_id: What the keys are made of, besides the IDs of the messages. None: random, kept in
            the journal. A job ID of your own makes a repeat harmless for a day even without the
            journal.
        lane: Which calls of the app go first, those of others ("background") or these.
        total: How many messages the source has. None: unknown, unless the source has a length.
        dry_run: As in `upsert_users`.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: *source* is no iterable, or an argument breaks its rule.
    """
    step = StoreRecords(MessageRecordType(), source, total=total)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane, dry_run=dry_run)
