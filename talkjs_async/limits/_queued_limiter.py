"""
The base of all limiters that queue their callers, wherever their tokens come from.

Knows permits, events and statistics, nothing of how a bucket refills: that is a `Source`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import Clock
from talkjs_async.limits._budget import Budget
from talkjs_async.limits._listeners import Listeners
from talkjs_async.limits._permit import Outcome, Permit, tell_of_lost
from talkjs_async.limits._queue import Queue
from talkjs_async.limits._rules import check_call
from talkjs_async.limits._throttling import pause_of
from talkjs_async.limits._token_source import TokenSource
from talkjs_async.limits._waiter import GRANTED, SERVED, WAITING
from talkjs_async.telemetry import Drained, LimiterEvent, Listener, Paused, Waited


class Source(TokenSource, Protocol):
    """
    What a limiter needs of its tokens, beyond what the queue needs. `Level` is one.

    Attributes:
        burst, lanes, open, granted, generation, resume_at, answer_time: As in `Level`.
        kept_in, effective_rate: As in `Budget`.
    """

    burst: int
    open: dict[int, tuple[float, int]]
    granted: int
    generation: int
    resume_at: float
    answer_time: float

    @property
    def lanes(self) -> Mapping[Lane, tuple[float, float]]: ...

    @property
    def kept_in(self) -> Literal["process", "store", "alone"]: ...

    @property
    def effective_rate(self) -> float: ...

    def free(self, now: float) -> float: ...

    def untake(self, number: int) -> bool: ...

    def settle(self, number: int, now: float) -> bool: ...

    def drain(self, now: float, retry_after: float) -> float: ...

    def hold(self, now: float, seconds: float) -> None: ...

    def recover(self, now: float) -> None: ...


class QueuedLimiter:
    """
    Grants the tokens of a source in the order of a queue, as permits. Implements `Limiter`.

    Attributes:
        clock: Tells the time.
    """

    __slots__ = (
        "__weakref__",
        "_listeners",
        "_max_in_flight",
        "_queue",
        "_rate",
        "_source",
        "_throttled",
        "clock",
    )

    def __init__(
        self, source: Source, *, rate: float, max_in_flight: int | None, clock: Clock
    ) -> None:
        self.clock: Clock = clock
        self._rate = rate
        self._max_in_flight = max_in_flight
        self._throttled = 0
        self._listeners = Listeners()
        self._source = source
        self._queue = Queue(source, clock)

    # For subclasses whose tokens come from a store. Called with the queue's lock held.

    def _about_to_wait(self, lane: Lane, now: float) -> None:
        """Note that a caller may have to wait, or refuse it with an error."""

    def _waits(self, now: float) -> None:
        """Note that a caller is about to wait, or to wait again after it was woken in vain."""

    def _has_changed(self, now: float) -> None:
        """Note that a permit was granted at once, or has ended."""

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> Permit:
        """Wait for the permit of one attempt; see `Limiter.acquire`."""
        source = self._source
        check_call(source.lanes, lane, max_wait)
        queue = self._queue
        with queue.lock:
            now = queue.now()
            if (
                not queue.waiting
                and (queue.last is None or queue.last.state != GRANTED)
                and source.due(lane, now, owed=False) <= now
                and not queue.closed
            ):
                if lane == "background":
                    queue.rest()
                permit = Permit(self._ended, source.take(lane, now))
                self._has_changed(now)
                return permit
            self._about_to_wait(lane, now)
            waiter = queue.join(lane, now, max_wait)
            if waiter.state == WAITING:
                self._waits(now)
        waited = waiter.state == WAITING
        while waiter.state == WAITING:
            try:
                await queue.look_out(waiter)
            except BaseException:
                queue.leave(waiter)
                raise
            if waiter.state == WAITING:
                with queue.lock:
                    self._waits(queue.now())
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
        source = self._source
        queue = self._queue
        events: tuple[LimiterEvent, ...] = ()
        with queue.lock:
            now = queue.now()
            if outcome == "settled":
                ended = source.settle(permit.grant, now)
            elif outcome == "refunded":
                ended = source.untake(permit.grant)
            else:
                ended, events = self._learn(permit, retry_after, now)
            if queue.waiting:
                queue.dispatch(now)
            self._has_changed(now)
        if events:
            self._listeners.tell(*events)
        return ended

    def _learn(
        self, permit: Permit, retry_after: float | None, now: float
    ) -> tuple[bool, tuple[LimiterEvent, ...]]:
        """Apply a 429. Lock held."""
        source = self._source
        before = source.free(now)
        # The server took no token for it, and `drain` corrects the level.
        _, generation = source.open.pop(permit.grant, (0.0, None))
        if generation is None:
            return False, ()
        self._throttled += 1
        asked = pause_of(retry_after)
        if generation == source.generation:
            pause = source.drain(now, asked)
            drained = Drained(
                generation=source.generation,
                tokens=before,
                in_flight=len(source.open),
                effective_rate=source.effective_rate,
            )
            return True, (drained, Paused(seconds=pause, retry_after=retry_after))
        if now + asked > source.resume_at:
            source.hold(now, asked)
            return True, (Paused(seconds=asked, retry_after=retry_after),)
        return True, ()

    def statistics(self) -> Budget:
        """Return the budget, as far as this process knows it."""
        source = self._source
        queue = self._queue
        with queue.lock:
            now = queue.now()
            source.recover(now)
            return Budget(
                tokens=source.free(now),
                burst=source.burst,
                rate=self._rate,
                effective_rate=source.effective_rate,
                in_flight=len(source.open),
                max_in_flight=self._max_in_flight,
                waiting_interactive=queue.waiting_in("interactive"),
                waiting_background=queue.waiting_in("background"),
                estimated_wait=queue.estimate("interactive", now),
                estimated_wait_background=queue.estimate("background", now),
                paused_for=max(source.resume_at - now, 0.0),
                granted=source.granted,
                throttled=self._throttled,
                background_reserve=int(source.lanes["background"][0]) - 1,
                answer_time=source.answer_time,
                kept_in=source.kept_in,
            )

    def listen(self, listener: Listener) -> Callable[[], object]:
        """
        Call *listener* with every event of this budget, whichever client caused it.

        It runs in the task that waited or got the 429, so it must be quick and must not block.

        Returns:
            A function that removes the listener.
        """
        return self._listeners.add(listener)

    async def aclose(self) -> None:
        """Refuse all calls from now on; those that wait get `LimiterUnavailable`."""
        with self._queue.lock:
            self._source.resume_at = math.inf
            self._queue.close()

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._queue.closed
