"""
The budget of one app inside one process.

Knows time and numbers, nothing of HTTP.
"""

from __future__ import annotations

import sys

from talkjs_async._core.clock import SYSTEM_CLOCK, Clock, checked_clock
from talkjs_async.errors import ConfigurationError, shown
from talkjs_async.limits._forks import call_after_fork
from talkjs_async.limits._level import Level
from talkjs_async.limits._queue import Queue
from talkjs_async.limits._queued_limiter import QueuedLimiter
from talkjs_async.limits._rules import IN_FLIGHT, check_limits, is_within


class TokenBucket(QueuedLimiter):
    """
    The budget of one app, inside one process. Implements `Limiter`.

    A full bucket lets *burst* requests through at once and *rate* per second from then on. A token
    starts to refill when its answer is in, which is why jitter, cold connections and stalls cause
    no 429. A 429 from the server still teaches the bucket: one pause per burst of 429s, then on at
    the sustained rate.

    Interactive calls go before background ones. Background leaves a twentieth of the burst and a
    fifth of the requests in flight alone, and gets at least a tenth of the grants while it waits.
    Inside a lane the order is strictly that of arrival.

    Share one bucket between all tasks, threads and event loops that use the same app.

    Attributes:
        clock: What time is taken from.
    """

    __slots__ = ("_tokens",)

    def __init__(
        self,
        rate: float = 9.0,
        burst: int = 600,
        *,
        max_in_flight: int | None = IN_FLIGHT,
        background_reserve: int | None = None,
        tokens: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """
        Make a bucket.

        Args:
            rate: Requests per second that the server allows for good.
            burst: Requests that it allows at once after a pause.
            max_in_flight: How many requests may be on their way at a time. It bounds the 429s of a
                process that starts while the server's bucket is empty. None for no bound.
            background_reserve: Tokens that the lane "background" may not touch. None for a
                twentieth of *burst*.
            tokens: How many are there at the start. None for a full bucket.
            clock: Where time comes from.

        Raises:
            ConfigurationError: A number that is not a number of that kind.
        """
        check_limits(rate, burst, max_in_flight, background_reserve)
        if tokens is not None and not is_within(tokens, -sys.float_info.max, burst):
            raise ConfigurationError(
                "tokens", f"finite and at most burst ({burst}): {shown(tokens)}"
            )
        clock = checked_clock(clock)
        self._tokens = Level(
            rate=rate,
            burst=burst,
            max_in_flight=max_in_flight,
            reserve=background_reserve,
            tokens=tokens,
            now=clock.monotonic(),
        )
        super().__init__(self._tokens, rate=rate, max_in_flight=max_in_flight, clock=clock)
        call_after_fork(self._forked)

    def __repr__(self) -> str:
        return f"<TokenBucket {self.statistics()!r}>"

    def _forked(self) -> None:
        """Forget the parent process: its callers wait there, and its requests end there."""
        now = self.clock.monotonic()
        for number in list(self._tokens.open):
            self._tokens.settle(number, now)
        self._queue = Queue(self._tokens, self.clock)
