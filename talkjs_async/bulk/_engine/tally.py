"""Counts what happens in a job, and tells its watchers."""

from __future__ import annotations

from typing import Final

import anyio
import attrs

_LATEST: Final = 100
"""The pace is measured over this many answered requests, or up to twice as many."""


@attrs.define
class StageTally:
    """
    What became of the records of one type.

    Attributes:
        per_request: How many records go into a request at most, as far as the job knows.
        batchable: Whether batches may take its requests along.
        total: How many records there are. None: unknown.
        done, unchanged, failed, planned: See `Outcome`.
        with_losses: Those of *done* that TalkJS could not take wholly.
        read, waiting: How many the source has given, and how many of these are not through.
        answered: Records that TalkJS has stored and the journal has not noted yet.
        planned_requests: How many requests a dry run would send.
        requests, stored: The latest answered requests, and how many records they carried.
        begun, last_stored: When the first of these left, when the last one was answered.
        rolled: Whether earlier requests were dropped; *begun* is then when the last of them was
            answered.
    """

    per_request: int = 1
    batchable: bool = True
    total: int | None = None
    done: int = 0
    unchanged: int = 0
    failed: int = 0
    planned: int = 0
    with_losses: int = 0
    read: int = 0
    waiting: int = 0
    answered: int = 0
    planned_requests: int = 0
    requests: int = 0
    stored: int = 0
    begun: float | None = None
    last_stored: float = 0.0
    rolled: bool = False
    _half: tuple[int, float] = (0, 0.0)

    def plan(self, records: int, *, requests: int = 1) -> None:
        """Note what a dry run would send."""
        self.planned += records
        self.planned_requests += requests

    def sent(self, now: float) -> None:
        """Note that a request leaves."""
        if self.begun is None:
            self.begun = now

    def was_answered(self, records: int, now: float) -> None:
        """Note that TalkJS has stored *records* records with one request."""
        self.requests += 1
        self.stored += records
        self.last_stored = now
        # Old answers say little about the rest: since then, the job may have learned that TalkJS
        # takes fewer records, or the server may have become faster.
        if self.requests == _LATEST:
            self._half = self.stored, now
        elif self.requests == 2 * _LATEST:
            self.requests, self.rolled = _LATEST, True
            self.stored, self.begun = self.stored - self._half[0], self._half[1]
            self._half = self.stored, now

    @property
    def through(self) -> int:
        """Records that need no more work."""
        return self.done + self.unchanged + self.failed + self.planned

    @property
    def left(self) -> int:
        """Records that need work, as far as the total is known."""
        return max(0, (self.total or 0) - self.through - self.answered)

    @property
    def requests_left(self) -> float:
        """Requests for what is left, each with as many records as those so far."""
        return self.left / (self.stored / self.requests if self.requests else self.per_request)


@attrs.define
class Tally:
    """
    Counts what happens, and wakes the tasks that watch.

    Attributes:
        stages: By name, in the order in which they come.
    """

    stages: dict[str, StageTally] = attrs.field(factory=dict[str, StageTally])
    version: int = 0
    finished: bool = False
    _news: anyio.Event | None = None

    def stage(self, name: str, *, per_request: int = 1, batchable: bool = True) -> StageTally:
        """Return the counts of a stage, which begin at zero when it is new."""
        return self.stages.setdefault(name, StageTally(per_request, batchable))

    def changed(self) -> None:
        """Wake the tasks that watch."""
        self.version += 1
        if self._news is not None:
            self._news.set()
            self._news = None

    async def news(self) -> None:
        """Wait for the next change."""
        if self._news is None:
            self._news = anyio.Event()
        await self._news.wait()

    def sum(self, name: str) -> int:
        """Add up one of the numbers of all stages."""
        return sum(getattr(stage, name) for stage in self.stages.values())

    @property
    def total(self) -> int | None:
        """Records of all stages. None while one stage's total is unknown."""
        totals = [stage.total for stage in self.stages.values() if stage.total is not None]
        return sum(totals) if totals and len(totals) == len(self.stages) else None
