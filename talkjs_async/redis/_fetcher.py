"""
The tasks that ask Redis, for all callers that wait in this process.

Each event loop with waiting callers has one. The one on duty asks; the others check now and then
whether it is stuck, and take over if so. A task ends when it has nothing to do, or when its event
loop ends. Knows tasks and time, nothing of tokens.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import get_ident
from typing import Final, cast

import anyio

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import Clock, SystemClock
from talkjs_async._core.tasks import beside, in_trio, spawn, stray_cancellation_fails
from talkjs_async.limits._queue import SLACK, Queue
from talkjs_async.limits._waiter import PollingWaiter
from talkjs_async.limits._waiter_types import waiter_type_here
from talkjs_async.redis._account import Account
from talkjs_async.redis._dialogue import Dialogue, Question
from talkjs_async.redis._messages import read
from talkjs_async.redis._outage import Outage
from talkjs_async.redis._script import ASK
from talkjs_async.redis._store import ClientStore, Store, StoreLost, StoreOpener, StoreRefused
from talkjs_async.telemetry import (
    LimiterEvent,
    SettingsDiffer,
    StoreAway,
    StoreBack,
    StoreLostData,
    log,
)

_IDLE: Final = 30.0
"""Seconds without work after which a task ends and its connection is closed."""

_STUCK: Final = 0.4
"""Seconds late after which a task counts as stuck: its event loop is busy."""

_LOOK: Final = 0.2
"""Seconds between two checks by the tasks that are not on duty."""

_CONNECT: Final = 6.0
"""Seconds for a first answer: connecting, TLS and password included, at any distance."""

_CONNECT_WAIT: Final = 2.0
"""Seconds after which callers go on without Redis while it still connects."""

_LEAST_BOUND, _MOST_BOUND, _ROUND_TRIPS = 1.0, 2.0, 4
"""Seconds for a later answer: four times what the slowest one took lately, within bounds."""

CLOSE_TIME: Final = 1.5
"""Seconds that closing waits for the last call of Redis."""


class Fetcher:
    """
    Asks Redis, from one task at a time.

    Attributes:
        calls: How many script calls were made.
    """

    def __init__(
        self,
        *,
        opener: StoreOpener,
        keys: Sequence[str],
        account: Account,
        queue: Queue,
        clock: Clock,
        outage: Outage,
        dialogue: Dialogue,
        announce: Callable[[LimiterEvent], None],
    ) -> None:
        self.calls = 0
        self._opener = opener
        self._keys = keys
        self._account = account
        self._queue = queue
        self._clock = clock
        self._outage = outage
        self._dialogue = dialogue
        self._announce = announce
        # The tasks, one per thread; the one on duty; until when that one may sleep.
        self._tasks: dict[int, PollingWaiter] = {}
        self._duty: PollingWaiter | None = None
        self._quiet_until = math.inf
        self._asking = False
        self._closing: PollingWaiter | None = None
        # Whether the connection has carried an answer, and how long the slowest took lately.
        self._connected = False
        self._took = 0.0

    # For the limiter. Lock held.

    def call(self, now: float, *, stay: bool) -> None:
        """
        Make sure that a task is on duty, and does not sleep while it has work.

        Args:
            now: The clock.
            stay: Whether a caller waits in this event loop, which then has a task of its own.
        """
        duty = self._duty
        if duty is not None and not duty.is_lost():
            if not self._asking and self._quiet_until > now:
                work = self._next_work(now)
                if work < self._quiet_until:
                    duty.wake()
                    self._quiet_until = now
            if not stay:
                return
        elif not stay and self._next_work(now) == math.inf:
            return
        here = get_ident()
        task = self._tasks.get(here)
        if task is not None and not task.is_lost():
            return
        try:
            task = self._waiter()
        except RuntimeError:
            # Called from outside any event loop. The next caller that waits starts a task.
            return
        self._tasks[here] = task
        spawn(partial(self._run, task, here))

    def expect(self, lane: Lane, now: float) -> None:
        """Let callers with no time to wait still wait for Redis, if it is about to be asked."""
        if self._dialogue.may_ask(lane, now):
            self._account.grace = self._answer_bound

    async def aclose(self) -> None:
        """Tell Redis that this process leaves, once the queue is closed, and await its tasks."""
        with self._queue.lock:
            now = self._queue.now()
            self._account.drop()
            self.call(now, stay=False)
            for task in self._tasks.values():
                task.wake()
            if self._duty is None and not self._tasks:
                return
            self._closing = closing = self._waiter()
        await closing.poll(self._clock, CLOSE_TIME)

    # The tasks.

    async def _run(self, me: PollingWaiter, here: int) -> None:
        store: Store | None = None
        try:
            while True:
                with self._queue.lock:
                    on_duty = self._takes_duty(me)
                    if not on_duty and not self._queue.waiting:
                        return
                if not on_duty:
                    await me.poll(self._clock, _LOOK)
                    continue
                if store is None:
                    store = self._opener.open(on_asyncio=not in_trio())
                if not await self._work(me, store):
                    return
        except Exception as error:  # noqa: BLE001 - on trio it would end the whole program
            log(logging.ERROR, "The limiter's task failed", exc_info=True)
            self._lose(me, error)
        finally:
            if store is not None:
                await _close(store)
            with self._queue.lock:
                if self._tasks.get(here) is me:
                    del self._tasks[here]
                if self._duty is me:
                    self._duty = None
                    self._connected = False
                if self._queue.waiting:
                    # This event loop ends; another one has to take over.
                    self._queue.rouse()
                if self._closing is not None and not self._tasks:
                    self._closing.wake()

    def _takes_duty(self, me: PollingWaiter) -> bool:
        now = self._queue.now()
        duty = self._duty
        if duty is None or duty.is_lost() or now > self._quiet_until + _STUCK:
            self._duty = me
            self._asking = False
            self._connected = False
        if self._queue.due < now - _STUCK:
            # The timer of the queue is in an event loop that is stuck.
            self._queue.dispatch(now)
        return self._duty is me

    async def _work(self, me: PollingWaiter, store: Store) -> bool:
        """Ask once, or sleep until there is something to ask. False when there is nothing."""
        queue = self._queue
        with queue.lock:
            until = now = queue.now()
            clock = None if type(self._clock) is SystemClock else now
            waiting = self._waiting()
            question = self._dialogue.question(now, clock, waiting, closed=queue.closed)
            if question is not None:
                self._quiet_until = now + self._answer_bound
                self._asking = True
            else:
                until = self._next_work(now)
                if until == math.inf:
                    # A call that waits for a request in flight to end will soon need a token.
                    until = (now if queue.waiting else self._dialogue.served_at) + _IDLE
                    if queue.closed or until <= now:
                        return False
                if len(self._tasks) > 1:
                    until = min(until, now + _LOOK)
                self._quiet_until = until
        if question is None:
            await me.poll(self._clock, max(until + SLACK - now, 0.0))
        else:
            await self._ask(me, store, question, now)
        return True

    def _next_work(self, now: float) -> float:
        return self._dialogue.next_work(now, self._waiting(), closed=self._queue.closed)

    def _waiting(self) -> Mapping[Lane, int]:
        return {
            "interactive": self._queue.waiting_in("interactive"),
            "background": self._queue.waiting_in("background"),
        }

    @property
    def _answer_bound(self) -> float:
        """Seconds that callers wait for an answer."""
        if not self._connected:
            return _CONNECT_WAIT
        return min(max(_LEAST_BOUND, _ROUND_TRIPS * self._took), _MOST_BOUND)

    async def _ask(
        self, me: PollingWaiter, store: Store, question: Question, asked_at: float
    ) -> None:
        self._account.grace = self._answer_bound
        self.calls += 1
        problem: Exception | None = None
        reply = None
        try:
            if self._connected:
                reply = read(await self._answer(store, question, self._answer_bound))
            else:
                with beside(partial(self._stop_waiting, me)):
                    reply = read(await self._answer(store, question, _CONNECT))
        except Exception as error:  # noqa: BLE001 - a `Store` may raise anything
            problem = error
        if problem is not None:
            self._lose(me, problem)
            if isinstance(store, ClientStore):
                await store.drop()
            with self._queue.lock:
                if self._duty is me:
                    self._asking = self._connected = False
            return
        with self._queue.lock:
            if self._duty is not me:
                # Another task has asked since, and Redis took back what it granted to this one.
                return
            now = self._queue.now()
            self._asking = False
            self._account.grace = 0.0
            took = now - asked_at
            if self._connected:
                self._took = max(took, 0.9 * self._took)
            self._connected = True
            events = self._dialogue.answer(reply, question, now, took=took)
            self._queue.dispatch(now)
        self._tell(*events)

    async def _answer(self, store: Store, question: Question, bound: float) -> str | bytes:
        with anyio.move_on_after(bound), stray_cancellation_fails("The store"):
            return await store.run(ASK, self._keys, question.argument)
        raise StoreLost(f"it has not answered within {bound:.1f} s")

    async def _stop_waiting(self, me: PollingWaiter) -> None:
        # In real time, in which Redis answers, whatever clock the callers wait by.
        await anyio.sleep(_CONNECT_WAIT)
        self._lose(me, StoreLost(f"it has not answered within {_CONNECT_WAIT:.1f} s"))

    def _lose(self, me: PollingWaiter, error: Exception) -> None:
        """Go on without Redis."""
        words = str(error).rstrip(".") or type(error).__name__
        reason = f"Redis at {self._opener.shown}: {words}."
        account, outage = self._account, self._outage
        with self._queue.lock:
            if self._duty is not me:
                return
            now = self._queue.now()
            account.grace = 0.0
            self._dialogue.failed(closed=self._queue.closed)
            # Redis refused, and has never answered before: a wrong setting, not an outage.
            mistake = isinstance(error, StoreRefused) and account.seen is None
            news = outage.begin(reason, account, now, refuse=mistake)
            if account.alone is None:
                self._queue.refuse(reason)
            rate = 0.0 if account.alone is None else account.alone.rate
            self._queue.dispatch(now)
        if news:
            self._tell(StoreAway(reason=reason, effective_rate=rate))

    def _tell(self, *events: LimiterEvent) -> None:
        for event in events:
            log(logging.WARNING, "The budget in %s", self._sentence(event))
            self._announce(event)

    def _sentence(self, event: LimiterEvent) -> str:
        where = f"Redis at {self._opener.shown}"
        match event:
            case StoreAway():
                rate = f"this process goes on with {event.effective_rate:.2f} requests/s"
                return f"{event.reason} Until it is back, {rate}."
            case StoreBack():
                return f"{where} is back. {event.spent} requests were sent without it."
            case StoreLostData():
                return f"{where}: {event.reason}. It goes on without a burst."
            case SettingsDiffer():
                return (
                    f"{where}: processes of one app have different settings. Here: {event.rate:g} "
                    f"requests/s, burst {event.burst}; in force, because smaller: "
                    f"{event.rate_in_force:g} requests/s, burst {event.burst_in_force}."
                )
        return str(event)

    @staticmethod
    def _waiter() -> PollingWaiter:
        return cast("PollingWaiter", waiter_type_here(system_clock=False)("interactive"))


async def _close(store: Store) -> None:
    with anyio.move_on_after(1, shield=True):
        try:
            await store.aclose()
        except Exception:  # noqa: BLE001 - a `Store` may raise anything
            log(logging.ERROR, "Closing the limiter's connection failed", exc_info=True)
