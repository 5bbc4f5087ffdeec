"""Jobs that store several record types, one after another, with one journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from talkjs_async.bulk._engine.flow import stage_tally, store
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.source_blocks import Source, SourceBlocks
from talkjs_async.bulk._engine.step import Step


@attrs.frozen
class Stage:
    """
    One record type of a job.

    Attributes:
        name: Put before the IDs in the journal.
        source: Opens the source, which is read in a thread unless it is asynchronous.
        total: How many records it has. None: unknown.
    """

    name: str
    record_type: RecordType[Any]
    source: Callable[[], Source[object]]
    total: int | None = None


class StoreStages(Step):
    """The step of such a job. Subclasses say in `stages` what there is to do."""

    def stages(self) -> Sequence[Stage]:
        """Return the stages, in order. Called once, after `prepare`."""
        raise NotImplementedError

    async def run(self, context: JobContext) -> None:
        """Store the stages, one after another."""
        stages = self.stages()
        for stage in stages:
            stage_tally(context, stage.record_type, f"{stage.name}:").total = stage.total
        for stage in stages:
            blocks: SourceBlocks[object] = SourceBlocks(stage.source(), in_thread=True)
            await store(context, stage.record_type, blocks, prefix=f"{stage.name}:")
            if context.stopping:
                return
