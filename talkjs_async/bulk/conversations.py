"""Conversations in bulk: one with each request, many side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from talkjs_async._core.call import Lane
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.source_blocks import Source
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._engine.store_records import StoreRecords
from talkjs_async.bulk._record_types.conversations import ConversationRecordType
from talkjs_async.client import AsyncTalkJS
from talkjs_async.models.conversations import Conversation, ConversationInput

__all__ = ["ConversationRecord", "upsert_conversations"]

ConversationRecord: TypeAlias = (
    Mapping[str, Any] | tuple[str, ConversationInput | Mapping[str, Any]] | Conversation | BadRecord
)


def upsert_conversations(
    talkjs: AsyncTalkJS,
    source: Source[ConversationRecord] | Mapping[str, ConversationInput | Mapping[str, Any]],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    total: int | None = None,
    dry_run: bool = False,
) -> Job:
    """
    Create or change any number of conversations.

    Args:
        talkjs: The client.
        source: Conversations, each as a mapping with "id" and the fields of `ConversationInput` (in
            Python's or TalkJS's spelling), as a pair of ID and `ConversationInput` or mapping, or
            as a `Conversation`; or one mapping of IDs to either. Participants are added, none is
            removed. They must be known to TalkJS.
        journal, job_id, lane, total, dry_run: As in `upsert_users`.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: *source* is no iterable, or an argument breaks its rule.
    """
    step = StoreRecords(ConversationRecordType(), source, total=total)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane, dry_run=dry_run)
