"""
The arithmetic of a bucket that refills when answers arrive.

Pure numbers: no lock, no clock, no waiting. A token leaves the bucket when an attempt is granted
and starts to refill only when its answer is in; until then it counts as in flight. The server has
counted the attempt before it answers, so its bucket is never emptier than ours, whatever the
network does: no safety margin is needed.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from talkjs_async._core.call import Lane
from talkjs_async.limits._background_reserve import bounds_of_lanes, default_reserve
from talkjs_async.limits._permit import LOST_AFTER, note_lost
from talkjs_async.limits._throttling import (
    CUT,
    DEBT,
    LEAST_RATE,
    MARGIN,
    RECOVERY_STEP,
    SUSPICIOUS,
    pause_after,
    recovery_speed,
)

DRIFT: Final = 0.0005
"""
Part of the rate that is left unused, because two clocks never run equally fast.

A clock that is 100 ppm fast would cause 75 429s in a saturated day; this costs 0.05 % instead.
"""

_WEIGHT: Final = 0.1
"""Of the latest answer in the mean of how long they take."""


class Level:
    """
    A token bucket with settlement, as one number: the moment at which it will be full again.

    Times are seconds of one clock that never goes back.

    Attributes:
        full_at: When all that was settled has refilled.
        open: When each grant that has not ended was made, and in which throttle generation. The
            oldest comes first.
        granted: Granted so far, without those that never left.
        rate, interval: Tokens per second now, and seconds per token.
        answer_time: Seconds that requests are on their way, in the mean of the latest. 0: unknown.
        capacity: Tokens that the bucket holds, now: the burst without what 429s taught.
        lanes: For each lane, the tokens that must be there, and the requests in flight that must
            not be reached.
        generation: How many bursts of 429s there were.
        grace: See `TokenSource`; no other source is asked.
        resume_at: No token is granted before.
        recover_at: When `recover` has something to do. Infinite at the full rate.
    """

    __slots__ = (
        "_drained_at",
        "_full_rate",
        "_last_grant",
        "_most_margin",
        "_recovered_at",
        "_throttled_since",
        "answer_time",
        "burst",
        "capacity",
        "full_at",
        "generation",
        "grace",
        "granted",
        "interval",
        "lanes",
        "open",
        "rate",
        "recover_at",
        "resume_at",
    )

    def __init__(
        self,
        *,
        rate: float,
        burst: int,
        max_in_flight: int | None,
        reserve: int | None,
        tokens: float | None,
        now: float,
    ) -> None:
        """
        Make a bucket.

        Args:
            rate: Tokens per second that the server gives.
            burst: Tokens that the server's bucket holds.
            max_in_flight: How many may be in flight. None for no bound.
            reserve: Tokens that background leaves alone. None for a twentieth of the burst.
            tokens: How many are in the bucket. None for a full one.
            now: The clock.
        """
        if reserve is None:
            reserve = default_reserve(burst)
        self.lanes: Final[dict[Lane, tuple[float, float]]] = bounds_of_lanes(reserve, max_in_flight)
        self.burst = burst
        self.capacity = float(burst)
        self.rate = self._full_rate = rate * (1 - DRIFT)
        self.interval = 1 / self.rate
        self.full_at = now if tokens is None else now + (burst - tokens) * self.interval
        self.open: dict[int, tuple[float, int]] = {}
        self._last_grant = 0
        self.granted = 0
        self.generation = 0
        self.answer_time = 0.0
        self.grace = 0.0
        self.resume_at = -math.inf
        self.recover_at = math.inf
        self._recovered_at = now
        # The first and the latest 429 of the trouble that we are in.
        self._throttled_since = self._drained_at = -math.inf
        # Whatever 429s teach, a background token must still fit in.
        self._most_margin = max(0.0, min(burst * MARGIN, burst - 1.0 - reserve))

    def due(self, lane: Lane, now: float, *, owed: bool) -> float:
        """When one more may be granted; see `TokenSource.due`."""
        if now >= self.recover_at:
            self.recover(now)
        need, most = self.lanes["interactive" if owed else lane]
        if now < self.resume_at:
            return self.resume_at
        in_flight = len(self.open)
        if in_flight >= most or self.capacity - in_flight < need:
            lost_at = self.presume_lost(now)
            return lost_at if len(self.open) == in_flight else self.due(lane, now, owed=owed)
        missing = need + in_flight - self.capacity
        full_at = self.full_at
        # Not max(): this runs once per grant, and the call would cost more than the rest.
        return (full_at if full_at > now else now) + missing * self.interval  # noqa: FURB136

    def take(self, lane: Lane, now: float) -> int:  # noqa: ARG002 - tokens are all alike
        """Grant one, and return its number."""
        self.granted += 1
        self._last_grant = number = self._last_grant + 1
        self.open[number] = (now, self.generation)
        return number

    def untake(self, number: int) -> bool:
        """Undo a grant: nothing was sent. False when it has ended before."""
        if self.open.pop(number, None) is None:
            return False
        self.granted -= 1
        return True

    def estimate(self, now: float, *, ahead: int, faster: int, lane: Lane) -> float:
        """Seconds until one more is due behind *ahead* others; see `TokenSource.estimate`."""
        need, most = self.lanes[lane]
        tokens = self._seconds_to_token(need + ahead - self.free(now), now)
        if not faster:
            slot = self._seconds_to_slot(ahead, most, now)
        else:
            slot = self._seconds_to_slot(faster, self.lanes["interactive"][1], now)
            slot += (ahead - faster) * self.answer_time / most
        return max(tokens, slot, self.resume_at - now)

    def _seconds_to_token(self, lacking: float, now: float) -> float:
        """Seconds until *lacking* more tokens are there."""
        refilling = max((self.full_at - now) * self.rate, 0.0)
        if lacking <= refilling:
            return lacking * self.interval
        # The rest begins to refill when its answers are in.
        lacking -= refilling
        full_at = max(self.full_at, now)
        for granted_at, _ in self.open.values():
            if lacking <= 0:
                break
            full_at = max(full_at, granted_at + self.answer_time) + self.interval
            lacking -= 1
        each = max(self.interval, (self.answer_time + self.interval) / self.capacity)
        return full_at - now + max(lacking, 0.0) * each

    def _seconds_to_slot(self, ahead: int, most: float, now: float) -> float:
        """Seconds until one of *most* slots is free behind *ahead* others."""
        if most == math.inf or ahead + len(self.open) < most:
            return 0.0
        # What is late already has, as a rule, as long to go as it is late.
        ends = sorted(abs(since + self.answer_time - now) for since, _ in self.open.values())
        slots = [0.0] * (int(most) - len(ends)) + ends[-int(most) :]
        rounds, number = divmod(ahead, int(most))
        return slots[number] + rounds * self.answer_time

    @property
    def kept_in(self) -> Literal["process", "store", "alone"]:
        """Where the tokens are; see `Budget.kept_in`."""
        return "process"

    @property
    def effective_rate(self) -> float:
        """Tokens per second of the whole budget; see `Budget.effective_rate`."""
        return self.rate

    def free(self, now: float) -> float:
        """Tokens that could be granted. Negative when there is a debt."""
        missing = (self.full_at - now) * self.rate
        return self.capacity - len(self.open) - (missing if missing > 0 else 0.0)

    def settle(self, number: int, now: float) -> bool:
        """End a grant: its answer is in. False when it has ended before."""
        granted_at, _ = self.open.pop(number, (None, 0))
        if granted_at is None:
            return False
        took = now - granted_at
        self.answer_time += (took - self.answer_time) * (_WEIGHT if self.answer_time else 1.0)
        if now >= self.recover_at:
            self.recover(now)
        # Not max(): this runs once per request as well.
        full_at = self.full_at
        self.full_at = (full_at if full_at > now else now) + self.interval  # noqa: FURB136
        return True

    def presume_lost(self, now: float) -> float:
        """Settle the grants that are too old, and return when the next one will be."""
        for number, (granted_at, _) in list(self.open.items()):
            if granted_at + LOST_AFTER > now:
                return granted_at + LOST_AFTER
            self.settle(number, now)
            note_lost(f"in {LOST_AFTER:.0f} seconds")
        return math.inf

    def hold(self, now: float, seconds: float) -> None:
        """Grant nothing for *seconds*, then go on at the rate: one token, no burst."""
        self.resume_at = max(self.resume_at, now + seconds)
        self.full_at = max(self.full_at, self.resume_at + (self.capacity - 1) * self.interval)

    def drain(self, now: float, retry_after: float) -> float:
        """
        Start a new throttle generation after a 429, and return the pause in seconds.

        Args:
            now: The clock.
            retry_after: Seconds that the server asked for, 0 if it did not.
        """
        self.generation += 1
        margin = self.burst - self.capacity + DEBT * self.rate
        self.capacity = self.burst - min(margin, self._most_margin)
        if now - self._drained_at < SUSPICIOUS:
            self._recovered_at = now
            self._set_rate(now, max(self.rate * CUT, self._full_rate * LEAST_RATE))
        else:
            self._throttled_since = now
        self._drained_at = now
        pause = pause_after(retry_after, self.interval)
        self.hold(now, pause)
        return pause

    def recover(self, now: float) -> None:
        """Take back a part of the rate that was cut."""
        if now < self.recover_at:
            return
        speed = recovery_speed(self._drained_at - self._throttled_since, now - self._drained_at)
        gained = (now - self._recovered_at) * speed * self._full_rate
        self._recovered_at = now
        self._set_rate(now, min(self.rate + gained, self._full_rate))

    def _set_rate(self, now: float, rate: float) -> None:
        # The tokens stay what they are, so the time until they are complete changes.
        if self.full_at > now:
            self.full_at = now + (self.full_at - now) * self.rate / rate
        self.rate = rate
        self.interval = 1 / rate
        self.recover_at = math.inf if rate == self._full_rate else now + RECOVERY_STEP
