"""Conversations in bulk: one with each request, many side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from talkjs_async._core.wire import drop_unset
from talkjs_async.bulk._engine.field_names import FieldNames
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_ids import as_id, take_id
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.records import BadRecord, Record, make_record
from talkjs_async.bulk._engine.source_blocks import Source
from talkjs_async.bulk._engine.store_records import StoreRecords
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError
from talkjs_async.limits import Lane
from talkjs_async.models.conversations import Conversation, ConversationInput

ConversationRecord: TypeAlias = (
    Mapping[str, Any] | tuple[str, ConversationInput] | Conversation | BadRecord
)

READ_AHEAD: Final = 200


def upsert_conversations(
    talkjs: AsyncTalkJS,
    source: Source[ConversationRecord] | Mapping[str, ConversationInput],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    total: int | None = None,
) -> Job:
    """
    Create or change any number of conversations.

    Args:
        talkjs: The client.
        source: Conversations, each as a mapping with "id" and the fields of `ConversationInput` (in
            Python's or TalkJS's spelling), as a pair of ID and `ConversationInput`, or as a
            `Conversation`. Participants are added; nobody is removed. They must be known to TalkJS.
        journal, job_id, lane, total: As in `upsert_users`.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: *source* is no iterable, or an argument breaks its rule.
    """
    step = StoreRecords(ConversationRecordType(), source, total=total)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane)


class ConversationRecordType(RecordType[ConversationInput]):
    """What is special about conversations: each has a request of its own."""

    kind = "upsert_conversations"
    per_request = 1
    window = READ_AHEAD
    once = False

    def read(self, thing: object, number: int) -> Record[ConversationInput] | BadRecord:
        """Make a record of a conversation."""
        if isinstance(thing, Mapping):
            fields = CONVERSATION_FIELDS.of(thing)
            conversation_id = take_id(fields)
            conversation = ConversationInput(**fields)
        elif isinstance(thing, Conversation):
            conversation_id, conversation = thing.id, _input_of(thing)
        elif (
            isinstance(thing, tuple) and len(thing) == 2 and isinstance(thing[1], ConversationInput)
        ):
            conversation_id, conversation = as_id(thing[0]), thing[1]
        else:
            raise ConfigurationError(
                "source", f"holds a {type(thing).__name__} where a conversation should be."
            )
        return make_record(conversation_id, number, conversation, conversation.to_wire())

    async def send(
        self, context: JobContext, records: Sequence[Record[ConversationInput]]
    ) -> Sequence[str | None]:
        """Store one conversation."""
        (record,) = records
        conversation = record.value
        fields = {
            "participants": conversation.participants,
            "subject": conversation.subject,
            "photo_url": conversation.photo_url,
            "welcome_messages": conversation.welcome_messages,
            "custom": conversation.custom,
        }
        await context.talkjs.conversations.upsert(record.id, **drop_unset(fields))
        return [None]


CONVERSATION_FIELDS = FieldNames(ConversationInput, "id")


def _input_of(conversation: Conversation) -> ConversationInput:
    """Keep what a conversation has; what it has not stays as it is where it goes to."""
    fields: dict[str, Any] = {
        "participants": tuple(conversation.participants),
        "subject": conversation.subject,
        "photo_url": conversation.photo_url,
        "welcome_messages": conversation.welcome_messages or None,
        "custom": conversation.custom or None,
    }
    return ConversationInput(**{name: value for name, value in fields.items() if value is not None})
