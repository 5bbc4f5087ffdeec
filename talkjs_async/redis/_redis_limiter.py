"""
The limiter whose tokens are kept in Redis.

One task per process fetches tokens, whoever waits for them: a few calls a second at TalkJS's rates.
While Redis is away, each process goes on with its share, and reports afterwards what it used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async.errors import ConfigurationError, LimiterUnavailable
from talkjs_async.limits import Budget, Drained, LimiterEvent, Listener, Paused, Waited
from talkjs_async.limits._forks import call_after_fork
from talkjs_async.limits._listeners import Listeners
from talkjs_async.limits._permit import Outcome, Permit, tell_of_lost
from talkjs_async.limits._queue import Queue
from talkjs_async.limits._rules import DOCUMENTED, IN_FLIGHT, check_call, check_limits, is_within
from talkjs_async.limits._throttling import pause_after, pause_of
from talkjs_async.limits._waiter import GRANTED, SERVED, WAITING
from talkjs_async.redis._fetcher import Fetcher
from talkjs_async.redis._lease import Leases
from talkjs_async.redis._outage import OnOutage, Outage
from talkjs_async.redis._store import Door


class RedisLimiter:
    """
    The budget of one app, shared through Redis >= 6 or Valkey. Implements `Limiter`.

    It keeps the promises of `TokenBucket` across processes and machines, with two differences:
    tokens are charged when they are taken, not when the answer is in, so a small margin of the
    burst stays unused (1 token and what refills while a slow request is on its way, learned from
    response times); and the order is strict inside a process, while processes take turns.

    When Redis is away, hangs or loses its data, nobody crashes and nobody sends without limit:
    *on_outage* says what happens, and it goes back to normal by itself.

    Attributes:
        clock: What local time is taken from. With any clock but the system's, Redis's own clock is
            not used either: then all processes must share that clock. For tests.
    """

    def __init__(
        self,
        url_or_client: object,
        app_id: str,
        *,
        endpoint_class: Literal["ordinary", "batch"] = "ordinary",
        rate: float | None = None,
        burst: int | None = None,
        max_in_flight: int | None = IN_FLIGHT,
        background_reserve: int | None = None,
        margin: float | None = None,
        on_outage: OnOutage = "share",
        processes: int = 4,
        namespace: str = "talkjs",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """
        Make a limiter. Nothing is connected before the first call.

        Args:
            url_or_client: `redis://...`, `rediss://...` or `unix://...`; a client of redis-py,
                asyncio (for asyncio only) or blocking (used in a worker thread, on every event
                loop); or a `Store` of your own. A client is never closed.
            app_id: Whose budget it is.
            endpoint_class: "batch" for `POST /batch`, "ordinary" for everything else.
            rate: Requests per second that the server allows for good. None: what TalkJS documents.
            burst: Requests that it allows at once after a pause. None: what TalkJS documents.
            max_in_flight: How many requests of this process may be on their way at a time. None for
                no bound.
            background_reserve: Tokens that the lane "background" may not touch, in any process.
                None for a twentieth of *burst*.
            margin: Tokens of *burst* that stay unused. None to learn them.
            on_outage: While Redis is away, "share": use the rate divided by the number of
                processes, without a burst; "closed": raise LimiterUnavailable; "open": use all of
                the budget, right only when no other process does.
            processes: How many processes to assume as long as Redis has never been reached.
            namespace: How the keys begin.
            clock: Where local time comes from.

        Raises:
            ConfigurationError: A setting that cannot be.
        """
        documented = DOCUMENTED.get(endpoint_class)
        if documented is None:
            raise ConfigurationError("endpoint_class", f"'ordinary' or 'batch': {endpoint_class!r}")
        if on_outage not in {"share", "closed", "open"}:
            raise ConfigurationError("on_outage", f"'share', 'closed' or 'open': {on_outage!r}")
        if not app_id:
            raise ConfigurationError("app_id", "the ID of the app whose budget it is")
        if not isinstance(processes, int) or processes < 1:
            raise ConfigurationError("processes", f"a whole number, at least 1: {processes!r}")
        rate = documented[0] if rate is None else rate
        burst = documented[1] if burst is None else burst
        check_limits(rate, burst, max_in_flight, background_reserve)
        if margin is not None and not is_within(margin, 0, burst - 1):
            raise ConfigurationError("margin", f"from 0 to burst - 1 ({burst - 1}): {margin!r}")
        self.clock = clock
        self._door = Door(url_or_client)
        self._rate = rate
        self._max_in_flight = max_in_flight
        self._throttled = 0
        self._listeners = Listeners()
        # The braces keep both keys in one slot of a cluster.
        self._key = f"{namespace}:{{{app_id}}}:{endpoint_class}"
        self._new_leases = partial(
            Leases,
            rate=rate,
            burst=burst,
            max_in_flight=max_in_flight,
            reserve=background_reserve,
            margin=margin,
        )
        self._new_outage = partial(Outage, on_outage, rate, processes)
        self._begin()
        # There, tokens, callers and the task are the parent's: that side is one more process.
        call_after_fork(self._begin)

    def _begin(self) -> None:
        self._leases = self._new_leases(now=self.clock.monotonic())
        self._queue = Queue(self._leases, self.clock)
        self._outage = self._new_outage()
        self._fetcher = Fetcher(
            door=self._door,
            keys=(self._key, f"{self._key}:processes"),
            leases=self._leases,
            queue=self._queue,
            clock=self.clock,
            outage=self._outage,
            announce=self._listeners.tell,
        )

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._key} at {self._door.shown}: {self.statistics()!r}>"

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._queue.closed

    @property
    def calls(self) -> int:
        """How many script calls there were."""
        return self._fetcher.calls

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> Permit:
        """Wait for the permit of one attempt; see `Limiter.acquire`."""
        _, most = check_call(self._leases.lanes, lane, max_wait)
        queue = self._queue
        with queue.lock:
            now = queue.now()
            if (
                not queue.waiting
                and (queue.last is None or queue.last.state != GRANTED)
                and self._leases.due(lane, now, owed=False) <= now
            ):
                if self._outage.reason is not None:
                    self._fetcher.call(now)
                if lane == "background":
                    queue.rest()
                return Permit(self._ended, self._leases.take(lane, now))
            if self._outage.refuses(self._leases, now):
                raise LimiterUnavailable(self._outage.reason)
            if len(self._leases.open) < most:
                self._fetcher.expect(lane, now)
            waiter = queue.join(lane, now, max_wait)
            if waiter.state == WAITING:
                self._fetcher.call(now)
        while waiter.state == WAITING:
            try:
                await queue.look_out(waiter)
            except BaseException:
                queue.leave(waiter)
                raise
            if waiter.state == WAITING:
                with queue.lock:
                    self._fetcher.call(queue.now())
        if waiter.state != GRANTED:
            raise queue.refusal(waiter, now, max_wait)
        waiter.state = SERVED
        permit = Permit(self._ended, waiter.grant)
        try:
            tell_of_lost()
            if self._listeners:
                self._listeners.tell(Waited(lane=lane, seconds=queue.now() - now))
        except BaseException:
            permit.refund()
            raise
        return permit

    def _ended(self, permit: Permit, outcome: Outcome, retry_after: float | None) -> bool:
        queue = self._queue
        events: list[LimiterEvent] = []
        with queue.lock:
            now = queue.now()
            before = self._leases.free(now)
            if outcome == "refunded":
                ended = self._leases.untake(permit.grant)
            else:
                # Its token refills since it was taken.
                lease = self._leases.settle(permit.grant, now)
                ended = lease is not None
                if lease is not None and outcome == "throttled":
                    events = self._learn(lease.epoch, before, retry_after, now)
            if queue.waiting:
                queue.dispatch(now)
            if queue.waiting or self._fetcher.draining:
                self._fetcher.call(now)
        self._listeners.tell(*events)
        return ended

    def _learn(
        self, epoch: int, before: float, retry_after: float | None, now: float
    ) -> list[LimiterEvent]:
        """Take in a 429, after which all processes pause. Lock held."""
        leases = self._leases
        events: list[LimiterEvent] = []
        self._throttled += 1
        asked = pause_of(retry_after)
        pause = asked
        if epoch >= leases.epoch:
            leases.epoch = epoch + 1
            pause = pause_after(asked, leases.interval)
            if leases.alone is not None:
                leases.alone.drain(now, asked)
            leases.drop()
            drained = Drained(
                generation=leases.epoch,
                tokens=before,
                in_flight=len(leases.open),
                effective_rate=leases.effective_rate,
            )
            events.append(drained)
            self._fetcher.drain(epoch, asked)
        elif now + asked > leases.resume_at:
            self._fetcher.drain(epoch, asked)
        if now + pause > leases.resume_at:
            leases.resume_at = now + pause
            events.append(Paused(seconds=pause, retry_after=retry_after))
        return events

    def statistics(self) -> Budget:
        """Look at the budget, as far as this process knows it."""
        leases = self._leases
        queue = self._queue
        with queue.lock:
            now = queue.now()
            alone = leases.alone
            return Budget(
                tokens=leases.free(now),
                burst=leases.burst,
                rate=self._rate,
                effective_rate=leases.effective_rate if alone is None else alone.rate,
                in_flight=len(leases.open),
                max_in_flight=self._max_in_flight,
                waiting_interactive=queue.waiting_in("interactive"),
                waiting_background=queue.waiting_in("background"),
                estimated_wait=queue.estimate("interactive", now),
                estimated_wait_background=queue.estimate("background", now),
                paused_for=max(leases.resume_at - now, 0.0),
                granted=leases.granted,
                throttled=self._throttled,
                background_reserve=leases.reserve,
                kept_in="store" if self._outage.reason is None else "alone",
            )

    def listen(self, listener: Listener) -> Callable[[], object]:
        """Have *listener* called with every event; see `TokenBucket.listen`."""
        return self._listeners.add(listener)

    async def aclose(self) -> None:
        """Refuse everybody from now on; what was fetched and not used goes back to Redis."""
        with self._queue.lock:
            self._leases.resume_at = math.inf
            self._queue.close()
        await self._fetcher.aclose()
