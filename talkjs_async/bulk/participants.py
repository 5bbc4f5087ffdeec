"""Participants in bulk, as a part of other jobs: their settings, and those who leave."""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

from talkjs_async._core.wire import drop_unset
from talkjs_async.bulk._engine.job_context import Work
from talkjs_async.bulk._engine.record_type import Noun
from talkjs_async.bulk._engine.records import BadRecord, Record, make_record
from talkjs_async.bulk.conversations import READ_AHEAD
from talkjs_async.models.participants import ParticipationInput


@attrs.frozen
class Participant:
    """
    A participant to change.

    Attributes:
        settings: None: they leave.
    """

    conversation_id: str
    user_id: str
    settings: ParticipationInput | None


class ParticipantNoun(Noun[Participant]):
    """What is special about participants: each has a request of its own."""

    kind = "participants"
    per_request = 1
    window = READ_AHEAD

    def read(self, thing: object, number: int) -> Record[Participant] | BadRecord:
        """Make a record of a `Participant`."""
        assert isinstance(thing, Participant)  # noqa: S101 - the sources are our own
        id_ = json.dumps([thing.conversation_id, thing.user_id], ensure_ascii=False)
        wire = None if thing.settings is None else thing.settings.to_wire()
        return make_record(id_, number, thing, wire)

    async def send(
        self, work: Work, records: Sequence[Record[Participant]]
    ) -> Sequence[str | None]:
        """Change one participant, or take them out."""
        participant = records[0].value
        ids = participant.conversation_id, participant.user_id
        settings = participant.settings
        if settings is None:
            await work.talkjs.participants.remove(*ids)
        else:
            changes = drop_unset({"access": settings.access, "notify": settings.notify})
            await work.talkjs.participants.patch(*ids, **changes)
        return [None]
