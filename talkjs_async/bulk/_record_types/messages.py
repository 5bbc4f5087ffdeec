"""Messages: in order, 10 with one request, each with a key of its own."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

import attrs

from talkjs_async._core.idempotency import KEY_LIFETIME
from talkjs_async._core.wire import UNSET, utf8
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_ids import as_id, as_record_id, take_id, write_ids
from talkjs_async.bulk._engine.record_type import Found, RecordType
from talkjs_async.bulk._engine.source_records import BadRecord, Record, digest_of, make_record
from talkjs_async.errors import APIError, BadRequest, ConfigurationError, NotFound
from talkjs_async.models._field_names import FieldNames
from talkjs_async.models._from_dicts import message_of
from talkjs_async.models.messages import Location, Message, SystemMessage, UserMessage
from talkjs_async.resources.messages import MOST_MESSAGES_PER_POST

Outgoing: TypeAlias = UserMessage | SystemMessage

_SAFETY: Final = 3600.0
"""Seconds before the end of a key's life from which it is not trusted any more."""
_SKEW: Final = 300.0
"""Seconds by which the server's clock may be behind ours."""


class MessageRecordType(RecordType[Outgoing]):
    """What is special about messages: sending one twice would make two, and 10 fit a request."""

    kind = "send_messages"
    per_request = MOST_MESSAGES_PER_POST
    # So that requests can be filled with ten of a conversation even where the source goes through
    # all conversations side by side.
    window = 20_000
    once = True
    # A message's mark is its own idempotency key: TalkJS drops a second message with the same one.
    unique_marks = True

    def read(self, thing: object, number: int) -> Record[Outgoing] | BadRecord:
        """Make a record of a message."""
        record_id = str(number)
        if isinstance(thing, Mapping):
            fields = MESSAGE_FIELDS.of(thing)
            if "id" in fields:
                record_id = as_record_id(fields.pop("id"))
            conversation_id = take_id(fields, "conversation_id")
            write_ids(fields, "sender", "referenced_message_id")
            message = message_of(fields)
        elif (
            isinstance(thing, tuple)
            and len(thing) == 2
            and isinstance(thing[1], UserMessage | SystemMessage)
        ):
            conversation_id, message = as_id(thing[0], "conversation_id"), thing[1]
        else:
            raise ConfigurationError(
                "source", f"holds a {type(thing).__name__} where a message should be."
            )
        wire = [conversation_id, message.to_wire()]
        own_key = message.idempotency_key
        mark = digest_of(utf8(own_key)) if isinstance(own_key, str) else None
        return make_record(record_id, number, message, wire, group=conversation_id, mark=mark)

    async def send(
        self, context: JobContext, records: Sequence[Record[Outgoing]]
    ) -> Sequence[str | None]:
        """Send up to 10 messages to one conversation."""
        job_id = context.journal.job_id
        messages = [
            attrs.evolve(record.value, idempotency_key=key_of(job_id, record.id))
            if record.value.idempotency_key is UNSET
            else record.value
            for record in records
        ]
        sent = await context.talkjs.messages.send_many(records[0].group, messages)
        return [message.id for message in sent]

    def is_refusal(self, error: APIError) -> bool:
        """Some message is not valid, its sender takes no part, or the key of one is known."""
        return isinstance(error, BadRequest | NotFound) or error.status in {403, 409, 413, 422}

    def sinks_group(self, error: APIError) -> bool:
        """404: there is no such conversation."""
        return isinstance(error, NotFound)

    def already_stored(self, error: APIError) -> bool:
        """409: what a repeated key is answered with is not documented; this is one way."""
        return error.status == 409

    def shared_mark(self, other: str) -> str:
        """Say which record has the same idempotency key."""
        return f"its idempotency_key is that of {other!r}: one of the two would be lost."

    async def find(self, context: JobContext, records: Sequence[Record[Outgoing]]) -> Found:
        """Look in the conversation for those whose keys TalkJS may have forgotten."""
        forgotten = context.clock.time() - KEY_LIFETIME + _SAFETY
        doubtful = [record for record in records if (record.sent_at or 0.0) < forgotten]
        if not doubtful:
            return Found()
        since = min(record.sent_at or 0.0 for record in doubtful) - _SKEW
        conversation_id = doubtful[0].group
        # Equal messages that this job has sent are no proof.
        others = await context.journal.stored_in(conversation_id)
        known = {other.result for other in others}
        # Those without an ID cannot be told from each other, only counted.
        nameless = Counter(other.digest for other in others if other.result is None)
        stored: dict[str, str | None] = {}
        unknown: dict[str, str] = {}
        async for message in context.all(context.talkjs.messages.list, conversation_id):
            if message.created_at.timestamp() < since:
                break
            if message.id in known:
                continue
            for record in reversed(doubtful):
                same = record.id not in stored and _is_same(message, record.value)
                if same is None:
                    unknown[record.id] = _CANNOT_TELL
                elif same and nameless[record.digest]:
                    nameless[record.digest] -= 1
                    break
                elif same:
                    stored[record.id] = message.id
                    break
        return Found(stored, {id_: why for id_, why in unknown.items() if id_ not in stored})


_CANNOT_TELL: Final = (
    "it was sent more than 22 hours ago, without an answer, and the conversation has a message of "
    "the same sender that may be this one; it is not sent again."
)

MESSAGE_FIELDS = FieldNames(UserMessage, "id", "conversation_id", "type")


def _is_same(message: Message, sent: Outgoing) -> bool | None:
    """Whether TalkJS has made *message* of what was sent. None: that cannot be told."""
    custom = {} if sent.custom is UNSET or sent.custom is None else dict(sent.custom)
    if (
        message.sender_id != (sent.sender if isinstance(sent, UserMessage) else None)
        or dict(message.custom) != custom
    ):
        return False
    if isinstance(sent.text, str):
        return message.text == sent.text
    is_plain_text = message.text is not None and message.attachment is None
    location = sent.location if isinstance(sent, UserMessage) else None
    if isinstance(location, Location):
        place = message.location
        if place is not None:
            return (place.latitude, place.longitude) == (location.latitude, location.longitude)
        return False if is_plain_text or message.attachment is not None else None
    if isinstance(sent.attachment_token, str) and (is_plain_text or message.location is not None):
        return False
    # A file has another name at TalkJS than its token, and content may come back in another form.
    return None


def key_of(job_id: str, record_id: str) -> str:
    """
    Make the idempotency key of a message, the same in every run of the job.

    20 characters from `-0-9A-Z_a-z`, as the keys of TalkJS's own SDK are (seen in code).
    """
    digest = blake2b(f"{job_id}\0{record_id}".encode(), digest_size=15).digest()
    return urlsafe_b64encode(digest).decode()
