"""Participants in bulk, as a part of other jobs: their settings, and those who leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import anyio
import attrs

from talkjs_async._core.endpoint import call_of
from talkjs_async._core.wire import UNSET, drop_unset, given_milliseconds
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_type import RecordRefused, RecordType
from talkjs_async.bulk._engine.source_records import BadRecord, Record, make_record
from talkjs_async.bulk._record_types.conversations import ConversationRecordType
from talkjs_async.errors import BadRequest, NotFound, ServerError, UnknownEndpoint
from talkjs_async.models._bodies import ParticipationInput


@attrs.frozen
class ParticipantChange:
    """
    A participant to change.

    Attributes:
        settings: None: they leave.
        version: Of the conversation, whose storing has added who leaves: they leave once more.
    """

    conversation_id: str
    user_id: str
    settings: ParticipationInput | None
    version: str = ""


def participant_name(conversation_id: str, user_id: str) -> str:
    """What a report calls a participant."""
    return json.dumps([conversation_id, user_id], ensure_ascii=False)


class ParticipantRecordType(RecordType[ParticipantChange]):
    """
    What is special about participants: each has a request of its own.

    A server that knows older forms of read marks only may refuse the newest one, or take it and
    forget it. So the first mark is read back, and the older form that names a moment is tried.
    """

    kind = "participants"
    per_request = 1
    window = ConversationRecordType.window

    def __init__(self) -> None:
        # The form in which read marks are kept; None: in none. That is known when it was learned.
        self._form: _Form | None = None
        self._learned = False
        # Forms that may be the one.
        self._open = list(_FORMS)
        self._first: anyio.Lock | None = None
        self._tried = False

    def read(self, thing: object, number: int) -> Record[ParticipantChange] | BadRecord:
        """Make a record of a `ParticipantChange`."""
        if isinstance(thing, BadRecord):
            return thing
        assert isinstance(thing, ParticipantChange)  # noqa: S101 - the sources are our own
        id_ = participant_name(thing.conversation_id, thing.user_id)
        wire = thing.version if thing.settings is None else thing.settings.to_wire()
        return make_record(id_, number, thing, wire)

    async def send(
        self, context: JobContext, records: Sequence[Record[ParticipantChange]]
    ) -> Sequence[str | None]:
        """Change one participant, or take them out."""
        participant = records[0].value
        settings = participant.settings
        if settings is None:
            await context.talkjs.participants.remove(
                participant.conversation_id, user_id=participant.user_id, missing_ok=True
            )
        elif settings.read_until is UNSET:
            await _update(context, participant, settings)
        else:
            await self._with_mark(context, participant, settings)
        return [None]

    async def _with_mark(
        self, context: JobContext, participant: ParticipantChange, settings: ParticipationInput
    ) -> None:
        if self._first is None:
            # Made here, since only here a loop is sure to run.
            self._first = anyio.Lock()
        async with self._first:
            # What one finds out, the others need not.
            if not self._tried:
                self._tried = True
                await self._learn(context, participant, settings)
                return
        if self._learned:
            await self._change(context, participant, settings, self._form)
        else:
            await self._learn(context, participant, settings)

    async def _learn(
        self, context: JobContext, participant: ParticipantChange, settings: ParticipationInput
    ) -> None:
        """Try the forms of a read mark until one is kept."""
        refusal: BadRequest | None = None
        for form in tuple(self._open):
            try:
                await self._change(context, participant, settings, form)
            except BadRequest as error:
                # It may be this mark alone.
                refusal = refusal or error
                continue
            except (NotFound, UnknownEndpoint, ServerError) as error:
                if form == "participant" or error.status not in _NO_SUCH_CALL:
                    raise
                self._closed(form)
                continue
            kept = await _keeps(context, participant, settings.read_until)
            if kept is None:
                # They are not there any more: the next one tells.
                return
            if kept:
                self._form, self._learned = form, True
                return
            self._closed(form)
        if refusal is not None:
            raise refusal
        self._learned = True
        raise _forgotten()

    def _closed(self, form: _Form) -> None:
        if form in self._open:
            self._open.remove(form)

    async def _change(
        self,
        context: JobContext,
        participant: ParticipantChange,
        settings: ParticipationInput,
        form: _Form | None,
    ) -> None:
        if form == "participant":
            try:
                await _update(context, participant, settings, read_until=settings.read_until)
            except BadRequest:
                # What they may do is worth more than what they have read.
                await _update(context, participant, settings)
                raise
            return
        await _update(context, participant, settings)
        if form is None:
            raise _forgotten()
        until: Any = settings.read_until
        await context.talkjs.conversations.mark_as_read(
            participant.conversation_id, user_id=participant.user_id, until=until, form=form
        )


_Form: TypeAlias = Literal["participant", "user_conversation"]
_NO_SUCH_CALL: Final = (404, 501)
_FORMS: Final[tuple[_Form, ...]] = ("participant", "user_conversation")


def _forgotten() -> RecordRefused:
    return RecordRefused("TalkJS did not keep the read mark; all else was stored.")


async def _keeps(context: JobContext, participant: ParticipantChange, mark: Any) -> bool | None:
    """Read back whether a mark is kept. None: there is no such participant."""
    there = await context.read(
        call_of(context.talkjs.conversations.get, participant.conversation_id)
    )
    stored = there.participants.get(participant.user_id)
    if stored is None:
        return None
    # A server that shows no marks at all cannot be asked.
    shown = stored.read_until_ms is not None or stored.joined_at_ms is not None
    return not shown or stored.read_until_ms == given_milliseconds(mark)


async def _update(
    context: JobContext,
    participant: ParticipantChange,
    settings: ParticipationInput,
    *,
    read_until: Any = UNSET,
) -> None:
    fields = {"access": settings.access, "notify": settings.notify, "read_until": read_until}
    if given := drop_unset(fields):
        await context.talkjs.participants.update(
            participant.conversation_id, user_id=participant.user_id, **given
        )
