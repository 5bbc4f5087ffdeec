"""
Jobs that store several nouns one after another, with one journal: users, then conversations, ...

And the two nouns that only such jobs have: settings of participants, and participants who leave.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs

from talkjs_async._core.wire import drop_unset
from talkjs_async.bulk.job import Step, Work
from talkjs_async.bulk.records import BadRecord, Blocks, Record, make_record
from talkjs_async.bulk.store import Noun, store
from talkjs_async.models.participants import ParticipationInput

_READ_AHEAD: Final = 200


@attrs.frozen
class Stage:
    """
    One noun of a job.

    Attributes:
        name: In front of the IDs in the journal.
        source: Opens the source anew. It is read in worker threads.
        total: How many records it has. None: unknown.
    """

    name: str
    noun: Noun[Any]
    source: Callable[[], Iterable[object]]
    total: int | None = None


class StoreStages(Step):
    """The step of such a job. Subclasses say in `stages` what there is to do."""

    def stages(self) -> Sequence[Stage]:
        """Return the stages, in order. Called once, after `prepare`."""
        raise NotImplementedError

    async def run(self, work: Work) -> None:
        """Work through the stages."""
        stages = self.stages()
        totals = [stage.total for stage in stages if stage.total is not None]
        work.tally.total = sum(totals) if len(totals) == len(stages) else None
        for stage in stages:
            blocks: Blocks[object] = Blocks(stage.source(), in_thread=True)
            await store(work, stage.noun, blocks, prefix=f"{stage.name}:")
            if work.stopping:
                return


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
    window = _READ_AHEAD

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
