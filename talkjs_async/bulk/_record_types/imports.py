"""Old messages: up to 100 with one request, each looked for before it is sent a second time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, TypeAlias

import attrs

from talkjs_async._core.retry import RetryPolicy
from talkjs_async._core.wire import is_real, milliseconds, utf8
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.job_journal import StoredRecord
from talkjs_async.bulk._engine.record_ids import as_id, as_record_id, take_id, write_ids
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
    shown,
)
from talkjs_async.models._field_names import FieldNames
from talkjs_async.models._from_dicts import IMPORTED_TIMES, imported_of
from talkjs_async.models.content import TextBlock
from talkjs_async.models.imports import ImportedMessage, ImportedSystemMessage
from talkjs_async.models.markup import plain_text
from talkjs_async.models.messages import Message
from talkjs_async.resources._imports import (
    MOST_MESSAGES_PER_OLDER_POST,
    MOST_MESSAGES_PER_POST,
    Rules,
)

Imported: TypeAlias = ImportedMessage | ImportedSystemMessage

SETTLE: Final = 2.0


def checked_settle(settle: float) -> float:
    """Return *settle*. ConfigurationError: it is negative, or no number."""
    if not is_real(settle) or settle < 0:
        raise ConfigurationError("settle", f"must be 0 seconds or more, not {shown(settle)}.")
    return settle


@attrs.frozen(kw_only=True)
class OldMessage:
    """
    A message to import, in the forms that it has under either set of rules.

    Attributes:
        current: Under the current rules.
        older: Under the older ones. None: they have none for it.
        text: What it reads as, by which it is found again.
    """

    current: Imported
    older: Imported | None
    text: str | None

    @classmethod
    def of(cls, message: Imported) -> OldMessage:
        """Take a message that is the same under both."""
        text = message.text if isinstance(message.text, str) else None
        is_older = isinstance(message, ImportedMessage) and text is not None
        if isinstance(message.content, tuple):
            blocks = [block for block in message.content if isinstance(block, TextBlock)]
            text = plain_text(blocks) if blocks else None
        return cls(current=message, older=message if is_older else None, text=text)

    @property
    def sender(self) -> str | None:
        """The user ID. None: it is of the system."""
        return self.current.sender if isinstance(self.current, ImportedMessage) else None


@attrs.frozen(kw_only=True)
class CopiedMessage:
    """
    A message of another app, which a job of several record types copies.

    Attributes:
        id: It has there.
        content: What stands for its content in the journal: what does not change when its file is
            uploaded again.
        losses: See `Record`.
    """

    id: str
    conversation_id: str
    message: OldMessage
    content: Any
    losses: str | None


class ImportRecordType(RecordType[OldMessage]):
    """
    What is special about imports: repeating one makes duplicates, and TalkJS has two sets of rules.

    Which are in force, and how many messages go together, is learned from what is stored, never
    from the words of a refusal. The current rules are tried first, then, with a lone message that
    they refuse, the older ones. Until something was stored, one request goes at a time, and after a
    refusal one message alone. If many are refused together and each is stored alone, there were too
    many.
    """

    kind = "import_messages"
    per_request = MOST_MESSAGES_PER_POST
    window = MessageRecordType.window
    once = True

    def __init__(self, *, settle: float = SETTLE) -> None:
        """See `import_messages`."""
        self._settle = checked_settle(settle)
        self._rules: Rules = "current"
        # Whether something was stored under them.
        self._proven = False

    @property
    def learning(self) -> bool:
        """Whether nothing was stored yet: which rules are in force is not known."""
        return not self._proven

    def read(self, thing: object, number: int) -> Record[OldMessage] | BadRecord:
        """Make a record of an old message."""
        record_id = str(number)
        if isinstance(thing, CopiedMessage):
            return _record_of(thing, number)
        if isinstance(thing, Mapping):
            fields = IMPORT_FIELDS.of(thing)
            if "id" in fields:
                record_id = as_record_id(fields.pop("id"))
            conversation_id = take_id(fields, "conversation_id")
            write_ids(fields, "sender", "read_by")
            message = imported_of(fields)
        elif isinstance(thing, tuple) and len(thing) == 2 and isinstance(thing[1], Imported):
            conversation_id, message = as_id(thing[0], "conversation_id"), thing[1]
        else:
            raise ConfigurationError(
                "source", f"holds a {type(thing).__name__} where a message should be."
            )
        return make_record(
            record_id,
            number,
            OldMessage.of(message),
            [conversation_id, message.to_wire()],
            group=conversation_id,
            mark=mark_of(
                message.sender if isinstance(message, ImportedMessage) else None,
                milliseconds(message.sent_at),
            ),
        )

    async def send(
        self, context: JobContext, records: Sequence[Record[OldMessage]]
    ) -> Sequence[str | None]:
        """Import messages into one conversation, under the rules that TalkJS turns out to have."""
        rules = self._rules
        try:
            return await self._send(context, records, rules)
        except APIError as error:
            known = self._proven and rules == self._rules
            if known or len(records) > 1 or not isinstance(error, BadRequest):
                raise
            # A lone message, refused under rules that nothing has been stored under yet.
            try:
                return await self._send(context, records, "older")
            except BadRequest as older:
                raise _refused_under_both(error, older) from None

    def _stored_under(self, rules: Rules) -> None:
        if not self._proven:
            self._rules, self._proven = rules, True
            self.at_most = MOST_MESSAGES_PER_OLDER_POST if rules == "older" else None

    def refused_together(self, count: int) -> None:
        """Go on with as many as the older rules take, which is the other limit that is known."""
        if count > MOST_MESSAGES_PER_OLDER_POST:
            self.at_most = MOST_MESSAGES_PER_OLDER_POST

    async def _send(
        self, context: JobContext, records: Sequence[Record[OldMessage]], rules: Rules
    ) -> Sequence[str | None]:
        if rules == "older":
            _check_older(records)
        forms: dict[str, Imported] = {
            record.id: (rules == "older" and record.value.older) or record.value.current
            for record in records
        }
        # The decision to repeat is made here: even a 503 may have been carried out.
        once = context.talkjs.with_options(retry=RetryPolicy(attempts=1))
        left = records
        known: dict[str, str | None] = {}
        for attempt in count(1):
            try:
                sent = await once.messages.import_many(
                    left[0].group, [forms[record.id] for record in left], rules=rules
                )
                self._stored_under(rules)
                known |= {
                    record.id: message.id for record, message in zip(left, sent, strict=False)
                }
                break
            except TalkJSError as error:
                if attempt >= context.retry.attempts or not context.retry.allows(
                    error, idempotent=True
                ):
                    raise
                await context.clock.sleep(context.retry.delay(error, attempt))
                if isinstance(error, OutcomeUnknown | ServerError):
                    found = await self.find(context, left)
                    known |= found.stored
                    left = [record for record in left if record.id not in found.stored]
                    if not left:
                        break
        return [known.get(record.id) for record in records]

    def is_refusal(self, error: APIError) -> bool:
        """Some message is not valid, or its sender takes no part."""
        return isinstance(error, BadRequest | NotFound) or error.status in {403, 413, 422}

    def sinks_group(self, error: APIError) -> bool:
        """404: there is no such conversation."""
        return isinstance(error, NotFound)

    async def find(self, context: JobContext, records: Sequence[Record[OldMessage]]) -> Found:
        """Read the conversation back, down to the oldest of the records."""
        await context.clock.sleep(self._settle)
        conversation_id = records[0].group
        oldest = min(milliseconds(record.value.current.sent_at) for record in records)
        marks = {record.mark for record in records if record.mark is not None}
        # By sender and time: what is there.
        there: dict[bytes, list[_Candidate]] = {mark: [] for mark in marks}
        read_back = _ReadBack(oldest)
        try:
            async for message in context.all(context.talkjs.messages.list, conversation_id):
                mark = mark_of(message.sender_id, message.created_at_ms)
                if mark in there:
                    there[mark].append(_Candidate.of(message))
                if read_back.ends_with(message):
                    break
        except NotFound:
            return Found()
        # Those of the messages that other records of this job have made are no proof.
        for mark, stored in (await context.journal.stored(conversation_id, marks)).items():
            ours = [record for record in records if record.mark == mark]
            there[mark] = _without_those_of(stored, there[mark], ours)
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


@attrs.frozen
class _Candidate:
    """
    A message that has the sender and the time of a record.

    Attributes:
        shown: What it says without markup.
    """

    id: str
    text: str | None
    shown: str

    @classmethod
    def of(cls, message: Message) -> _Candidate:
        return cls(message.id, message.text, message.plain_text())

    def says(self, text: str | None, *, exactly: bool) -> bool:
        """Tell whether it has this text or, unless *exactly*, may have been made of it."""
        return self.text == text or (not exactly and self._may_be(text))

    def _may_be(self, text: str | None) -> bool:
        """
        Tell whether TalkJS may have made it of a text.

        It may replace halves of characters, and show markup or not. Other words are another
        message: other programs may import into the same conversation at the same time.
        """
        ours = _words(text or "")
        theirs = [_words(self.text or ""), _words(self.shown)]
        return not ours or not any(theirs) or ours in theirs


def _words(text: str) -> str:
    return _NO_WORDS.sub("", text).casefold()


_NO_WORDS: Final = re.compile("[\\s*_~`<>|\ufffd\ufe0e\ufe0f\ud800-\udfff]+")
"""Markup, blanks, and what TalkJS may make of a half character or of an emoji."""


def _without_those_of(
    stored: Sequence[StoredRecord], there: list[_Candidate], records: Sequence[Record[OldMessage]]
) -> list[_Candidate]:
    """
    Leave out as many candidates as other records have made, which are *stored*.

    Where TalkJS told no IDs, a record that is the same as one of *records* says the same. Any other
    is taken to say something else, as long as something else is there.
    """
    known = {record.result for record in stored}
    left = [candidate for candidate in there if candidate.id not in known]
    nameless = Counter(record.digest for record in stored if record.result is None)
    texts = {record.digest: record.value.text for record in records}
    for digest, text in texts.items():
        if digest in nameless:
            left = _without(left, text, nameless.pop(digest))
    wanted = set(texts.values())
    left.sort(key=lambda candidate: candidate.text not in wanted)
    return left[: max(0, len(left) - nameless.total())]


def _without(candidates: list[_Candidate], text: str | None, number: int) -> list[_Candidate]:
    """Leave out so many that have this text, or may be of it if those are fewer."""
    for exactly in (True, False):
        made = [each.id for each in candidates if each.says(text, exactly=exactly)]
        left_out = set(made[:number])
        number -= len(left_out)
        candidates = [candidate for candidate in candidates if candidate.id not in left_out]
    return candidates


def _assigned(
    records: Sequence[Record[OldMessage]], there: dict[bytes, list[_Candidate]]
) -> Iterator[tuple[str, str]]:
    """Say which record is which message: the same text first, then one that may be of its text."""
    left = list(records)
    for exactly in (True, False):
        for record in tuple(left):
            text = record.value.text
            for message in there[record.mark or b""]:
                if message.says(text, exactly=exactly):
                    there[record.mark or b""].remove(message)
                    left.remove(record)
                    yield record.id, message.id
                    break


IMPORT_FIELDS = FieldNames(ImportedMessage, "id", "conversation_id", "type", **IMPORTED_TIMES)


def mark_of(sender: str | None, sent_at_ms: int) -> bytes:
    """By what a message is found again among those of its conversation."""
    return digest_of(utf8(f"{sent_at_ms} {sender}"))


def _record_of(copied: CopiedMessage, number: int) -> Record[OldMessage]:
    message = copied.message
    sent_at = milliseconds(message.current.sent_at)
    record = make_record(
        copied.id,
        number,
        message,
        [copied.conversation_id, message.sender, sent_at, copied.content],
        group=copied.conversation_id,
        mark=mark_of(message.sender, sent_at),
    )
    return attrs.evolve(record, losses=copied.losses)


def _refused_under_both(current: BadRequest, older: BadRequest) -> BadRequest:
    """Make one refusal of two: which rules are in force is not known, so either may say why."""
    reasons = tuple(dict.fromkeys((*current.reasons, *older.reasons)))
    return BadRequest(status=current.status, code=current.code, reasons=reasons)


def _check_older(records: Sequence[Record[OldMessage]]) -> None:
    """Refuse by ourselves what the older rules do not know, as TalkJS would, without a request."""
    if len(records) > MOST_MESSAGES_PER_OLDER_POST:
        raise BadRequest(status=400, reasons=("the older rules take ten messages.",))
    if any(record.value.older is None for record in records):
        raise BadRequest(status=400, reasons=("the older rules take texts of users only.",))
