"""
What a process does while Redis is away: it keeps to its share, or refuses, or goes on as if alone.

A circuit breaker: one task tries again now and then, and nobody else waits for Redis. Knows numbers
and times, nothing of connections. Called by `Fetcher`, with the queue's lock held.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import attrs

from talkjs_async.limits._level import Level
from talkjs_async.redis._lease import Leases
from talkjs_async.redis._script import ScriptAnswer

OnOutage = Literal["share", "closed", "open"]

_FIRST_RETRY: Final = 0.25
_LAST_RETRY: Final = 2.0
"""Seconds between attempts to reach Redis; the pause doubles from the first to the last."""

GRACE: Final = 2.5
"""
Seconds for which a process still keeps to its share when Redis is back: longer than the longest
pause between attempts, so that all have reported what they used before anybody takes again.
"""

_REPORT: Final = 0.25
"""Seconds between two reports in that time."""


SLOTS: Final = 2
"""Tokens that one process gets at its turn: half a call per token, and the others wait for two."""


@attrs.define
class Outage:
    """
    Whether Redis is away, and what is done about it.

    Attributes:
        policy: As for `RedisLimiter`.
        rate: Requests per second that all processes share.
        processes: How many processes there are, as far as we know.
        reason: Why Redis is away. None while it is there.
        retry_at: When to ask it again.
        since: When we last reported what we used without it, or when it went away.
    """

    policy: OnOutage
    rate: float
    processes: int
    reason: str | None = None
    retry_at: float = -math.inf
    since: float = -math.inf
    _pause: float = _FIRST_RETRY
    _over_at: float = math.inf

    def begin(self, reason: str, leases: Leases, now: float, *, refuse: bool) -> bool:
        """
        Note that Redis did not do what it was asked.

        Args:
            reason: Why not.
            leases: Gets a bucket of its own, unless nothing may be granted.
            now: The clock.
            refuse: Grant nothing, whatever the policy.

        Returns:
            Whether Redis was there until now.
        """
        news = self.reason is None
        if news:
            self.since = now
        self.reason = reason
        self._over_at = math.inf
        self.retry_at = now + self._pause
        self._pause = min(2 * self._pause, _LAST_RETRY)
        if leases.alone is None and not refuse:
            leases.alone = self._bucket(leases, now)
        return news

    def answered(self, reply: ScriptAnswer, leases: Leases, now: float) -> int | None:
        """
        Note that Redis answers again. Only then it gets our reports: what is said to a Redis that
        hangs, it may take in later.

        Returns:
            How many requests were let through without it, once that is over. None as long as others
            may have to report.
        """
        self._pause = _FIRST_RETRY
        if not self.answers:
            self._over_at = now + GRACE
            self.retry_at = now
            if leases.alone is not None:
                return None
        self.since = now
        if leases.alone is not None and (now < self._over_at or reply.paused):
            self.retry_at = now + _REPORT
            return None
        spent = 0 if leases.alone is None else leases.alone.granted
        leases.alone = None
        self.reason = None
        return spent

    @property
    def answers(self) -> bool:
        """Whether Redis answered last time."""
        return self.reason is None or self._over_at < math.inf

    def refuses(self, leases: Leases, now: float) -> bool:
        """Whether to refuse a caller at once: nothing may be granted, and nobody asks Redis now."""
        return self.reason is not None and leases.alone is None and now < self.retry_at

    def _bucket(self, leases: Leases, now: float) -> Level:
        """Make a bucket that is as good as empty: what was in Redis may be spent by others."""
        parts = self.processes if self.policy == "share" else 1
        burst = max(leases.burst // parts, 1)
        shared = leases.free(now)
        # What we hold has been charged. Slots that were reserved for later are worth nothing now.
        held = leases.usable(now)
        leases.debit -= leases.drop()
        if self.policy == "share":
            # The others go on to use theirs; on average, half of them are left.
            reserved = max(0.0, 1 + (parts - 1) * SLOTS / 2 - max(shared, 0.0))
            known = held - reserved / parts
        else:
            known = shared
        return Level(
            rate=self.rate / parts,
            burst=burst,
            max_in_flight=None,
            reserve=leases.reserve // parts,
            tokens=min(known, burst),
            now=now,
        )
