"""Messages in bulk: 10 with one request, in order, each exactly once."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, TypeAlias

import attrs

from talkjs_async._core.wire import UNSET
from talkjs_async.bulk._engine.field_names import FieldNames
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_ids import as_id, take_id
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.records import BadRecord, Record, make_record
from talkjs_async.bulk._engine.source_blocks import Source
from talkjs_async.bulk._engine.store_records import StoreRecords
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import APIError, BadRequest, ConfigurationError, NotFound
from talkjs_async.limits import Lane
from talkjs_async.models.messages import Message, SystemMessage, UserMessage
from talkjs_async.resources.messages import KEY_LIFETIME, MOST_MESSAGES_PER_POST

Outgoing: TypeAlias = UserMessage | SystemMessage
MessageRecord: TypeAlias = Mapping[str, Any] | tuple[str, Outgoing] | BadRecord

READ_AHEAD: Final = 20_000
"""
Messages to read ahead, so that requests can be filled with ten of a conversation even where the
source goes through all conversations side by side.
"""
_SAFETY: Final = 3600.0
"""Seconds before the end of a key's life from which it is not trusted any more."""
_SKEW: Final = 300.0
"""Seconds by which the server's clock may be behind ours."""


def send_messages(
    talkjs: AsyncTalkJS,
    source: Source[MessageRecord],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    total: int | None = None,
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

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: *source* is no iterable, or an argument breaks its rule.
    """
    step = StoreRecords(MessageRecordType(), source, total=total)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane)


class MessageRecordType(RecordType[Outgoing]):
    """What is special about messages: sending one twice would make two, and 10 fit a request."""

    kind = "send_messages"
    per_request = MOST_MESSAGES_PER_POST
    window = READ_AHEAD
    once = True

    def read(self, thing: object, number: int) -> Record[Outgoing] | BadRecord:
        """Make a record of a message."""
        record_id = str(number)
        if isinstance(thing, Mapping):
            fields = MESSAGE_FIELDS.of(thing)
            if "id" in fields:
                record_id = as_text(fields.pop("id"))
            conversation_id = take_id(fields, "conversation_id")
            message = _message(fields)
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
        return make_record(record_id, number, message, wire, group=conversation_id)

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

    async def find(
        self, context: JobContext, records: Sequence[Record[Outgoing]]
    ) -> dict[str, str | None]:
        """Look in the conversation for those whose keys TalkJS may have forgotten."""
        forgotten = context.clock.time() - KEY_LIFETIME + _SAFETY
        doubtful = [record for record in records if (record.sent_at or 0.0) < forgotten]
        if not doubtful:
            return {}
        since = min(record.sent_at or 0.0 for record in doubtful) - _SKEW
        conversation_id = doubtful[0].group
        # Equal messages that this job has sent are no proof.
        known = await context.journal.results(conversation_id)
        found: dict[str, str | None] = {}
        async for message in context.talkjs.messages.list(conversation_id):
            if message.created_at.timestamp() < since:
                break
            if message.id in known:
                continue
            for record in reversed(doubtful):
                if record.id not in found and _is_same(message, record.value):
                    found[record.id] = message.id
                    break
        return found


MESSAGE_FIELDS = FieldNames(UserMessage, "id", "conversation_id", "type")


def _message(fields: dict[str, Any]) -> Outgoing:
    kind = fields.pop("type", "UserMessage")
    if kind == "UserMessage":
        if "sender" not in fields:
            raise ConfigurationError("sender", "is missing.")
        return UserMessage(**fields)
    if kind != "SystemMessage":
        raise ConfigurationError("type", "must be 'UserMessage' or 'SystemMessage'.")
    for name in ("sender", "location"):
        if name in fields:
            raise ConfigurationError(name, "must not be given for a SystemMessage.")
    return SystemMessage(**fields)


def _is_same(message: Message, sent: Outgoing) -> bool:
    custom = {} if sent.custom is UNSET else dict(sent.custom)
    return (
        message.sender_id == (sent.sender if isinstance(sent, UserMessage) else None)
        and dict(message.custom) == custom
        and (sent.text is UNSET or message.text == sent.text)
    )


def as_text(value: object) -> str:
    """
    Check the ID that a source gives to a message; it never becomes part of a URL.

    Raises:
        ConfigurationError: It is neither text nor a whole number, or empty.
    """
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ConfigurationError("id", f"must be a text or a whole number, not {value!r}.")
    return str(value)


def key_of(job_id: str, record_id: str) -> str:
    """
    Make the idempotency key of a message, the same in every run of the job.

    20 characters from `-0-9A-Z_a-z`, as the keys of TalkJS's own SDK are (seen in code).
    """
    digest = blake2b(f"{job_id}\0{record_id}".encode(), digest_size=15).digest()
    return urlsafe_b64encode(digest).decode()
