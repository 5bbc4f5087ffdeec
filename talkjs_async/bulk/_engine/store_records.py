"""Stores the records of one source."""

from __future__ import annotations

from typing import Any

from talkjs_async.bulk._engine.flow import stage_tally, store
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.owner_thread import run_in_thread
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.source_blocks import Checkable, Source, SourceBlocks, total_of
from talkjs_async.bulk._engine.step import Step


class StoreRecords(Step):
    """The step of a job that stores the records of one source."""

    def __init__(
        self, record_type: RecordType[Any], source: Source[Any], *, total: int | None
    ) -> None:
        """
        Say what to store.

        Args:
            total: How many records the source has. None: unknown, unless the source knows.
        """
        self.kind: str = record_type.kind
        self._record_type = record_type
        self._source = source
        self._blocks: SourceBlocks[object] = SourceBlocks(
            source, in_thread=isinstance(source, Checkable)
        )
        self._total = total_of(source, total)

    async def prepare(self) -> None:
        """Check a whole file before any record of it is sent."""
        if isinstance(self._source, Checkable):
            self._total = await run_in_thread(self._source.check)

    async def run(self, context: JobContext) -> None:
        """Store them all."""
        stage_tally(context, self._record_type, "").total = self._total
        await store(context, self._record_type, self._blocks)
