"""Conversations: each has a request of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_ids import as_id, in_one_mapping, take_id, write_ids
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.source_records import BadRecord, Record, make_record
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._field_names import FieldNames
from talkjs_async.models.conversations import Conversation, ConversationInput
from talkjs_async.resources.conversations import put_conversation


class ConversationRecordType(RecordType[dict[str, Any]]):
    """What is special about conversations: each has a request of its own."""

    kind = "upsert_conversations"
    per_request = 1
    window = 200

    def read(self, thing: object, number: int) -> Record[dict[str, Any]] | BadRecord:
        """Make a record of a conversation."""
        thing = in_one_mapping(thing)
        if isinstance(thing, Mapping):
            fields = CONVERSATION_FIELDS.of(thing)
            conversation_id = take_id(fields)
            write_ids(fields, "participants")
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
        wire = conversation.to_wire()
        return make_record(conversation_id, number, wire, wire)

    async def send(
        self, context: JobContext, records: Sequence[Record[dict[str, Any]]]
    ) -> Sequence[str | None]:
        """Store one conversation."""
        (record,) = records
        await context.write(put_conversation(record.id, record.value))
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
