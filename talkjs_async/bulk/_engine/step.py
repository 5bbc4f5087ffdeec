"""What a job does. `Job` calls it, with the context of the run."""

from __future__ import annotations

from abc import ABC, abstractmethod

from talkjs_async.bulk._engine.job_context import JobContext


class Step(ABC):
    """
    The work of a job.

    Attributes:
        kind: Name of the job, kept in its journal.
        has_records: Whether the journal has a row for each record, which the report reads.
        caveat: What a run that came to its end cannot know, as a sentence. None: nothing.
    """

    kind: str
    has_records: bool = True
    caveat: str | None = None

    @property
    def requests_elsewhere(self) -> int:
        """How many requests were answered by another app than the job's."""
        return 0

    async def prepare(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what comes before the journal is opened."""

    @abstractmethod
    async def run(self, context: JobContext) -> None:
        """Do the work, or return early when `context.stopping`. An error stops the job."""

    def conclude(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what comes after the journal of a complete run is closed, in the journal's thread."""
