"""
A machine that does to a limiter, step by step, whatever callers and clocks can do to it.

After every step Hypothesis checks the invariants. The event loop runs in a thread of its own and
stands still between two steps, so that no virtual time passes unless a step lets it. `laws.py`
states more laws, about whole programs. Knows nothing of any one limiter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, ClassVar

import anyio
import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from talkjs_async import Lane
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.errors import LimiterUnavailable, RateLimitWaitTimeout
from talkjs_async.limits import Limiter, Permit
from tests.limits.laws import ShakyClock

RATE, BURST, RESERVE, CAP = 8.0, 24, 10, 12

INSTANT = 2**-14
"""Seconds in which everything happens that needs no waiting."""

LANES: tuple[Lane, Lane] = ("interactive", "background")

Job = Callable[[], Coroutine[Any, Any, None]]


class Stage:
    """
    An event loop in another thread, frozen except while it does what it is told.

    Attributes:
        clock: Its time.
    """

    def __init__(self, backend: str) -> None:
        self.clock = VirtualClock()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._outcomes: SimpleQueue[BaseException | None] = SimpleQueue()
        self._tasks: anyio.abc.TaskGroup
        self._thread = threading.Thread(
            target=anyio.run, args=(self._run,), kwargs={"backend": backend}
        )
        self._thread.start()

    def do(self, job: Job) -> None:
        """Carry out *job*, and whatever follows from it in the same instant."""
        self._jobs.put(job)
        outcome = self._outcomes.get()
        if outcome is not None:
            raise outcome

    def start(self, job: Job) -> None:
        """Start *job*, which may take longer than this step."""

        async def start() -> None:
            self._tasks.start_soon(job)

        self.do(start)

    def close(self) -> None:
        """End everything."""
        self._jobs.put(None)
        self._thread.join()

    async def _run(self) -> None:
        async with anyio.create_task_group() as self._tasks:
            # This blocks the event loop on purpose: nothing happens between two steps.
            while (job := self._jobs.get()) is not None:
                outcome = None
                try:
                    await job()
                    await self.clock.sleep(INSTANT)
                except Exception as error:  # noqa: BLE001 - raised again by `do`
                    outcome = error
                self._outcomes.put(outcome)
            self._tasks.cancel_scope.cancel()


@attrs.define
class Caller:
    """
    One call of `acquire`. Times are virtual seconds.

    Attributes:
        place: How many came before.
        granted: When it was granted its permit. None: not yet, or never.
        permit: That permit.
        refunded: Whether it turned out not to have been sent.
        over: Whether it waits no longer.
    """

    lane: Lane
    place: int
    scope: anyio.CancelScope | None = None
    granted: float | None = None
    permit: Permit | None = None
    refunded: bool = False
    over: bool = False


class LimiterMachine(RuleBasedStateMachine):
    """
    Subclasses say which limiter, and on which event loop.

    Attributes:
        backend: "asyncio" or "trio".
        held: Seconds for which a token may be held between its charge and its grant.
    """

    backend: ClassVar[str]
    held: ClassVar[float] = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(self.backend)
        self.clock = ShakyClock(self.stage.clock)
        self.limiter = self.make(self.clock)
        self.callers: list[Caller] = []
        self.grants: list[Caller] = []
        self.in_flight: list[Caller] = []
        self.interactive_while_background_waits = 0

    def make(self, clock: ShakyClock) -> Limiter:
        """Make the limiter with RATE, BURST, RESERVE and CAP."""
        raise NotImplementedError

    def waiting(self, lane: Lane) -> list[Caller]:
        return [each for each in self.callers if each.lane == lane and not each.over]

    # What can happen.

    @rule(
        lane=st.sampled_from(LANES),
        count=st.integers(1, 8),
        max_wait=st.none() | st.none() | st.floats(0, 5),
    )
    def acquire(self, lane: Lane, count: int, max_wait: float | None) -> None:
        for _ in range(count):
            caller = Caller(lane, len(self.callers))
            self.callers.append(caller)
            self.stage.start(lambda caller=caller: self._acquire(caller, max_wait))  # type: ignore[misc]

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 50))
    def settle(self, which: int) -> None:
        self._do(self._permit(which).settle)

    @precondition(lambda self: self.in_flight)
    @rule()
    def settle_all(self) -> None:
        while self.in_flight:
            self.settle(0)

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 50))
    def refund(self, which: int) -> None:
        self.in_flight[which % len(self.in_flight)].refunded = True
        self._do(self._permit(which).refund)

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 50), retry_after=st.none() | st.floats(0, 20))
    def throttled(self, which: int, retry_after: float | None) -> None:
        self._do(partial(self._permit(which).throttled, retry_after))

    @precondition(lambda self: any(not each.over for each in self.callers))
    @rule(which=st.integers(0, 50))
    def cancel(self, which: int) -> None:
        waiting = [each for each in self.callers if not each.over]
        scope = waiting[which % len(waiting)].scope
        assert scope is not None
        self._do(scope.cancel)

    @rule(seconds=st.sampled_from([0.01, 0.125, 1.0, 10.0]) | st.floats(0, 30))
    def advance(self, seconds: float) -> None:
        self.stage.do(lambda: self.stage.clock.sleep(seconds))

    @rule(seconds=st.floats(0, 1000))
    def set_the_clock_back(self, seconds: float) -> None:
        self.clock.back += seconds

    # What must hold.

    @invariant()
    def no_window_holds_more_than_the_budget(self) -> None:
        sent = [each.granted or 0.0 for each in self.grants if not each.refunded]
        burst = BURST + RATE * self.held
        for first, start in enumerate(sent):
            for number, moment in enumerate(sent[first:], 1):
                assert number <= burst + RATE * (moment - start) + 1e-6

    @invariant()
    def a_lane_is_served_in_order(self) -> None:
        for lane in LANES:
            granted = [each for each in self.grants if each.lane == lane]
            # trio wakes tasks of the same instant in any order.
            assert all(
                earlier.place < later.place or abs(_at(later) - _at(earlier)) <= INSTANT
                for earlier, later in pairwise(granted)
            )
            served = max((each.place for each in granted), default=-1)
            assert all(
                each.place > served
                or any(
                    abs(_at(other) - self.stage.clock.monotonic()) <= INSTANT for other in granted
                )
                for each in self.waiting(lane)
            )

    @invariant()
    def permits_balance(self) -> None:
        budget = self.limiter.statistics()

        assert len(self.in_flight) == budget.in_flight <= CAP
        assert len(self.waiting("interactive")) == budget.waiting_interactive
        assert len(self.waiting("background")) == budget.waiting_background

    @invariant()
    def background_leaves_the_floor_alone(self) -> None:
        below, tokens, now = 0, float(BURST), 0.0
        for caller in self.grants:
            if caller.refunded:
                continue
            tokens = min(BURST, tokens + RATE * (_at(caller) - now)) - 1
            now = _at(caller)
            below += caller.lane == "background" and tokens < RESERVE - RATE * self.held - 1e-6
        # Nobody starves: of ten grants it gets one, whatever is left.
        assert 9 * below <= self.interactive_while_background_waits

    def teardown(self) -> None:
        """In the end everybody is served."""
        try:
            for _ in range(len(self.callers)):
                if self.in_flight:
                    self.settle_all()
                elif all(each.over for each in self.callers):
                    break
                self.stage.do(lambda: self.stage.clock.sleep(30.0))
            assert [] == [each for each in self.callers if not each.over]
            self.permits_balance()
            self.stage.do(self.limiter.aclose)
        finally:
            self.stage.close()

    async def _acquire(self, caller: Caller, max_wait: float | None) -> None:
        with anyio.CancelScope() as caller.scope:
            try:
                caller.permit = await self.limiter.acquire(lane=caller.lane, max_wait=max_wait)
            except (RateLimitWaitTimeout, LimiterUnavailable):
                return
            finally:
                caller.over = True
            caller.granted = self.stage.clock.monotonic()
            self.grants.append(caller)
            self.in_flight.append(caller)
            if caller.lane == "interactive" and self.waiting("background"):
                self.interactive_while_background_waits += 1

    def _permit(self, which: int) -> Permit:
        caller = self.in_flight.pop(which % len(self.in_flight))
        assert caller.permit is not None
        return caller.permit

    def _do(self, function: Callable[[], Any]) -> None:
        async def do() -> None:
            function()

        self.stage.do(do)


def _at(caller: Caller) -> float:
    return caller.granted or 0.0
