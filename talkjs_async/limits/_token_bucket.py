"""
The budget of one app inside one process.

Knows time and numbers, nothing of HTTP.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import SYSTEM_CLOCK, Clock, checked_clock
from talkjs_async.errors import ConfigurationError
from talkjs_async.limits._budget import Budget
from talkjs_async.limits._forks import call_after_fork
from talkjs_async.limits._level import Level
from talkjs_async.limits._listeners import Listeners
from talkjs_async.limits._permit import Outcome, Permit, tell_of_lost
from talkjs_async.limits._queue import Queue
from talkjs_async.limits._rules import IN_FLIGHT, check_call, check_limits, is_within
from talkjs_async.limits._throttling import pause_of
from talkjs_async.limits._waiter import GRANTED, SERVED, WAITING
from talkjs_async.telemetry import (
    Drained,
    LimiterEvent,
    Listener,
    Paused,
    Waited,
)


class TokenBucket:
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

    __slots__ = (
        "__weakref__",
        "_listeners",
        "_max_in_flight",
        "_queue",
        "_rate",
        "_throttled",
        "_tokens",
        "clock",
    )

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
            raise ConfigurationError("tokens", f"finite and at most burst ({burst}): {tokens!r}")
        self.clock: Clock = checked_clock(clock)
        self._rate = rate
        self._max_in_flight = max_in_flight
        self._tokens = Level(
            rate=rate,
            burst=burst,
            max_in_flight=max_in_flight,
            reserve=background_reserve,
            tokens=tokens,
            now=self.clock.monotonic(),
        )
        self._queue = Queue(self._tokens, self.clock)
        self._throttled = 0
        self._listeners = Listeners()
        call_after_fork(self._forked)

    def __repr__(self) -> str:
        return f"<TokenBucket {self.statistics()!r}>"

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> Permit:
        """Wait for the permit of one attempt; see `Limiter.acquire`."""
        tokens = self._tokens
        need, most = check_call(tokens.lanes, lane, max_wait)
        queue = self._queue
        with queue.lock:
            now = queue.now()
            if (
                not queue.waiting
                and (queue.last is None or queue.last.state != GRANTED)
                and len(tokens.open) < most
                and tokens.free(now) >= need
                and now >= tokens.resume_at
            ):
                if lane == "background":
                    queue.rest()
                return Permit(self._ended, tokens.take(lane, now))
            waiter = queue.join(lane, now, max_wait)
        waited = waiter.state == WAITING
        if waited:
            try:
                await (waiter if waiter.has_timer else queue.watch(waiter))
            except BaseException:
                queue.leave(waiter)
                raise
        if waiter.state != GRANTED:
            raise queue.refusal(waiter, now, max_wait)
        waiter.state = SERVED
        permit = Permit(self._ended, waiter.grant)
        if waited:
            try:
                tell_of_lost()
                if self._listeners:
                    self._listeners.tell(Waited(lane=lane, seconds=queue.now() - now))
            except BaseException:
                permit.refund()
                raise
        return permit

    def _ended(self, permit: Permit, outcome: Outcome, retry_after: float | None) -> bool:
        tokens = self._tokens
        queue = self._queue
        events: tuple[LimiterEvent, ...] = ()
        with queue.lock:
            now = queue.now()
            if outcome == "settled":
                ended = tokens.settle(permit.grant, now)
            elif outcome == "refunded":
                ended = tokens.untake(permit.grant)
            else:
                ended, events = self._learn(permit, retry_after, now)
            if queue.waiting:
                queue.dispatch(now)
        if events:
            self._listeners.tell(*events)
        return ended

    def _learn(
        self, permit: Permit, retry_after: float | None, now: float
    ) -> tuple[bool, tuple[LimiterEvent, ...]]:
        """Take in a 429. Lock held."""
        tokens = self._tokens
        before = tokens.free(now)
        # The server took no token for it, and the drain sees to the rest.
        _, generation = tokens.open.pop(permit.grant, (0.0, None))
        if generation is None:
            return False, ()
        self._throttled += 1
        asked = pause_of(retry_after)
        if generation == tokens.generation:
            pause = tokens.drain(now, asked)
            drained = Drained(
                generation=tokens.generation,
                tokens=before,
                in_flight=len(tokens.open),
                effective_rate=tokens.rate,
            )
            return True, (drained, Paused(seconds=pause, retry_after=retry_after))
        if now + asked > tokens.resume_at:
            tokens.hold(now, asked)
            return True, (Paused(seconds=asked, retry_after=retry_after),)
        return True, ()

    def statistics(self) -> Budget:
        """Look at the budget."""
        tokens = self._tokens
        queue = self._queue
        with queue.lock:
            now = queue.now()
            if now >= tokens.recover_at:
                tokens.recover(now)
            return Budget(
                tokens=tokens.free(now),
                burst=tokens.burst,
                rate=self._rate,
                effective_rate=tokens.rate,
                in_flight=len(tokens.open),
                max_in_flight=self._max_in_flight,
                waiting_interactive=queue.waiting_in("interactive"),
                waiting_background=queue.waiting_in("background"),
                estimated_wait=queue.estimate("interactive", now),
                estimated_wait_background=queue.estimate("background", now),
                paused_for=max(tokens.resume_at - now, 0.0),
                granted=tokens.granted,
                throttled=self._throttled,
                background_reserve=int(tokens.lanes["background"][0]) - 1,
                answer_time=tokens.answer_time,
            )

    def listen(self, listener: Listener) -> Callable[[], object]:
        """
        Have *listener* called with every event of this bucket, whichever client caused it.

        It runs in the task that waited or got the 429, so it must be quick and must not block.

        Returns:
            What to call to end it.
        """
        return self._listeners.add(listener)

    async def aclose(self) -> None:
        """Refuse everybody from now on; those who wait get `LimiterUnavailable`."""
        with self._queue.lock:
            self._tokens.resume_at = math.inf
            self._queue.close()

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._queue.closed

    def _forked(self) -> None:
        """Forget the parent process: its callers wait there, and its requests end there."""
        now = self.clock.monotonic()
        for number in list(self._tokens.open):
            self._tokens.settle(number, now)
        self._queue = Queue(self._tokens, self.clock)
