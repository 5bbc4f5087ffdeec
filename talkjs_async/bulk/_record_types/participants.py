"""Participants in bulk, as a part of other jobs: their settings, and those who leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import attrs

from talkjs_async._core.wire import UNSET, drop_unset
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_type import RecordType
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
    """What is special about participants: each has a request of its own."""

    kind = "participants"
    per_request = 1
    window = ConversationRecordType.window

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
        return [None]


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
