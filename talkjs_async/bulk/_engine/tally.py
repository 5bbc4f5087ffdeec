"""Counts what happens in a job, and tells its watchers."""

from __future__ import annotations

import anyio
import attrs


@attrs.define
class RequestPlan:
    """How many requests of so many records, at most, a dry run would send."""

    per_request: int
    requests: int = 0


@attrs.define
class Tally:
    """
    Counts what happens, and wakes the tasks that watch.

    Attributes:
        answered: Records that TalkJS has answered for and that are not noted yet.
        per_request: How many records go into a request, for the estimate of what is left.
        plans: For each record type, what a dry run would send.
        first_sent, last_stored, stored: When the first request of the present record type left,
            when the latest one was answered, and how many records were stored or refused by then.
    """

    done: int = 0
    unchanged: int = 0
    failed: int = 0
    planned: int = 0
    waiting: int = 0
    answered: int = 0
    total: int | None = None
    per_request: int = 1
    first_sent: float | None = None
    last_stored: float = 0.0
    stored: int = 0
    plans: list[RequestPlan] = attrs.field(factory=list["RequestPlan"])
    version: int = 0
    finished: bool = False
    _news: anyio.Event | None = None

    def begin(self, per_request: int) -> None:
        """Note that records of another type come now."""
        self.per_request = per_request
        self.first_sent, self.stored = None, 0
        self.plans.append(RequestPlan(per_request))

    def plan(self, records: int, *, requests: int = 1) -> None:
        """Note what a dry run would send."""
        self.planned += records
        self.plans[-1].requests += requests

    def sent(self, now: float) -> None:
        """Note that a request leaves."""
        if self.first_sent is None:
            self.first_sent = now

    def was_answered(self, records: int, now: float) -> None:
        """Note that TalkJS has answered for so many records."""
        self.stored += records
        self.last_stored = now

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

    @property
    def through(self) -> int:
        """Records that need no more work."""
        return self.done + self.unchanged + self.failed + self.planned
