"""
The same request budget for many processes and machines, in Redis or Valkey. Needs `[redis]`.

One task per process fetches tokens, whoever waits for them: a few calls a second at TalkJS's rates.
While Redis is away, each process goes on with its share, and reports afterwards what it used.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal, cast

import attrs

from talkjs_async._core.clock import SYSTEM_CLOCK, Clock, SystemClock
from talkjs_async._core.limits.line import Line
from talkjs_async._core.limits.tokens import (
    CUT,
    DEBT,
    LEAST_RATE,
    MARGIN,
    RECOVERY,
    SUSPICIOUS,
    Tokens,
    check_call,
    check_limits,
    pause_of,
)
from talkjs_async._core.limits.waiting import GRANTED, SERVED, WAITING, Dozer, Lane, kind_here
from talkjs_async._core.redis.lease import HOLD, Leases
from talkjs_async._core.redis.script import DRAIN, TAKE, Reply, Script, expiring, read
from talkjs_async._core.redis.store import Door, Store, StoreLost, StoreRefused
from talkjs_async.errors import ConfigurationError, LimiterUnavailable
from talkjs_async.limits import (
    Budget,
    Drained,
    LimiterEvent,
    Listener,
    Paused,
    StoreAway,
    StoreBack,
    Waited,
)
from talkjs_async.telemetry import logger

__all__ = ["RedisLimiter", "Store"]

_LIMITS: Final[dict[str, tuple[float, int]]] = {"ordinary": (9.0, 600), "batch": (1.0, 500)}

_SLOTS: Final = 2
"""Tokens that one process gets at its turn: half a call per token, and the others wait for two."""

_HORIZON: Final = 2.0
"""Seconds. Later slots are not reserved: an interactive call of another process may come first."""

_POLL: Final = 1.0
"""Seconds between two questions while nothing can be had."""

_MOST_AHEAD: Final = 64
"""Tokens that a busy process fetches ahead, at most."""

_IDLE: Final = 30.0
"""Seconds without work after which the task ends and its connection is closed."""

_HEARTBEAT: Final = 1.0
"""Seconds between two signs of life, from which the processes are counted."""

_ASKING: Final = 1.5
"""Seconds by which *max_wait* is prolonged while Redis is being asked: connecting included."""

_BACK_OFF: Final = (0.25, 2.0)
"""Seconds between attempts to reach Redis, the first and the longest."""

_GRACE: Final = 2.5
"""
Seconds for which a process still keeps to its share when Redis is back: longer than the longest
back-off, so that all have reported what they used before anybody takes from the bucket again.
"""


@attrs.frozen
class _Question:
    """
    One script call.

    Attributes:
        script: What to run.
        values: Its arguments.
        lane: Whom the tokens are for.
        want: How many callers are to be served by it.
        debit: What it reports.
    """

    script: Script
    values: dict[str, Any]
    lane: Lane = "interactive"
    want: int = 0
    debit: int = 0


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
        calls: How many script calls there were.
    """

    def __init__(
        self,
        url_or_client: object,
        app_id: str,
        *,
        endpoint_class: Literal["ordinary", "batch"] = "ordinary",
        rate: float | None = None,
        burst: int | None = None,
        max_in_flight: int | None = 20,
        background_floor: int | None = None,
        margin: float | None = None,
        on_outage: Literal["share", "closed", "open"] = "share",
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
            background_floor: Tokens that the lane "background" may not touch, in any process. None
                for a twentieth of *burst*.
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
        documented = _LIMITS.get(endpoint_class)
        if documented is None:
            raise ConfigurationError("endpoint_class", f"'ordinary' or 'batch': {endpoint_class!r}")
        if on_outage not in {"share", "closed", "open"}:
            raise ConfigurationError("on_outage", f"'share', 'closed' or 'open': {on_outage!r}")
        if not app_id:
            raise ConfigurationError("app_id", "the ID of the app whose budget it is")
        if not processes >= 1:
            raise ConfigurationError("processes", f"at least 1: {processes!r}")
        rate = documented[0] if rate is None else rate
        burst = documented[1] if burst is None else burst
        check_limits(rate, burst, max_in_flight, background_floor)
        if margin is not None and not 0 <= margin < burst:
            raise ConfigurationError("margin", f"0 or more and less than burst: {margin!r}")
        self.clock = clock
        self.calls = 0
        self._door = Door(url_or_client)
        # The braces keep both keys in one slot of a cluster.
        bucket = f"{namespace}:{{{app_id}}}:{endpoint_class}"
        self._keys = (bucket, f"{bucket}:processes")
        self._rate = rate
        self._max_in_flight = max_in_flight
        self._on_outage = on_outage
        self._leases = Leases(
            rate=rate,
            burst=burst,
            max_in_flight=max_in_flight,
            floor=background_floor,
            margin=margin,
            now=clock.monotonic(),
        )
        self._line = Line(self._leases, clock)
        self._throttled = 0
        self._listeners: tuple[Listener, ...] = ()
        self._member = secrets.token_hex(8)
        # What Redis told us last.
        self._generation: str | None = None
        self._members = processes
        self._ahead_of_us: float | None = None  # Redis's clock minus ours
        # The task that asks: what it sleeps on, until when, and what it has to do.
        self._puller: Dozer | None = None
        self._sleeps_until = math.inf
        self._ask_again: dict[Lane, float] = {"interactive": -math.inf, "background": -math.inf}
        self._drain: tuple[int, float] | None = None
        self._beat_at = -math.inf
        self._idle_since = -math.inf
        self._granted_before = (0, -math.inf)
        # An outage: why, when to try again, how long to wait then, until when to keep to the share.
        self._trouble: str | None = None
        self._retry_at = -math.inf
        self._back_off = _BACK_OFF[0]
        self._reported = False

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._keys[0]} at {self._door.shown}: {self.statistics()!r}>"

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> int:
        """Wait for the token of one attempt; see `Limiter.acquire`."""
        _, most = check_call(self._leases.lanes, lane, max_wait)
        line = self._line
        with line.lock:
            now = line.now()
            if (
                not line.waiting
                and (line.last is None or line.last.state != GRANTED)
                and self._leases.due(lane, now, owed=False) <= now
            ):
                return self._leases.take(lane)
            if self._trouble is not None and self._leases.alone is None and now < self._retry_at:
                raise LimiterUnavailable(self._trouble)
            if self._ask_again[lane] <= now and self._leases.in_flight < most:
                # Whether there are tokens at once, Redis has to say first.
                self._leases.patience = _ASKING
            waiter = line.join(lane, now, max_wait)
            if waiter.state == WAITING:
                self._call_puller(now)
        while waiter.state == WAITING:
            try:
                await line.look_out(waiter)
            except BaseException:
                line.leave(waiter)
                raise
            if waiter.state == WAITING:
                with line.lock:
                    self._call_puller(line.now())
        if waiter.state != GRANTED:
            raise line.refusal(waiter, now, max_wait)
        waiter.state = SERVED
        if self._listeners:
            self._announce(Waited(lane=lane, seconds=line.now() - now))
        return waiter.epoch

    def settle(self) -> None:
        """End a permit; see `Limiter.settle`. Its token refills since it was taken."""
        line = self._line
        with line.lock:
            if self._leases.in_flight:
                now = line.now()
                self._leases.answered(now)
                self._after_an_end(now)

    def refund(self) -> None:
        """End a permit: its token is back at once; see `Limiter.refund`."""
        line = self._line
        with line.lock:
            if self._leases.in_flight:
                now = line.now()
                self._leases.refunded()
                if line.waiting:
                    line.pump(now)
                self._after_an_end(now)

    def throttled(self, epoch: int, retry_after: float | None = None) -> None:
        """End a permit: the answer was 429; see `Limiter.throttled`. All processes pause."""
        leases = self._leases
        events: list[LimiterEvent] = []
        with self._line.lock:
            now = self._line.now()
            before = leases.free(now)
            if leases.in_flight:
                leases.answered(now)
            self._throttled += 1
            asked = pause_of(retry_after)
            pause = asked
            if epoch >= leases.epoch:
                leases.epoch = epoch + 1
                pause = max(DEBT + leases.interval, asked)
                if leases.alone is not None:
                    leases.alone.drain(now, asked)
                leases.drop()
                events = [
                    Drained(
                        epoch=leases.epoch,
                        tokens=before,
                        in_flight=leases.in_flight,
                        effective_rate=leases.effective_rate,
                    )
                ]
                self._drain = (epoch, asked)
            elif now + asked > leases.resume_at:
                self._drain = (epoch, asked)
            if now + pause > leases.resume_at:
                leases.resume_at = now + pause
                events.append(Paused(seconds=pause, retry_after=retry_after))
            self._after_an_end(now)
        self._announce(*events)

    def statistics(self) -> Budget:
        """Look at the budget, as far as this process knows it."""
        leases = self._leases
        line = self._line
        with line.lock:
            now = line.now()
            alone = leases.alone
            return Budget(
                tokens=leases.free(now),
                burst=leases.burst,
                rate=self._rate,
                effective_rate=leases.effective_rate if alone is None else alone.rate,
                in_flight=leases.in_flight,
                max_in_flight=self._max_in_flight,
                waiting_interactive=line.waiting_in("interactive"),
                waiting_background=line.waiting_in("background"),
                estimated_wait=line.estimate("interactive", now),
                estimated_wait_background=line.estimate("background", now),
                paused_for=max(leases.resume_at - now, 0.0),
                granted=leases.granted,
                throttled=self._throttled,
                kept_in="store" if self._trouble is None else "alone",
            )

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have *listener* called with every event; see `TokenBucket.listen`."""
        with self._line.lock:
            self._listeners = (*self._listeners, listener)

        def stop() -> None:
            with self._line.lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return stop

    async def aclose(self) -> None:
        """Refuse everybody from now on; what was fetched and not used goes back to Redis."""
        with self._line.lock:
            self._leases.resume_at = math.inf
            self._line.close()
            if self._puller is not None:
                self._puller.wake()

    # The task that asks Redis.

    def _after_an_end(self, now: float) -> None:
        line = self._line
        if line.waiting and (line.blocked or now >= line.due):
            line.pump(now)
        if self._drain is not None or line.waiting:
            self._call_puller(now)

    def _waiting(self) -> dict[Lane, int]:
        line = self._line
        return {lane: line.waiting_in(lane) for lane in self._ask_again}

    def _call_puller(self, now: float) -> None:
        """See to it that the task runs, and that it does not sleep while it has work."""
        if self._puller is not None and not self._puller.is_lost():
            if self._sleeps_until > now and self._next_work(now) < self._sleeps_until:
                self._puller.wake()
            return
        try:
            kind = kind_here(system_clock=False)
            puller = cast("Dozer", kind("interactive"))
        except RuntimeError:
            # Called from outside any event loop. The next caller who waits sees to it.
            return
        self._puller = puller
        self._sleeps_until = -math.inf
        on_asyncio = kind.__module__.endswith("asyncio")
        puller.spawn(partial(self._pull, puller, self._door.open(on_asyncio=on_asyncio)))

    def _next_work(self, now: float) -> float:
        """When the task has something to ask."""
        leases = self._leases
        if self._trouble is not None:
            return self._retry_at if self._line.waiting or leases.debit else math.inf
        if self._drain is not None or leases.debit:
            return now
        waiting = self._waiting()
        lacking = [
            again for lane, again in self._ask_again.items() if leases.lacking(lane, now, waiting)
        ]
        return min([*lacking, leases.stale_at()])

    async def _pull(self, me: Dozer, store: Store) -> None:
        try:
            while await self._work(me, store):
                pass
        except Exception as error:  # noqa: BLE001 - on trio it would end the whole program
            logger.exception("The limiter's task failed")
            self._lose(error, 0)
        finally:
            with self._line.lock:
                if self._puller is me:
                    self._puller = None
                    if self._line.waiting:
                        # This event loop ends; somebody of another one has to take over.
                        self._line.rouse()
            await _close(store)

    async def _work(self, me: Dozer, store: Store) -> bool:
        """Ask once, or sleep until there is something to ask. False when there is nothing."""
        with self._line.lock:
            now = self._line.now()
            question = self._question(now)
            until = self._next_work(now)
            if question is None and until == math.inf:
                if self._line.closed:
                    return False
                until = self._idle_since + _IDLE
                if until <= now:
                    return False
            self._sleeps_until = until if question is None else -math.inf
        if question is None:
            await me.doze(self.clock, max(until - now, 0.0))
        else:
            await self._ask(store, question)
        return True

    def _question(self, now: float) -> _Question | None:
        """What to ask right now."""
        leases = self._leases
        if self._trouble is not None:
            if now < self._retry_at or not (self._line.waiting or leases.debit):
                return None
            return self._take("interactive", 0, now)
        if self._drain is not None:
            drain, self._drain = self._drain, None
            return self._pause_all(now, *drain)
        leases.give_back(now, waiting=self._line.waiting)
        waiting = self._waiting()
        for lane, again in self._ask_again.items():
            lacking = leases.lacking(lane, now, waiting)
            if lacking and again <= now:
                return self._take(lane, lacking, now)
        return self._take("interactive", 0, now) if leases.debit else None

    def _take(self, lane: Lane, want: int, now: float) -> _Question:
        leases = self._leases
        granted, since = self._granted_before
        demand = (leases.granted - granted) / max(now - since, HOLD / 2)
        self._granted_before = (leases.granted, now)
        beat = now >= self._beat_at
        if beat:
            self._beat_at = now + _HEARTBEAT
        debit, leases.debit = leases.debit, 0
        values = {
            **self._common_values(now),
            "want": want,
            "extra": min(int(demand * HOLD), _MOST_AHEAD) if want else 0,
            "floor": leases.floor if lane == "background" else 0,
            "background": lane == "background",
            "slots": _SLOTS,
            "horizon": _HORIZON * 1e6,
            "debit": debit,
            "grace": _GRACE * 1e6 if self._trouble is not None else 0,
            "member": self._member if beat else None,
        }
        return _Question(TAKE, values, lane, want, debit)

    def _pause_all(self, now: float, epoch: int, retry_after: float) -> _Question:
        leases = self._leases
        values = {
            **self._common_values(now),
            "debit": 0,
            "grace": 0,
            "drained": epoch,
            "retry_after": retry_after * 1e6,
            "pause": DEBT * 1e6,
            "debt": DEBT * leases.rate,
            "most_learned": max(
                0.0, min(leases.burst * MARGIN, leases.capacity(now) - 1 - leases.floor)
            ),
            "suspicious": SUSPICIOUS * 1e6,
            "cut": CUT,
            "least": LEAST_RATE,
        }
        return _Question(DRAIN, values)

    def _common_values(self, now: float) -> dict[str, Any]:
        leases = self._leases
        known = self._generation is not None
        deadline = None
        engine = None
        if type(self.clock) is not SystemClock:
            engine = _microseconds(now)
        elif self._ahead_of_us is not None:
            # Whoever gives up must not be charged later, when Redis comes round to it.
            deadline = _microseconds(now + self._ahead_of_us + _ASKING)
        return {
            "now": engine,
            "deadline": deadline,
            "interval": leases.interval * 1e6,
            "capacity": leases.capacity(now),
            "generation": self._generation,
            "missing": leases.missing if known else None,
            "epoch": leases.epoch,
            "recovery": RECOVERY / 1e6,
            "new_generation": secrets.token_hex(8),
        }

    async def _ask(self, store: Store, question: _Question) -> None:
        self._leases.patience = _ASKING
        argument = expiring(**question.values)
        self.calls += 1
        try:
            reply = read(await store.run(question.script, self._keys, argument))
        except Exception as error:  # noqa: BLE001 - a `Store` may raise anything
            self._lose(error, question.debit)
            return
        if reply is None:
            self._lose(StoreLost("Redis came round to the call too late"), question.debit)
            return
        events: list[LimiterEvent] = []
        with self._line.lock:
            now = self._line.now()
            self._leases.patience = 0.0
            self._learn(reply, question, now)
            if self._trouble is not None:
                events = self._recover(reply, now)
            self._line.pump(now)
        self._announce(*events)

    def _learn(self, reply: Reply, question: _Question, now: float) -> None:
        leases = self._leases
        self._generation = reply.generation
        self._members = reply.members or self._members
        self._ahead_of_us = reply.now - now
        leases.received(reply, question.lane, now)
        if not question.want:
            return
        self._idle_since = now
        again = now
        if reply.paused:
            again = now + min(reply.paused, _POLL)
        elif reply.reserved:
            again = now + reply.wait + (reply.reserved - 1) * leases.interval / reply.rate
        elif reply.granted < question.want:
            again = now + (max(reply.wait, 0.001) if reply.wait <= _HORIZON else _POLL)
        self._ask_again[question.lane] = again

    # Outages.

    def _lose(self, error: Exception, debit: int) -> None:
        """Go on without Redis; what was to be reported is kept."""
        text = f"Redis at {self._door.shown}: {str(error) or type(error).__name__}"
        leases = self._leases
        events: list[LimiterEvent] = []
        with self._line.lock:
            now = self._line.now()
            leases.patience = 0.0
            # A report that may have arrived is repeated; tokens that may be back are not.
            leases.debit += max(debit, 0)
            first = self._trouble is None
            self._trouble = text
            self._reported = False
            self._retry_at = now + self._back_off
            self._back_off = min(2 * self._back_off, _BACK_OFF[1])
            refused = isinstance(error, StoreRefused) and self._generation is None
            if self._on_outage == "closed" or refused:
                self._line.refuse(text)
            elif leases.alone is None:
                leases.alone = self._bucket_alone(now)
            rate = 0.0 if leases.alone is None else leases.alone.rate
            if first:
                events = [StoreAway(reason=text, effective_rate=rate)]
            self._line.pump(now)
        if first:
            logger.warning("%s. This process goes on with %.2f requests/s", text, rate)
        self._announce(*events)

    def _bucket_alone(self, now: float) -> Tokens:
        leases = self._leases
        # What was fetched has been charged already.
        held = leases.drop()
        leases.debit -= held
        parts = self._members if self._on_outage == "share" else 1
        burst = max(leases.burst // parts, 1)
        known = held if self._on_outage == "share" else leases.free(now) + held
        return Tokens(
            rate=self._rate / parts,
            burst=burst,
            max_in_flight=None,
            floor=leases.floor // parts,
            tokens=min(known, burst),
            now=now,
        )

    def _recover(self, reply: Reply, now: float) -> list[LimiterEvent]:
        """Redis answers: report, keep to the share until all have reported, then go back."""
        leases = self._leases
        self._back_off = _BACK_OFF[0]
        if leases.alone is not None and not self._reported:
            self._reported = True
            self._retry_at = now + max(_GRACE, reply.paused)
            return []
        spent = 0 if leases.alone is None else leases.alone.granted
        leases.alone = None
        self._trouble = None
        logger.warning("Redis at %s is back", self._door.shown)
        return [StoreBack(spent=spent)]

    def _announce(self, *events: LimiterEvent) -> None:
        for event in events:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:  # noqa: BLE001 - it is somebody else's code
                    logger.exception("A listener failed on %s", type(event).__name__)


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


async def _close(store: Store) -> None:
    from anyio import move_on_after  # noqa: PLC0415 - loads asyncio

    with move_on_after(1, shield=True):
        try:
            await store.aclose()
        except Exception:  # noqa: BLE001 - a `Store` may raise anything
            logger.exception("Closing the limiter's connection failed")
