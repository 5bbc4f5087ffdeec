"""
What the work of a job is, and what it has at hand: client, clock, journal, tally.

`Job` calls a `Step`; a step gets a `JobContext`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import anyio
import attrs

from talkjs_async._core.clock import Clock
from talkjs_async._core.retry import RetryPolicy
from talkjs_async.batch import MOST_OPERATIONS
from talkjs_async.bulk._engine.job_journal import JobJournal
from talkjs_async.client import AsyncTalkJS
from talkjs_async.limits import Lane
from talkjs_async.resources.users import MOST_USERS_PER_PUT


@attrs.define
class Tally:
    """
    Counts what happens and tells whoever watches.

    Attributes:
        answered: Records that TalkJS has answered for and that are not noted yet.
        per_request: How many records go into a request, for the estimate of what is left.
    """

    done: int = 0
    unchanged: int = 0
    failed: int = 0
    planned: int = 0
    waiting: int = 0
    answered: int = 0
    requests: int = 0
    total: int | None = None
    per_request: int = 1
    version: int = 0
    finished: bool = False
    _news: anyio.Event | None = None

    def changed(self) -> None:
        """Wake those who watch."""
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


@attrs.define
class JobContext:
    """
    What a step has at hand.

    Attributes:
        talkjs: The client, with the job's lane.
        retry: The client's, for steps that decide themselves when to repeat.
        stopping: Whether to take up nothing new.
    """

    talkjs: AsyncTalkJS
    clock: Clock
    retry: RetryPolicy
    lane: Lane
    journal: JobJournal
    tally: Tally
    stopping: bool = False
    on_stop: anyio.Event = attrs.field(factory=anyio.Event)

    @property
    def overflows(self) -> bool:
        """Whether the next requests of the present kind wait for batches to take them along."""
        return self.budget_wait() > 0 and may_overflow(self.talkjs, self.tally.per_request)

    def could_leave(self, seconds: float) -> float:
        """How many requests of the present kind can leave from now on within some seconds."""
        tokens, rate = pace(self.talkjs, self.tally.per_request)
        return tokens + rate * seconds

    def budget_wait(self) -> float:
        """Seconds until the budget would let one more request of the job go."""
        budget = self.talkjs.budget
        if self.lane == "interactive":
            return budget.estimated_wait
        return budget.estimated_wait_background


def pace(talkjs: AsyncTalkJS, per_request: int) -> tuple[float, float]:
    """
    Return how many requests have left or could leave at once, and how many per second after that.

    Args:
        per_request: How many records go into one, which tells what may be taken along by batches.
    """
    ordinary = talkjs.budget
    tokens, rate = max(0.0, ordinary.tokens) + ordinary.in_flight, ordinary.effective_rate
    if may_overflow(talkjs, per_request):
        batch = talkjs._pipeline.limiters["batch"].statistics()  # noqa: SLF001
        tokens += MOST_OPERATIONS * (max(0.0, batch.tokens) + batch.in_flight)
        rate += MOST_OPERATIONS * batch.effective_rate
    return tokens, rate


def may_overflow(talkjs: AsyncTalkJS, per_request: int) -> bool:
    """Whether batches take along requests of so many records: not those of `PUT /users`."""
    # The client has no public face for this.
    dispatcher = talkjs._dispatcher  # noqa: SLF001
    return dispatcher is not None and dispatcher.active and per_request < MOST_USERS_PER_PUT


class Step(ABC):
    """
    The work of a job.

    Attributes:
        kind: Name of the job, kept in its journal.
        has_records: Whether the journal has a row for each record, to be read from the report.
    """

    kind: str
    has_records: bool = True

    async def prepare(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what comes before the journal is opened."""

    @abstractmethod
    async def run(self, context: JobContext) -> None:
        """Do it all, or return early when `context.stopping`. Errors raised here stop the job."""

    async def conclude(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what comes after the journal of a complete run is closed."""
