"""Participants in bulk, as a part of other jobs: their settings, and those who leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
import attrs

from talkjs_async._core.endpoint import call_of
from talkjs_async._core.wire import UNSET, drop_unset, given_milliseconds
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_type import RecordRefused, RecordType
from talkjs_async.bulk._engine.source_records import BadRecord, Record, make_record
from talkjs_async.bulk._record_types.conversations import ConversationRecordType
from talkjs_async.errors import BadRequest
from talkjs_async.models._bodies import ParticipationInput


@attrs.frozen
class ParticipantChange:
    """
    A participant to change.

    Attributes:
        settings: None: they leave.
    """

    conversation_id: str
    user_id: str
    settings: ParticipationInput | None


def participant_name(conversation_id: str, user_id: str) -> str:
    """What a report calls a participant."""
    return json.dumps([conversation_id, user_id], ensure_ascii=False)


class ParticipantRecordType(RecordType[ParticipantChange]):
    """
    What is special about participants: each has a request of its own.

    A server that knows older forms of read marks only may take one and forget it. So the first one
    is read back.
    """

    kind = "participants"
    per_request = 1
    window = ConversationRecordType.window

    def __init__(self) -> None:
        # Whether read marks are kept. None: that is not known yet.
        self._keeps_marks: bool | None = None
        self._first: anyio.Lock | None = None

    def read(self, thing: object, number: int) -> Record[ParticipantChange] | BadRecord:
        """Make a record of a `ParticipantChange`."""
        if isinstance(thing, BadRecord):
            return thing
        assert isinstance(thing, ParticipantChange)  # noqa: S101 - the sources are our own
        id_ = participant_name(thing.conversation_id, thing.user_id)
        wire = None if thing.settings is None else thing.settings.to_wire()
        return make_record(id_, number, thing, wire)

    async def send(
        self, context: JobContext, records: Sequence[Record[ParticipantChange]]
    ) -> Sequence[str | None]:
        """Change one participant, or take them out."""
        participant = records[0].value
        conversation_id, user_id = participant.conversation_id, participant.user_id
        settings = participant.settings
        if settings is None:
            await context.talkjs.participants.remove(
                conversation_id, user_id=user_id, missing_ok=True
            )
        else:
            await _change(context, participant, settings)
            if settings.read_until is not UNSET:
                await self._check_mark(context, participant, settings.read_until)
        return [None]

    async def _check_mark(
        self, context: JobContext, participant: ParticipantChange, read_until: Any
    ) -> None:
        if self._first is None:
            # Made here, since only here a loop is sure to run.
            self._first = anyio.Lock()
        async with self._first:
            if self._keeps_marks is None:
                get = context.talkjs.conversations.get
                there = await context.read(call_of(get, participant.conversation_id))
                stored = there.participants.get(participant.user_id)
                if stored is not None:
                    mark = stored.read_until_ms
                    # A server that shows no marks at all cannot be asked.
                    shown = mark is not None or stored.joined_at_ms is not None
                    self._keeps_marks = not shown or mark == given_milliseconds(read_until)
        if self._keeps_marks is False:
            raise RecordRefused("TalkJS did not keep the read mark; all else was stored.")


async def _change(
    context: JobContext, participant: ParticipantChange, settings: ParticipationInput
) -> None:
    update = partial(
        context.talkjs.participants.update,
        participant.conversation_id,
        user_id=participant.user_id,
        **drop_unset({"access": settings.access, "notify": settings.notify}),
    )
    if settings.read_until is UNSET:
        await update()
        return
    try:
        await update(read_until=settings.read_until)
    except BadRequest:
        # An older server knows no read marks. What they may do is worth more than what they read.
        if settings.access is not UNSET or settings.notify is not UNSET:
            await update()
        raise
