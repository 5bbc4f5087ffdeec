"""
The client as a job uses it: with the job's lane, its own dispatcher, and a count of its requests.

The one place where jobs use private attributes of the client.
"""
# ruff: noqa: SLF001 - see above

from __future__ import annotations

from collections import deque
from typing import Final, TypeVar

import attrs

from talkjs_async._core.call import Bucket, Call, Lane
from talkjs_async._core.clock import Clock
from talkjs_async._core.retry import RetryPolicy
from talkjs_async.batch import MOST_OPERATIONS
from talkjs_async.batch._overflow import Dispatchers, Overflow
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, DecodeError
from talkjs_async.telemetry import AttemptEnded, RetryScheduled

T = TypeVar("T")


_ODD_ANSWERS: Final = 4
"""Unreadable answers in a row to one GET at which a job gives up."""
_PAUSE: Final = 0.5
"""Seconds before the GET is sent again, and as many more each time."""


@attrs.frozen(kw_only=True)
class Pace:
    """
    How fast the budgets let requests of a job go.

    Attributes:
        free: How many could leave at once.
        burst: The most that could ever leave at once.
        in_flight: How many have left and are not answered.
        rate: How many more per second.
    """

    free: float
    burst: float
    in_flight: int
    rate: float

    def within(self, seconds: float) -> float:
        """How many requests can leave from now on within some seconds."""
        return self.free + self.in_flight + self.rate * seconds


class LatestAttempts:
    """How the latest attempts of a job have gone."""

    def __init__(self) -> None:
        self._elapsed: deque[float] = deque(maxlen=100)
        self._in_vain: deque[bool] = deque(maxlen=100)
        self.pauses: deque[float] = deque(maxlen=100)

    def ended(self, elapsed: float, *, in_vain: bool) -> None:
        """Note an attempt. Those in vain are made again."""
        self._elapsed.append(elapsed)
        self._in_vain.append(in_vain)

    @property
    def chance_in_vain(self) -> float:
        """How likely it is that an attempt has to be made again: below 1."""
        return sum(self._in_vain) / (len(self._in_vain) + 1)

    @property
    def per_request(self) -> float:
        """How many attempts a request takes, on average."""
        return 1.0 / (1.0 - self.chance_in_vain)

    @property
    def seconds(self) -> float:
        """How long each takes, with the pause before the next. 0 while that is unknown."""
        if not self._elapsed:
            return 0.0
        pause = sum(self.pauses) / len(self.pauses) if self.pauses else 0.0
        return sum(self._elapsed) / len(self._elapsed) + self.chance_in_vain * pause

    def together(self, rate: float) -> int:
        """How many requests are under way together if *rate* are answered per second."""
        return round(rate * self.per_request * self.seconds)


class JobClient:
    """
    The client of one job.

    Attributes:
        talkjs: A client with the job's lane.
        clock: The client's.
        root: The URL of the app, which no other app has.
        budget: What its requests are paid from. Clients of one app share it, and those of two apps
            that have one root, in tests, do not.
        retry: The client's, for steps that decide themselves when to repeat.
        requests: How many attempts were answered, those of batches included.
        attempts: The latest of them.
    """

    def __init__(self, talkjs: AsyncTalkJS, lane: Lane) -> None:
        if not isinstance(talkjs, AsyncTalkJS):
            raise ConfigurationError(
                "talkjs", f"must be an AsyncTalkJS, not {type(talkjs).__name__}."
            )
        derived = talkjs.with_options(lane=lane)
        pipeline = attrs.evolve(derived._pipeline, hooks=(*derived._pipeline.hooks, self._count))
        # Its own dispatchers, so that batches carry calls of this job only and can be counted. It
        # reads through both budgets if the app has two, and writes through both if the client does.
        self._dispatchers: Dispatchers | None = None
        self._run = self._alone = pipeline.run
        if "batch" in pipeline.limiters:
            self._dispatchers = Dispatchers(pipeline, for_job=True)
            self._run = Overflow(pipeline, self._dispatchers).run
        self._writes_overflow = derived._dispatchers is not None
        derived._pipeline = pipeline
        if self._writes_overflow:
            derived._dispatchers = self._dispatchers
        derived._set_out()
        self.talkjs: AsyncTalkJS = derived
        self.clock: Clock = pipeline.clock
        self.root: str = pipeline.root
        self.budget: object = pipeline.limiters["ordinary"]
        self.retry: RetryPolicy = pipeline.retry
        self.requests: int = 0
        self.attempts: LatestAttempts = LatestAttempts()
        self._lane: Lane = lane
        self._expecting: set[object] = set()

    def _count(self, event: object) -> None:
        if isinstance(event, AttemptEnded) and event.error != "Cancelled":
            self.requests += event.status is not None
            self.attempts.ended(event.elapsed, in_vain=event.status is None or event.status >= 500)
        elif isinstance(event, RetryScheduled):
            self.attempts.pauses.append(event.delay)

    async def write(self, call: Call[T]) -> T:
        """Send a request that stores something, in a batch if the client lets that happen."""
        run = self._run if self._writes_overflow else self._alone
        return await run(call)

    async def read(self, call: Call[T]) -> T:
        """
        Send a GET, alone or in a batch.

        An answer that cannot be read does not end a job: the GET is sent again.
        """
        for attempt in range(1, _ODD_ANSWERS):
            try:
                return await self._run(call)
            except DecodeError:
                await self.clock.sleep(_PAUSE * attempt)
        return await self._run(call)

    def more_will_come(self, of: object, expected: bool) -> None:
        """
        Say whether more calls will come soon, so that a partial batch should wait for them.

        Args:
            of: The part of the job that makes them. Parts run side by side.
            expected: Whether it will make more.
        """
        if expected:
            self._expecting.add(of)
        else:
            self._expecting.discard(of)
        if self._dispatchers is not None:
            self._dispatchers.here().fill_batches(bool(self._expecting))

    async def aclose(self) -> None:
        """Take nothing more into batches, and give all permits back."""
        if self._dispatchers is not None:
            await self._dispatchers.here().aclose()

    @property
    def ordinary_pace(self) -> Pace:
        """How fast the ordinary budget lets requests of the job's lane go."""
        return self._pace_of("ordinary")

    def pace(self, *, batchable: bool) -> Pace:
        """
        Say how fast the budgets let requests go.

        Args:
            batchable: Whether batches may take them along.
        """
        return self._pace(overflows=batchable and self._writes_overflow)

    @property
    def reading_pace(self) -> Pace:
        """How fast the budgets let the job's reads go."""
        return self._pace(overflows=True)

    def _pace(self, *, overflows: bool) -> Pace:
        ordinary = self.ordinary_pace
        if not overflows or self._dispatchers is None or not self._dispatchers.here().active:
            return ordinary
        batch = self._pace_of("batch")
        return Pace(
            free=ordinary.free + MOST_OPERATIONS * batch.free,
            burst=ordinary.burst + MOST_OPERATIONS * batch.burst,
            in_flight=ordinary.in_flight + MOST_OPERATIONS * batch.in_flight,
            rate=ordinary.rate + MOST_OPERATIONS * batch.rate,
        )

    def _pace_of(self, bucket: Bucket) -> Pace:
        budget = self.talkjs._pipeline.limiters[bucket].statistics()
        reserve = 0 if self._lane == "interactive" else budget.background_reserve
        return Pace(
            free=max(0.0, budget.tokens - reserve),
            burst=max(1.0, budget.burst - reserve),
            in_flight=budget.in_flight,
            rate=budget.effective_rate,
        )
