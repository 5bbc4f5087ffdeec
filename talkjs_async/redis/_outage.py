"""
What a process does while Redis is away: it keeps to its share, or refuses, or goes on as if alone.

A circuit breaker: one task tries again now and then, and no caller waits for Redis. Knows numbers
and times, nothing of connections. Called by `Fetcher`, with the queue's lock held.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import attrs

from talkjs_async.limits._level import DRIFT, Level
from talkjs_async.redis._account import Account
from talkjs_async.redis._messages import ScriptAnswer

OnOutage = Literal["share", "closed", "open"]

_FIRST_RETRY: Final = 0.1
_LAST_RETRY: Final = 0.5
"""Seconds between attempts to reach Redis; the pause doubles from the first to the last."""

_REPORT: Final = 0.25
"""Seconds between two questions in Redis's grace period."""

_SAVED: Final = 0.5
"""Seconds for which a process can save up tokens of its share."""

_YOUNG: Final = 5.0
"""Seconds after which a share depends on what a process used, not on how many there are."""

_LEAST: Final = 0.1
"""Part of an equal share that a process keeps if it used nothing lately."""


@attrs.define
class Outage:
    """
    Whether Redis is away, and what is done about it.

    Attributes:
        policy: As for `RedisLimiter`.
        processes: How many processes to assume until Redis has counted them.
        reason: Why Redis is away. None while it is there.
        retry_at: When to ask it again.
        since: When it went away.
        asked_at: When it was asked last.
        first_heard_at: When it answered for the first time.
    """

    policy: OnOutage
    processes: int
    reason: str | None = None
    retry_at: float = -math.inf
    since: float = -math.inf
    asked_at: float = math.inf
    first_heard_at: float = math.inf
    _pause: float = _FIRST_RETRY

    def begin(self, reason: str, account: Account, now: float, *, refuse: bool) -> bool:
        """
        Note that Redis did not do what it was asked.

        Args:
            reason: Why not.
            account: Gets a bucket of its own, unless nothing may be granted.
            now: The clock.
            refuse: Grant nothing, whatever the policy.

        Returns:
            Whether Redis was there until now.
        """
        news = self.reason is None
        if news:
            self.since = now
            account.spent = 0
        self.reason = reason
        self.retry_at = now + self._pause
        self._pause = min(2 * self._pause, _LAST_RETRY)
        if refuse or self.policy == "closed":
            account.alone = None
        elif account.alone is None or account.alone.resume_at == math.inf:
            # Away again in the grace period: the share is one of the rate, not of the last share.
            account.alone = None
            account.alone = self._bucket(account, now)
        return news

    def answered(self, reply: ScriptAnswer, account: Account, now: float, *, told: bool) -> bool:
        """
        Note that Redis answers again.

        Args:
            reply: What it said.
            account: Loses the bucket of its own when the outage is over.
            now: The clock.
            told: Whether the question told Redis of the outage.

        Returns:
            Whether the outage is over: not before all processes had time to say what they used.
        """
        self._pause = _FIRST_RETRY
        if told and reply.grace <= _REPORT and account.alone is not None:
            # Redis would not know of tokens granted from now on when its grace period ends.
            account.alone.resume_at = math.inf
        if reply.grace or not told:
            self.retry_at = now + (min(reply.grace, _REPORT) if told else 0.0)
            return False
        account.alone = None
        self.reason = None
        return True

    @property
    def shares(self) -> bool:
        """Whether other processes are assumed to go on, too."""
        return self.policy == "share"

    def refuses(self, account: Account, now: float) -> bool:
        """Whether to refuse a caller at once: nothing may be granted, and Redis is not asked."""
        return self.reason is not None and account.alone is None and now < self.retry_at

    def _bucket(self, account: Account, now: float) -> Level:
        """Make a bucket that is almost empty: other processes may use what was in Redis."""
        part = self._share(account) if self.shares else 1.0
        # A small burst: when it is back, Redis does not know what a share has saved up.
        burst = max(int(account.rate * part * _SAVED), 1) if self.shares else account.burst
        left, seen = 0.0, account.seen
        if seen is not None:
            # Tokens that were promised to other processes are a debt. Its own it has used. What has
            # refilled since Redis left a question open, it granted to none of them.
            own = max(seen.granted + seen.reserved - len(account), 0)
            refilled = max(now - self.asked_at, 0.0) * account.effective_rate
            left = min(seen.free + own, 0.0) + refilled
        if not self.shares:
            left = account.free(now) - len(account)
        return Level(
            # `Account` and `Level` both allow for clocks that differ; once is enough.
            rate=account.effective_rate / (1 - DRIFT) * part,
            burst=burst,
            max_in_flight=None,
            reserve=min(int((account.lanes["background"][0] - 1) * part), burst - 1),
            tokens=min(left * part, burst),
            now=now,
        )

    def _share(self, account: Account) -> float:
        seen = account.seen
        if seen is None:
            return 1 / self.processes
        equal = 1 / max(seen.members, 1)
        if account.heard_at < self.first_heard_at + 1.0:
            # Of processes that start together, Redis has not counted all yet.
            return min(equal, 1 / self.processes)
        if account.heard_at < self.first_heard_at + _YOUNG or not seen.used:
            return equal
        return min(max(account.share, _LEAST * equal), 1.0)
