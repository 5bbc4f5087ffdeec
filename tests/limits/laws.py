"""
Laws that a limiter keeps whatever its callers do, for Hypothesis to break.

A program is a list of steps: calls start, are answered, time out, get 429s or are cancelled, time
passes, the clock jumps back. `run` carries one out on a clock that jumps, against a server with an
exact bucket, and returns what happened; `check` states the laws. Knows nothing of any one limiter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import anyio
import attrs
from hypothesis import strategies as st

from talkjs_async import Lane
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.emulator.limits import Bucket
from talkjs_async.errors import RateLimitWaitTimeout
from talkjs_async.limits import Budget, Limiter

PATIENCE = 50_000.0
"""Virtual seconds after which whoever still waits was forgotten."""

MOST_INTERACTIVE_IN_A_ROW = 28
"""While background waits: nine for each of its grants, and eighteen for two that it had before."""


@attrs.frozen(kw_only=True)
class StartCall:
    """
    A call begins.

    Attributes:
        up, down: Seconds that request and answer are on their way.
        ends: How; "answered" leaves it to the server whether that is a 429.
        max_wait: As for `acquire`.
    """

    lane: Lane
    up: float
    down: float
    ends: Literal["answered", "never left", "429"]
    retry_after: float | None
    max_wait: float | None


@attrs.frozen
class CancelCall:
    """One of the calls that were started is cancelled, wherever it is."""

    which: int


@attrs.frozen
class PassTime:
    """Nothing happens for some seconds."""

    seconds: float


@attrs.frozen
class JumpBack:
    """The limiter's clock is set back by some seconds."""

    seconds: float


Step = StartCall | CancelCall | PassTime | JumpBack

_SHORT = st.floats(0, 5)
_CALLS = st.builds(
    StartCall,
    lane=st.sampled_from(["interactive", "background"]),
    up=_SHORT,
    down=_SHORT,
    ends=st.just("answered"),
    retry_after=st.none(),
    max_wait=st.none(),
)
_TROUBLED_CALLS = st.builds(
    StartCall,
    lane=st.sampled_from(["interactive", "interactive", "background"]),
    up=_SHORT,
    down=_SHORT,
    ends=st.sampled_from(["answered", "answered", "answered", "never left", "429"]),
    retry_after=st.none() | st.floats(0, 100),
    max_wait=st.none() | st.none() | st.floats(0, 20),
)


def _programs(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    # Short programs never make anybody wait.
    return st.lists(steps, min_size=10, max_size=120)


_PAUSES = st.builds(PassTime, st.sampled_from([0.0, 0.01, 0.1, 1.0, 10.0]) | st.floats(0, 30))

HONEST_PROGRAMS = _programs(_CALLS | _CALLS | _CALLS | _PAUSES)
"""Calls and pauses, with any delays: nothing that could surprise a correct limiter."""

ANY_PROGRAMS = _programs(
    _TROUBLED_CALLS
    | _TROUBLED_CALLS
    | _TROUBLED_CALLS
    | st.builds(CancelCall, st.integers(0, 60))
    | _PAUSES
    | st.builds(JumpBack, st.floats(0, 1000)),
)


class ShakyClock:
    """A clock that can be set back."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.back = 0.0

    def time(self) -> float:
        return self._clock.time() - self.back

    def monotonic(self) -> float:
        return self._clock.monotonic() - self.back

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


@attrs.define
class Story:
    """
    What happened to one call. Times are virtual seconds, and None for what did not happen.

    Attributes:
        place: How many calls were started before.
        turn: How many grants there were before its own.
        ended: When it ended, however.
        sent: Whether the request left, or may have.
    """

    call: StartCall
    place: int
    asked: float
    granted: float | None = None
    turn: int | None = None
    ended: float | None = None
    sent: bool = False


@attrs.define
class History:
    """
    What happened in one run.

    Attributes:
        rejected: How many requests the server's own bucket refused.
        idle: Moments at which interactive callers waited although nothing stood against a grant.
        at_rest: The budget when all was over and everything had refilled.
    """

    stories: list[Story] = attrs.field(factory=list[Story])
    grants: int = 0
    rejected: int = 0
    idle: list[Budget] = attrs.field(factory=list[Budget])
    at_rest: Budget | None = None


MakeOnClock = Callable[[ShakyClock], Limiter]


def run(
    make: MakeOnClock, program: list[Step], *, rate: float, burst: int, backend: str
) -> History:
    """Carry out *program* with a limiter from *make*, against a server with *rate* and *burst*."""
    return anyio.run(functools.partial(_run, make, program, rate, burst), backend=backend)


async def _run(make: MakeOnClock, program: list[Step], rate: float, burst: int) -> History:
    clock = VirtualClock()
    shaky = ShakyClock(clock)
    limiter = make(shaky)
    server = Bucket(rate=rate, burst=burst, queue=0, tick=0.0, tokens=burst, now=0.0)
    history = History()
    scopes: list[anyio.CancelScope] = []

    async def call(story: Story, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                await _call(limiter, clock, server, story, history)
            except RateLimitWaitTimeout:
                pass
            finally:
                story.ended = clock.monotonic()

    async with anyio.create_task_group() as tasks:
        for step in program:
            match step:
                case StartCall():
                    story = Story(step, len(history.stories), clock.monotonic())
                    history.stories.append(story)
                    scopes.append(anyio.CancelScope())
                    tasks.start_soon(call, story, scopes[-1])
                case CancelCall(which) if scopes:
                    scopes[which % len(scopes)].cancel()
                case PassTime(seconds):
                    await clock.sleep(seconds)
                    _look_for_idleness(limiter, history)
                case JumpBack(seconds):
                    shaky.back += seconds
            # Let it arrive before the next: trio starts tasks in any order.
            await clock.sleep(2**-14)
        await clock.sleep(PATIENCE)
        tasks.cancel_scope.cancel()
    history.at_rest = limiter.statistics()
    await limiter.aclose()
    return history


async def _call(
    limiter: Limiter, clock: VirtualClock, server: Bucket, story: Story, history: History
) -> None:
    call = story.call
    permit = await limiter.acquire(lane=call.lane, max_wait=call.max_wait)
    story.granted = clock.monotonic()
    story.turn = history.grants
    history.grants += 1
    end = permit.refund
    try:
        if call.ends == "never left":
            await clock.sleep(call.up)
            return
        end = permit.settle
        story.sent = True
        await clock.sleep(call.up)
        accepted = server.take(clock.monotonic()) is not None
        await clock.sleep(call.down)
        history.rejected += not accepted
        if call.ends == "429" or not accepted:
            end = functools.partial(permit.throttled, call.retry_after)
    finally:
        end()


def _look_for_idleness(limiter: Limiter, history: History) -> None:
    budget = limiter.statistics()
    full = budget.max_in_flight is not None and budget.in_flight >= budget.max_in_flight
    if budget.waiting_interactive and budget.tokens >= 1.001 and not (full or budget.paused_for):
        history.idle.append(budget)


def check(history: History, *, rate: float, burst: int, held: float = 0.0) -> None:
    """
    State the laws that hold for every program.

    Args:
        history: What happened.
        rate, burst: Of the limiter.
        held: Seconds for which a token may be held between its charge and its grant.
    """
    _nothing_is_forgotten(history)
    _no_window_holds_too_much(history, rate=rate, burst=burst + rate * held)
    for lane in ("interactive", "background"):
        _a_lane_is_in_order([each for each in history.stories if each.call.lane == lane])
    _background_does_not_starve(history)
    assert [] == history.idle


def _nothing_is_forgotten(history: History) -> None:
    assert [] == [each for each in history.stories if each.ended is None]
    last = max((each.ended or 0.0 for each in history.stories), default=0.0)
    assert last < PATIENCE / 2, "Somebody waited until the end of the run."
    budget = history.at_rest
    assert budget is not None
    assert (0, 0, 0) == (budget.in_flight, budget.waiting_interactive, budget.waiting_background)


def _no_window_holds_too_much(history: History, *, rate: float, burst: float) -> None:
    sent = sorted(
        each.granted for each in history.stories if each.sent and each.granted is not None
    )
    for first, start in enumerate(sent):
        for last in range(first, len(sent)):
            allowed = burst + rate * (sent[last] - start)
            assert last - first + 1 <= allowed + 1e-6


def _a_lane_is_in_order(lane: list[Story]) -> None:
    granted = [each for each in lane if each.granted is not None]
    for earlier, later in pairwise(granted):
        assert earlier.granted is not None
        assert later.granted is not None
        assert earlier.granted <= later.granted


def _background_does_not_starve(history: History) -> None:
    """Count the interactive grants between two moments at which background got something."""
    turns = sorted(
        (each for each in history.stories if each.turn is not None),
        key=lambda each: each.turn or 0,
    )
    background = [each for each in history.stories if each.call.lane == "background"]
    in_a_row = 0
    since = 0.0
    for story in turns:
        assert story.granted is not None
        waiting = any(
            each.asked <= since and (each.granted or each.ended or 0.0) > story.granted
            for each in background
        )
        if story.call.lane == "background" or not waiting:
            in_a_row = 0
            since = story.granted
        else:
            in_a_row += 1
            assert in_a_row <= MOST_INTERACTIVE_IN_A_ROW
