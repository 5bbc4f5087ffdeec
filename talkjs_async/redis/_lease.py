"""
Tokens that one process has fetched from Redis and not handed out yet.

Knows numbers and times, nothing of connections and nothing of waiting. While Redis is away, it
holds a bucket of its own in its place. Called by `Queue`, as its source, and by `Fetcher`.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Mapping
from typing import Final

import attrs

from talkjs_async._core.call import Lane
from talkjs_async.limits._background_reserve import bounds_of_lanes, default_reserve
from talkjs_async.limits._level import DRIFT, Level
from talkjs_async.limits._permit import LOST_AFTER, note_lost
from talkjs_async.limits._throttling import MARGIN
from talkjs_async.redis._script import ScriptAnswer

HOLD: Final = 0.5
"""Seconds after which a token that nobody used goes back."""

_LEAST_RESPONSE: Final = 0.3
_LONGEST_RESPONSE: Final = 3.3
"""Seconds. A request may arrive up to so much later than it was charged for."""

_MEMORY: Final = 300.0
"""Seconds after which a slow response begins to be forgotten."""


@attrs.frozen
class _Lease:
    """
    One grant that has not ended.

    Attributes:
        lane: The lane that it was granted to.
        granted_at: When.
        usable: From when on its token was usable.
        epoch: The throttle generation of the grant.
    """

    lane: Lane
    granted_at: float
    usable: float
    epoch: int


class Leases:
    """
    The source of tokens of one process.

    Tokens that were taken for interactive callers may come out of the reserve, so background may
    not have them; tokens that were taken for background are good for both lanes.

    Attributes:
        burst: Tokens of the full bucket.
        rate, interval: Tokens per second at the full rate, seconds per token.
        reserve: Tokens that background leaves alone.
        lanes: For each lane, the tokens that must be there, and the requests in flight that must
            not be reached.
        epoch: How many herds of 429s there were, as far as we know.
        granted: Handed out so far.
        open: The grants that have not ended, the oldest first.
        resume_at: Nobody is granted a token before, after a 429.
        grace: See `TokenSource`.
        alone: The bucket that is used while Redis is away. None when it is there.
        debit: Tokens to report to Redis: used without it or, if negative, not used.
        missing: Tokens that the shared bucket lacked to be full when we last heard of it.
        effective_rate: Tokens per second of all processes together.
    """

    __slots__ = (
        "_common",
        "_heard_at",
        "_interactive",
        "_last_grant",
        "_learned",
        "_looked_at",
        "_margin",
        "_responses",
        "alone",
        "burst",
        "debit",
        "effective_rate",
        "epoch",
        "grace",
        "granted",
        "interval",
        "lanes",
        "missing",
        "open",
        "rate",
        "reserve",
        "resume_at",
    )

    def __init__(
        self,
        *,
        rate: float,
        burst: int,
        max_in_flight: int | None,
        reserve: int | None,
        margin: float | None,
        now: float,
    ) -> None:
        """
        Make a source without tokens.

        Args:
            rate: Tokens per second that the server gives.
            burst: Tokens that the server's bucket holds.
            max_in_flight: How many requests of this process may be in flight. None for no bound.
            reserve: Tokens that background leaves alone. None for a twentieth of the burst.
            margin: Tokens of the burst that stay unused. None to learn them.
            now: The clock.
        """
        self.reserve = default_reserve(burst) if reserve is None else reserve
        self.lanes: Final[dict[Lane, tuple[float, float]]] = bounds_of_lanes(
            self.reserve, max_in_flight
        )
        self.burst = burst
        self.rate = self.effective_rate = rate * (1 - DRIFT)
        self.interval = 1 / self.rate
        self.epoch = 0
        self.granted = 0
        self.open: dict[int, _Lease] = {}
        self._last_grant = 0
        self.resume_at = -math.inf
        self.grace = 0.0
        self.alone: Level | None = None
        self.debit = 0
        self.missing = 0.0
        self._margin = margin
        # Moments from which a token may be used, in order.
        self._common: list[float] = []
        self._interactive: list[float] = []
        self._looked_at = self._heard_at = now
        self._learned = 0.0
        # The slowest response of this span of `_MEMORY`, of the one before, and when it began.
        self._responses = (_LEAST_RESPONSE, _LEAST_RESPONSE, now)

    # What the queue asks.

    def due(self, lane: Lane, now: float, *, owed: bool) -> float:
        """When one more may be granted; see `TokenSource.due`."""
        self._looked_at = now
        in_flight = len(self.open)
        if in_flight >= self.lanes["interactive" if owed else lane][1]:
            lost_at = self.presume_lost(now)
            return lost_at if len(self.open) == in_flight else self.due(lane, now, owed=owed)
        if self.alone is not None:
            return max(self.alone.due(lane, now, owed=owed), self.resume_at)
        self._let_go(now)
        usable = self._common[0] if self._common else math.inf
        if self._interactive and (lane == "interactive" or owed):
            usable = min(usable, self._interactive[0])
        return max(usable, self.resume_at)

    def take(self, lane: Lane, now: float) -> int:
        """Hand out the token that is due for *lane*, and return the number of the grant."""
        self.granted += 1
        usable = now
        if self.alone is not None:
            self.debit += 1
            self.alone.settle(self.alone.take(lane, now), now)
        else:
            usable = self._pool_for(lane).pop(0)
        self._last_grant = number = self._last_grant + 1
        self.open[number] = _Lease(lane, now, usable, self.epoch)
        return number

    def untake(self, number: int) -> bool:
        """Undo a grant: nothing was sent. False when it has ended before."""
        lease = self.open.pop(number, None)
        if lease is None:
            return False
        self.granted -= 1
        if self.alone is not None:
            self.debit -= 1
            self.alone.granted -= 1
            self.alone.full_at -= self.alone.interval
        else:
            # What an interactive caller had may have come out of the reserve.
            pool = self._common if lease.lane == "background" else self._interactive
            insort(pool, lease.usable)
        return True

    def estimate(self, now: float, *, ahead: int, faster: int, lane: Lane) -> float:  # noqa: ARG002 - slots are not counted
        """Seconds until one more is due behind *ahead* others; see `TokenSource.estimate`."""
        need = self.lanes[lane][0] + ahead
        rate = self.effective_rate if self.alone is None else self.alone.rate
        return max((need - self.free(now)) / rate, self.resume_at - now, 0.0)

    # What the limiter tells and asks.

    def free(self, now: float) -> float:
        """Tokens that could be granted, as far as we know; others may have taken them since."""
        if self.alone is not None:
            return self.alone.free(now)
        missing = max(self.missing - (now - self._heard_at) * self.effective_rate, 0.0)
        return self.capacity(now) - self._learned - missing + len(self)

    def capacity(self, now: float) -> float:
        """
        Tokens of the burst that this process counts on.

        Charged when they are taken, tokens refill before their requests have arrived. How much
        later those arrive at most is learned from the slowest response of the last minutes.
        """
        if self._margin is not None:
            return self.burst - self._margin
        slowest, before, since = self._responses
        if now - since > _MEMORY:
            self._responses = (_LEAST_RESPONSE, slowest, now)
        late = min(max(slowest, before), _LONGEST_RESPONSE) + HOLD
        return self.burst - min(1.0 + self.rate * late, self.burst * MARGIN)

    def settle(self, number: int, now: float) -> _Lease | None:
        """End a grant: its answer is in. None when it has ended before."""
        lease = self.open.pop(number, None)
        if lease is not None:
            slowest, before, since = self._responses
            took = now - lease.granted_at
            if took > slowest:
                self._responses = (took, before, since)
        return lease

    def presume_lost(self, now: float) -> float:
        """Settle the grants that are too old, and return when the next one will be."""
        for number, lease in list(self.open.items()):
            if lease.granted_at + LOST_AFTER > now:
                return lease.granted_at + LOST_AFTER
            del self.open[number]
            note_lost(f"in {LOST_AFTER:.0f} seconds")
        return math.inf

    def received(self, reply: ScriptAnswer, lane: Lane, now: float) -> None:
        """Take in what Redis granted for *lane*, and what it knows."""
        pool = self._interactive if lane == "interactive" else self._common
        interval = self.interval / reply.rate
        for _ in range(reply.granted):
            insort(pool, now)
        for number in range(reply.reserved):
            insort(pool, now + reply.wait + number * interval)
        self.missing = reply.missing
        self.effective_rate = self.rate * reply.rate
        self.epoch = reply.epoch
        self._heard_at = now
        self._learned = reply.learned
        if reply.paused and self.alone is None:
            self.resume_at = max(self.resume_at, now + reply.paused)

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
        """Note as debit what was held for too long, and reserved slots that nobody waits for."""
        self._let_go(now)
        for pool in (self._interactive, self._common):
            while pool and pool[-1] > now and len(self) > waiting:
                pool.pop()
                self.debit -= 1

    def stale_at(self) -> float:
        """When a token that is held now will have been held for too long."""
        heads = [pool[0] for pool in (self._interactive, self._common) if pool]
        return min(heads, default=math.inf) + HOLD

    def usable(self, now: float) -> int:
        """How many tokens are held that may be used now."""
        return bisect_right(self._interactive, now) + bisect_right(self._common, now)

    def drop(self) -> int:
        """Forget all tokens, and return how many there were."""
        count = len(self)
        self._interactive.clear()
        self._common.clear()
        return count

    def __len__(self) -> int:
        """How many tokens are held, those reserved for later included."""
        return len(self._interactive) + len(self._common)

    def _let_go(self, now: float) -> None:
        # What was charged long ago has refilled: to use it now would be to use it twice.
        for pool in (self._interactive, self._common):
            while pool and pool[0] + HOLD <= now:
                pool.pop(0)
                self.debit -= 1

    def _pool_for(self, lane: Lane) -> list[float]:
        # Interactive callers leave to background what only background can use, if they can.
        own, other = self._interactive, self._common
        if lane == "background":
            own, other = other, own
        return own if own and own[0] <= self._looked_at else other
