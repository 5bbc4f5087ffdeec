"""
The task that asks Redis for tokens, for all who wait in this process.

It asks when somebody lacks a token, gives back what nobody needs, and tells of 429s. It lives in
whichever event loop needed it first, ends when that does, and is then started in another.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, cast

import anyio
import attrs

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import Clock, SystemClock
from talkjs_async._core.tasks import spawn
from talkjs_async.limits import LimiterEvent, StoreAway, StoreBack
from talkjs_async.limits._queue import Queue
from talkjs_async.limits._throttling import CUT, DEBT, LEAST_RATE, MARGIN, RECOVERY, SUSPICIOUS
from talkjs_async.limits._waiter import PollingWaiter
from talkjs_async.limits._waiter_types import waiter_type_here
from talkjs_async.redis._lease import HOLD, Leases
from talkjs_async.redis._outage import GRACE, SLOTS, Outage
from talkjs_async.redis._script import DRAIN, TAKE, Script, ScriptAnswer, TooLate, argument, read
from talkjs_async.redis._store import Door, Store, StoreRefused
from talkjs_async.telemetry import logger

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

PATIENCE: Final = 1.5
"""Seconds that an answer may take: connecting included."""


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
        drain: The 429 that it tells of.
    """

    script: Script
    values: dict[str, Any]
    lane: Lane = "interactive"
    want: int = 0
    debit: int = 0
    drain: tuple[int, float] | None = None


class Fetcher:
    """
    Sees to it that Redis is asked, by one task at a time.

    Attributes:
        calls: How many script calls there were.
    """

    def __init__(
        self,
        *,
        door: Door,
        keys: Sequence[str],
        leases: Leases,
        queue: Queue,
        clock: Clock,
        outage: Outage,
        announce: Callable[[LimiterEvent], None],
    ) -> None:
        self.calls = 0
        self._door = door
        self._keys = keys
        self._leases = leases
        self._queue = queue
        self._clock = clock
        self._outage = outage
        self._announce = announce
        self._member = secrets.token_hex(8)
        # The task: what it sleeps on and until when, and who waits for its end.
        self._task: PollingWaiter | None = None
        self._sleeps_until = math.inf
        self._mourner: PollingWaiter | None = None
        # What Redis said last. Its clock minus ours is not known before it has said anything.
        self._generation: str | None = None
        self._ahead_of_us: float | None = None
        # What is to be asked, and when.
        self._ask_again: dict[Lane, float] = {"interactive": -math.inf, "background": -math.inf}
        self._drain: tuple[int, float] | None = None
        self._beat_at = -math.inf
        self._served_at = -math.inf
        self._granted_before = (0, -math.inf)

    # For the limiter. Lock held.

    def call(self, now: float) -> None:
        """See to it that the task runs, and that it does not sleep while it has work."""
        if self._task is not None and not self._task.is_lost():
            if self._sleeps_until > now and self._next_work(now) < self._sleeps_until:
                self._task.wake()
            return
        try:
            kind = waiter_type_here(system_clock=False)
            task = cast("PollingWaiter", kind("interactive"))
        except RuntimeError:
            # Called from outside any event loop. The next caller who waits sees to it.
            return
        self._task = task
        self._sleeps_until = -math.inf
        on_asyncio = kind.__module__.endswith("asyncio")
        spawn(partial(self._run, task, self._door.open(on_asyncio=on_asyncio)))

    def expect(self, lane: Lane, now: float) -> None:
        """Have those who cannot wait wait for Redis's answer, if it is about to be asked."""
        away = self._outage.reason is not None and now < self._outage.retry_at
        if self._ask_again[lane] <= now and not away:
            self._leases.grace = PATIENCE

    def drain(self, epoch: int, retry_after: float) -> None:
        """Have all processes pause after a 429."""
        self._drain = (epoch, retry_after)

    @property
    def draining(self) -> bool:
        """Whether a 429 is still to be told."""
        return self._drain is not None

    async def aclose(self) -> None:
        """Give back what is left, once the queue is closed, and wait for the end of the task."""
        with self._queue.lock:
            self._leases.debit -= self._leases.drop()
            if self._leases.debit:
                self.call(self._queue.now())
            if self._task is None:
                return
            self._task.wake()
            self._mourner = mourner = self._waiter()
        await mourner.poll(self._clock, PATIENCE)

    # The task.

    async def _run(self, me: PollingWaiter, store: Store) -> None:
        try:
            while await self._work(me, store):
                pass
        except Exception as error:  # noqa: BLE001 - on trio it would end the whole program
            logger.exception("The limiter's task failed")
            self._lose(error)
        finally:
            await _close(store)
            with self._queue.lock:
                if self._task is me:
                    self._task = None
                    if self._queue.waiting:
                        # This event loop ends; somebody of another one has to take over.
                        self._queue.rouse()
                if self._mourner is not None:
                    self._mourner.wake()

    async def _work(self, me: PollingWaiter, store: Store) -> bool:
        """Ask once, or sleep until there is something to ask. False when there is nothing."""
        with self._queue.lock:
            now = self._queue.now()
            question = self._question(now)
            until = self._next_work(now)
            if question is None and until == math.inf:
                # Who waits for the end of a request in flight will soon need a token.
                until = (now if self._queue.waiting else self._served_at) + _IDLE
                if self._queue.closed or until <= now:
                    return False
            self._sleeps_until = until if question is None else -math.inf
        if question is None:
            await me.poll(self._clock, max(until - now, 0.0))
        else:
            await self._ask(store, question)
        return True

    def _next_work(self, now: float) -> float:
        """When there is something to ask."""
        leases, queue = self._leases, self._queue
        if self._outage.reason is not None:
            wanted = queue.waiting or (leases.debit and not queue.closed)
            return self._outage.retry_at if wanted else math.inf
        if self._drain is not None or leases.debit > 0 or (leases.debit and queue.closed):
            return now
        waiting = self._waiting()
        times = [
            again for lane, again in self._ask_again.items() if leases.lacking(lane, now, waiting)
        ]
        # What goes back can mostly wait for the next question.
        if len(leases):
            times.append(leases.stale_at() + HOLD)
        elif leases.debit:
            times.append(self._served_at + 2 * HOLD)
        return min(times, default=math.inf)

    def _question(self, now: float) -> _Question | None:
        """What to ask right now."""
        leases, queue = self._leases, self._queue
        if self._outage.reason is not None:
            return self._take("interactive", 0, now) if self._next_work(now) <= now else None
        if self._drain is not None:
            drain, self._drain = self._drain, None
            return self._pause_all(now, drain)
        if queue.closed:
            leases.debit -= leases.drop()
        leases.give_back(now, waiting=queue.waiting)
        waiting = self._waiting()
        for lane, again in self._ask_again.items():
            lacking = leases.lacking(lane, now, waiting)
            if lacking and again <= now:
                return self._take(lane, lacking, now)
        return self._take("interactive", 0, now) if self._next_work(now) <= now else None

    def _take(self, lane: Lane, want: int, now: float) -> _Question:
        leases = self._leases
        granted, since = self._granted_before
        demand = (leases.granted - granted) / max(now - since, HOLD / 2)
        self._granted_before = (leases.granted, now)
        beat = now >= self._beat_at
        if beat:
            self._beat_at = now + _HEARTBEAT
        debit = 0
        if self._outage.answers:
            debit, leases.debit = leases.debit, 0
        values = {
            **self._common_values(now),
            "want": want,
            "extra": min(int(demand * HOLD), _MOST_AHEAD),
            "reserve": leases.reserve if lane == "background" else 0,
            "background": lane == "background",
            "slots": SLOTS,
            "horizon": _HORIZON,
            "debit": debit,
            "away": 0 if self._outage.reason is None else now - self._outage.since,
            "grace": 0 if self._outage.reason is None else GRACE,
            "member": self._member if beat else None,
        }
        return _Question(TAKE, values, lane, want, debit)

    def _pause_all(self, now: float, drain: tuple[int, float]) -> _Question:
        leases = self._leases
        epoch, retry_after = drain
        # Whatever 429s teach, a background token must still fit in.
        room = leases.capacity(now) - 1 - leases.reserve
        values = {
            **self._common_values(now),
            "debit": 0,
            "grace": 0,
            "drained": epoch,
            "retry_after": retry_after,
            "pause": DEBT,
            "debt": DEBT * leases.rate,
            "most_learned": max(0.0, min(leases.burst * MARGIN, room)),
            "suspicious": SUSPICIOUS,
            "cut": CUT,
            "least": LEAST_RATE,
        }
        return _Question(DRAIN, values, drain=drain)

    def _common_values(self, now: float) -> dict[str, Any]:
        leases = self._leases
        deadline = None
        its_clock = None
        if type(self._clock) is not SystemClock:
            its_clock = now
        elif self._ahead_of_us is not None:
            # Whoever gives up must not be charged later, when Redis comes round to it.
            deadline = now + self._ahead_of_us + PATIENCE
        return {
            "now": its_clock,
            "deadline": deadline,
            "interval": leases.interval,
            "capacity": leases.capacity(now),
            "generation": self._generation,
            "new_generation": secrets.token_hex(8),
            "missing": self._missing(now),
            "epoch": leases.epoch,
            "recovery": RECOVERY,
        }

    def _missing(self, now: float) -> float | None:
        """What the bucket lacked when we last heard of it. None when we never did."""
        if self._generation is None:
            return None
        if self._outage.reason is None:
            return self._leases.missing
        # Slots that were reserved then have passed.
        return min(self._leases.missing, self._leases.capacity(now))

    async def _ask(self, store: Store, question: _Question) -> None:
        leases = self._leases
        leases.grace = PATIENCE
        self.calls += 1
        try:
            answer = await store.run(question.script, self._keys, argument(**question.values))
            reply = read(answer)
        except Exception as error:  # noqa: BLE001 - a `Store` may raise anything
            self._lose(error, question)
            return
        event = None
        with self._queue.lock:
            now = self._queue.now()
            leases.grace = 0.0
            self._ahead_of_us = reply.now - now
            if isinstance(reply, TooLate):
                # Nobody would have waited for an answer that is late: a clock has jumped.
                self._keep(question)
                return
            self._learn(reply, question, now)
            if self._outage.reason is not None:
                spent = self._outage.answered(reply, leases, now)
                event = None if spent is None else StoreBack(spent=spent)
            self._queue.dispatch(now)
        if event is not None:
            logger.warning("Redis at %s is back", self._door.shown)
            self._announce(event)

    def _learn(self, reply: ScriptAnswer, question: _Question, now: float) -> None:
        leases = self._leases
        if self._generation not in {None, reply.generation}:
            # The bucket is again as it was when we last saw it. What we used since has refilled.
            leases.debit = 0
        self._generation = reply.generation
        self._outage.processes = reply.members or self._outage.processes
        leases.received(reply, question.lane, now)
        if not question.want:
            return
        self._served_at = now
        again = now
        if reply.paused:
            again = now + min(reply.paused, _POLL)
        elif reply.reserved:
            again = now + reply.wait + (reply.reserved - 1) * leases.interval / reply.rate
        elif reply.granted < question.want:
            again = now + (max(reply.wait, 0.001) if reply.wait <= _HORIZON else _POLL)
        self._ask_again[question.lane] = again

    def _lose(self, error: Exception, question: _Question | None = None) -> None:
        """Go on without Redis."""
        words = str(error).rstrip(".") or type(error).__name__
        reason = f"Redis at {self._door.shown}: {words}."
        leases = self._leases
        with self._queue.lock:
            now = self._queue.now()
            leases.grace = 0.0
            if question is not None:
                self._keep(question)
            # Redis itself said no, and has never said yes: that is a mistake, and no outage.
            mistake = isinstance(error, StoreRefused) and self._generation is None
            refuse = self._outage.policy == "closed" or mistake
            news = self._outage.begin(reason, leases, now, refuse=refuse)
            if leases.alone is None:
                self._queue.refuse(reason)
            rate = 0.0 if leases.alone is None else leases.alone.rate
            self._queue.dispatch(now)
        if news:
            logger.warning("%s This process goes on with %.2f requests/s", reason, rate)
            self._announce(StoreAway(reason=reason, effective_rate=rate))

    def _keep(self, question: _Question) -> None:
        """Say it again later: a report that may have arrived, but not tokens that may be back."""
        self._leases.debit += max(question.debit, 0)
        self._drain = self._drain or question.drain

    def _waiting(self) -> dict[Lane, int]:
        return {lane: self._queue.waiting_in(lane) for lane in self._ask_again}

    @staticmethod
    def _waiter() -> PollingWaiter:
        return cast("PollingWaiter", waiter_type_here(system_clock=False)("interactive"))


async def _close(store: Store) -> None:
    with anyio.move_on_after(1, shield=True):
        try:
            await store.aclose()
        except Exception:  # noqa: BLE001 - a `Store` may raise anything
            logger.exception("Closing the limiter's connection failed")
