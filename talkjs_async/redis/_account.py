"""
What one process has of the shared bucket: tokens it may use, permits in flight, what it saw last.

Knows numbers and times, nothing of connections and nothing of waiting. Called by `Queue`, as its
source, and by `Fetcher`, which fills it.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Mapping
from typing import Final, Literal

from talkjs_async._core.call import Lane
from talkjs_async.limits._level import Level
from talkjs_async.limits._throttling import pause_after
from talkjs_async.redis._messages import ScriptAnswer
from talkjs_async.redis._script import USE_COUNTS_FOR

HOLD: Final = 0.5
"""Seconds after which a token that no call used goes back."""


class Account(Level):
    """
    The source of tokens of one process.

    As a `Level` it is the bucket that would be left if no other process existed: its `full_at` says
    when what this process used has refilled. What it may grant, Redis decides: tokens that were
    taken for interactive callers may come out of the reserve, so background may not have them;
    those that were taken for background are good for both lanes.

    Attributes:
        alone: The bucket that is used while Redis is away. None when it is there, or when nothing
            may be granted.
        seen: What Redis answered last. None: it never did.
        heard_at: When that was.
        settled: Permits of this process that were used, so far.
        acknowledged: How many of them Redis knew of when it answered last.
        told: How many open tokens Redis knew of then.
        share: The part that it had lately of what all processes had.
        drained: The throttle generation of a 429 that Redis does not know of, and its Retry-After.
    """

    __slots__ = (
        "_common",
        "_interactive",
        "_looked_at",
        "_used",
        "_used_at",
        "acknowledged",
        "alone",
        "drained",
        "heard_at",
        "seen",
        "settled",
        "share",
        "spent",
        "told",
    )

    def __init__(
        self, *, rate: float, burst: int, max_in_flight: int | None, reserve: int | None, now: float
    ) -> None:
        """Make a source without tokens; see `Level`."""
        super().__init__(
            rate=rate,
            burst=burst,
            max_in_flight=max_in_flight,
            reserve=reserve,
            tokens=None,
            now=now,
        )
        self.alone: Level | None = None
        self.seen: ScriptAnswer | None = None
        self.heard_at = now
        self.settled = 0
        self.acknowledged = 0
        self.told = 0
        self.share = 0.0
        self.spent = 0
        self.drained: tuple[int, float] | None = None
        # Moments from which a token may be used, in order.
        self._common: list[float] = []
        self._interactive: list[float] = []
        self._looked_at = now
        self._used, self._used_at = 0.0, now

    # What the queue and the limiter ask.

    @property
    def kept_in(self) -> Literal["process", "store", "alone"]:
        return "store" if self.alone is None else "alone"

    @property
    def effective_rate(self) -> float:
        if self.alone is not None:
            return self.alone.rate
        return self.rate if self.seen is None else self.seen.rate * self.seen.part

    def due(self, lane: Lane, now: float, *, owed: bool) -> float:
        self._looked_at = now
        in_flight = len(self.open)
        if in_flight >= self.lanes["interactive" if owed else lane][1]:
            lost_at = self.presume_lost(now)
            return lost_at if len(self.open) == in_flight else self.due(lane, now, owed=owed)
        usable = self._common[0] if self._common else math.inf
        if self._interactive and (lane == "interactive" or owed):
            usable = min(usable, self._interactive[0])
        if usable > now and self.alone is not None:
            usable = min(usable, self.alone.due(lane, now, owed=owed))
        return max(usable, self.resume_at)

    def take(self, lane: Lane, now: float) -> int:
        pool = self._pool_for(lane)
        if pool and pool[0] <= self._looked_at:
            del pool[0]
        elif self.alone is not None:
            self.spent += 1
            # Its rate is a share, which leaves room: no need to wait for the answer.
            self.alone.settle(self.alone.take(lane, now), now)
        return super().take(lane, now)

    def untake(self, number: int) -> bool:
        if not super().untake(number):
            return False
        # It may have come out of the reserve, or the reserve may have been used since: whether
        # background may have it, only Redis knows.
        insort(self._interactive, self._looked_at)
        return True

    def settle(self, number: int, now: float) -> bool:
        ended = super().settle(number, now)
        self.settled += ended
        return ended

    def free(self, now: float) -> float:
        """Tokens that could be granted, as far as we know; others may have taken them since."""
        if self.alone is not None:
            return self.alone.free(now) + self.usable(now)
        seen = self.seen
        if seen is None:
            # Unknown: let the first caller ask.
            return float(self.burst)
        refilled = min((now - self.heard_at) * self.effective_rate, seen.missing)
        returned = self.unsaid - (self.settled - self.acknowledged)
        return seen.free + refilled + returned + len(self)

    @property
    def here(self) -> int:
        """Tokens that are open: held, or on their way with a request."""
        return len(self.open) + len(self)

    @property
    def unsaid(self) -> int:
        """Tokens that are not open any more, which Redis does not know."""
        return self.told - self.here

    def _seconds_to_token(self, lacking: float, now: float) -> float:  # noqa: ARG002 - as in `Level`
        return lacking / self.effective_rate

    def hold(self, now: float, seconds: float) -> None:
        self.resume_at = max(self.resume_at, now + seconds)
        self._tell_of_a_429(self.generation - 1, seconds)

    def drain(self, now: float, retry_after: float) -> float:
        self._tell_of_a_429(self.generation, retry_after)
        self.generation += 1
        if self.alone is not None:
            self.alone.drain(now, retry_after)
        self.drop()
        pause = pause_after(retry_after, 1 / self.effective_rate)
        self.resume_at = max(self.resume_at, now + pause)
        return pause

    def _tell_of_a_429(self, generation: int, retry_after: float) -> None:
        before = self.drained or (generation, retry_after)
        self.drained = min(generation, before[0]), max(retry_after, before[1])

    # What the fetcher tells and asks.

    def received(
        self, reply: ScriptAnswer, lane: Lane, now: float, *, settled: int, told: int
    ) -> None:
        """Take in what Redis granted for *lane*, and what it knows."""
        pool = self._interactive if lane == "interactive" else self._common
        interval = 1 / (reply.rate * reply.part)
        for _ in range(reply.granted):
            insort(pool, now)
        for number in range(reply.reserved):
            insort(pool, now + reply.wait + number * interval)
        had, got = self.used(now), reply.granted + reply.reserved
        # Half of what it got: the others have not had their turn yet, or have had it.
        self.share = (had + got / 2) / max(reply.used - got / 2, 1.0)
        self._used, self._used_at = had + got, now
        self.seen = reply
        self.heard_at = now
        self.acknowledged = settled
        self.told = told + reply.granted + reply.reserved
        self.generation = max(self.generation, reply.epoch)
        if reply.paused and self.alone is None:
            self.resume_at = max(self.resume_at, now + reply.paused)

    def used(self, now: float) -> float:
        """Tokens that this process has had lately, those of long ago counting less."""
        return self._used * math.exp((self._used_at - now) / USE_COUNTS_FOR)

    def lacking(self, lane: Lane, now: float, waiting: Mapping[Lane, int]) -> int:
        """How many tokens to ask for in *lane*, when so many callers wait in each lane."""
        if self.alone is not None:
            return 0
        room = self.lanes[lane][1] - len(self.open)
        want = int(min(waiting[lane], max(room, 0)))
        if lane == "interactive":
            # Tokens of background that are usable later are no reason to wait for them.
            return max(want - len(self._interactive) - bisect_right(self._common, now), 0)
        taken = max(waiting["interactive"] - len(self._interactive), 0)
        return max(want - max(len(self._common) - taken, 0), 0)

    def give_back(self, now: float, *, waiting: int) -> None:
        """Drop what was held for too long, and promised tokens that no caller waits for."""
        for pool in (self._interactive, self._common):
            while pool and pool[0] + HOLD <= now:
                del pool[0]
            while pool and pool[-1] > now and len(self) > waiting:
                pool.pop()

    def stale_at(self) -> float:
        """When a token that is held now will have been held for too long."""
        heads = [pool[0] for pool in (self._interactive, self._common) if pool]
        return min(heads, default=math.inf) + HOLD

    def drop(self) -> None:
        """Forget all tokens. The next question says so to Redis, which has them again."""
        self._interactive.clear()
        self._common.clear()

    def __len__(self) -> int:
        """How many tokens are held, those promised for later included."""
        return len(self._interactive) + len(self._common)

    def usable(self, now: float) -> int:
        """How many tokens are held that may be used now."""
        return bisect_right(self._interactive, now) + bisect_right(self._common, now)

    def _pool_for(self, lane: Lane) -> list[float]:
        # Interactive callers leave to background what only background can use, if they can.
        own, other = self._interactive, self._common
        if lane == "background":
            own, other = other, own
        return own if own and own[0] <= self._looked_at else other
