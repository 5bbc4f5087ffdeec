"""Old messages: 10 with one request, each looked for before it is sent a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Final

from talkjs_async._core.retry import RetryPolicy
from talkjs_async._core.wire import milliseconds
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_ids import as_id, as_record_id, take_id
from talkjs_async.bulk._engine.record_times import as_moment
from talkjs_async.bulk._engine.record_type import Found, RecordType
from talkjs_async.bulk._engine.source_records import BadRecord, Record, digest_of, make_record
from talkjs_async.bulk._record_types.messages import MessageRecordType
from talkjs_async.errors import (
    APIError,
    BadRequest,
    ConfigurationError,
    NotFound,
    OutcomeUnknown,
    ServerError,
    TalkJSError,
)
from talkjs_async.models._field_names import FieldNames
from talkjs_async.models.imports import ImportedMessage
from talkjs_async.models.messages import Message
from talkjs_async.resources.imports import MOST_MESSAGES_PER_POST

SETTLE: Final = 2.0


class ImportRecordType(RecordType[ImportedMessage]):
    """What is special about imports: repeating one makes duplicates."""

    kind = "import_messages"
    per_request = MOST_MESSAGES_PER_POST
    window = MessageRecordType.window
    once = True

    def __init__(self, *, settle: float = SETTLE) -> None:
        """See `import_messages`."""
        if not settle >= 0:
            raise ConfigurationError("settle", f"must be 0 seconds or more, not {settle!r}.")
        self._settle = settle

    def read(self, thing: object, number: int) -> Record[ImportedMessage] | BadRecord:
        """Make a record of an old message."""
        record_id = str(number)
        if isinstance(thing, Mapping):
            fields = IMPORT_FIELDS.of(thing)
            if "id" in fields:
                record_id = as_record_id(fields.pop("id"))
            conversation_id = take_id(fields, "conversation_id")
            for name in ("sender", "text", "sent_at"):
                if name not in fields:
                    raise ConfigurationError(name, "is missing.")
            fields["sent_at"] = as_moment(fields["sent_at"])
            message = ImportedMessage(**fields)
        elif isinstance(thing, tuple) and len(thing) == 2 and isinstance(thing[1], ImportedMessage):
            conversation_id, message = as_id(thing[0], "conversation_id"), thing[1]
        else:
            raise ConfigurationError(
                "source", f"holds a {type(thing).__name__} where a message should be."
            )
        return make_record(
            record_id,
            number,
            message,
            [conversation_id, message.to_wire()],
            group=conversation_id,
            mark=_mark(message.sender, milliseconds(message.sent_at)),
        )

    async def send(
        self, context: JobContext, records: Sequence[Record[ImportedMessage]]
    ) -> Sequence[str | None]:
        """Import up to 10 messages into one conversation."""
        # The decision to repeat is made here: even a 503 may have been carried out.
        once = context.talkjs.with_options(retry=RetryPolicy(attempts=1))
        left = records
        for attempt in count(1):
            try:
                await once.imports.messages(left[0].group, [record.value for record in left])
                break
            except TalkJSError as error:
                if attempt >= context.retry.attempts or not context.retry.allows(
                    error, idempotent=True
                ):
                    raise
                await context.clock.sleep(context.retry.delay(error, attempt))
                if isinstance(error, OutcomeUnknown | ServerError):
                    found = await self.find(context, left)
                    left = [record for record in left if record.id not in found.stored]
                    if not left:
                        break
        return [None] * len(records)

    def is_refusal(self, error: APIError) -> bool:
        """Some message is not valid, or its sender takes no part."""
        return isinstance(error, BadRequest | NotFound) or error.status in {403, 413, 422}

    def sinks_group(self, error: APIError) -> bool:
        """404: there is no such conversation."""
        return isinstance(error, NotFound)

    async def find(self, context: JobContext, records: Sequence[Record[ImportedMessage]]) -> Found:
        """Read the conversation back, down to the oldest of the records."""
        await context.clock.sleep(self._settle)
        conversation_id = records[0].group
        oldest = min(milliseconds(record.value.sent_at) for record in records)
        marks = {record.mark for record in records if record.mark is not None}
        # Sender and time -> IDs and texts, of what is there.
        there: dict[bytes, list[tuple[str, str | None]]] = {mark: [] for mark in marks}
        read_back = _ReadBack(oldest)
        try:
            async for message in context.all(context.talkjs.messages.list, conversation_id):
                mark = _mark(message.sender_id, message.created_at_ms)
                if mark in there:
                    there[mark].append((message.id, message.text))
                if read_back.ends_with(message):
                    break
        except NotFound:
            return Found()
        # Those of the messages that other records of this job have made are no proof.
        texts = {record.value.text for record in records}
        for mark, known in (await context.journal.stored(conversation_id, marks)).items():
            candidates = sorted(there[mark], key=lambda found: found[1] not in texts)
            there[mark] = candidates[: max(0, len(candidates) - known)]
        return Found(dict(_assigned(records, there)))


class _ReadBack:
    """
    Tells how far back to read.

    Lists of messages are newest first (seen in code). If one ever is not, it is read to its end.
    """

    def __init__(self, oldest: int) -> None:
        self._oldest = oldest
        self._previous = float("inf")
        self._in_order = True

    def ends_with(self, message: Message) -> bool:
        """Tell whether nothing that is looked for can come behind *message*."""
        self._in_order = self._in_order and message.created_at_ms <= self._previous
        self._previous = message.created_at_ms
        return self._in_order and message.created_at_ms < self._oldest


def _assigned(
    records: Sequence[Record[ImportedMessage]], there: dict[bytes, list[tuple[str, str | None]]]
) -> Iterator[tuple[str, str]]:
    """Say which record is which message: the same text first, then any of that sender and time."""
    left = list(records)
    for same_text in (True, False):
        for record in tuple(left):
            for message in there[record.mark or b""]:
                if not same_text or message[1] == record.value.text:
                    there[record.mark or b""].remove(message)
                    left.remove(record)
                    yield record.id, message[0]
                    break


IMPORT_FIELDS = FieldNames(
    ImportedMessage,
    "id",
    "conversation_id",
    timestamp="sent_at",
    createdAt="sent_at",
    created_at="sent_at",
)


def _mark(sender: str | None, sent_at_ms: int) -> bytes:
    return digest_of(f"{sent_at_ms} {sender}".encode())
