"""What the step of a running job has at hand: client, clock, journal, tally."""

from __future__ import annotations

import anyio
import attrs

from talkjs_async._core.clock import Clock
from talkjs_async._core.retry import RetryPolicy
from talkjs_async.bulk._engine.eta import may_overflow, pace
from talkjs_async.bulk._engine.job_journal import JobJournal
from talkjs_async.bulk._engine.tally import Tally
from talkjs_async.client import AsyncTalkJS
from talkjs_async.limits import Lane


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
