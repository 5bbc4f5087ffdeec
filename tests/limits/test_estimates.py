"""
What a caller is told to wait is what it then waits, on a clock that tests move.

Each world has callers that wait in both lanes, requests in flight, answers that take equally long,
and no newcomers; then one more caller asks. Its estimate is held against what happens.
"""

from __future__ import annotations

import os
from typing import Final

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async import Lane
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.errors import RateLimitWaitTimeout
from talkjs_async.limits import TokenBucket

pytestmark = pytest.mark.harness

LONG: Final = os.environ.get("TALKJS_HARNESSES") == "long"

INSTANT: Final = 2**-14
"""Seconds in which everything happens that needs no waiting."""


@attrs.frozen
class World:
    """
    A budget at some moment.

    Attributes:
        tokens, burst, rate, cap, reserve: As for `TokenBucket`.
        answer_time: Seconds that each request takes.
        interactive, background: Calls that came before.
        lane: Of the caller that asks.
        later: Seconds between them and it.
    """

    tokens: int
    burst: int
    rate: float
    cap: int | None
    reserve: int
    answer_time: float
    interactive: int
    background: int
    lane: Lane
    later: float


WORLDS = st.builds(
    World,
    tokens=st.integers(0, 60),
    burst=st.sampled_from([60, 600]),
    rate=st.sampled_from([1.0, 9.0, 50.0]),
    cap=st.sampled_from([None, 5, 20]),
    reserve=st.integers(0, 30),
    answer_time=st.sampled_from([0.05, 0.3, 2.0]),
    interactive=st.integers(0, 120),
    background=st.integers(0, 60),
    lane=st.sampled_from(["interactive", "background"]),
    later=st.sampled_from([0.0, 0.1, 1.0]),
)


@attrs.define
class Result:
    """What the caller was told, and what came."""

    told: float = 0.0
    waited: float = 0.0
    refused: float | None = None


async def live(world: World, max_wait: float | None = None) -> Result:
    """Let *world* go on until its last caller has its permit."""
    clock = VirtualClock()
    limiter = TokenBucket(
        world.rate,
        world.burst,
        max_in_flight=world.cap,
        background_reserve=world.reserve,
        tokens=min(world.tokens + 1, world.burst),
        clock=clock,
    )
    result = Result()

    async def call(lane: Lane) -> None:
        permit = await limiter.acquire(lane=lane)
        await clock.sleep(world.answer_time)
        permit.settle()

    async def ask() -> None:
        budget = limiter.statistics()
        result.told = (
            budget.estimated_wait
            if world.lane == "interactive"
            else budget.estimated_wait_background
        )
        asked = clock.monotonic()
        try:
            permit = await limiter.acquire(lane=world.lane, max_wait=max_wait)
        except RateLimitWaitTimeout as error:
            result.refused = error.retry_after
            return
        result.waited = clock.monotonic() - asked
        permit.settle()

    # One request before, from which the time of answers is known.
    await call("interactive")
    async with anyio.create_task_group() as tasks:
        waiting: list[tuple[Lane, int]] = [
            ("background", world.background),
            ("interactive", world.interactive),
        ]
        for lane, count in waiting:
            for _ in range(count):
                tasks.start_soon(call, lane)
            await clock.sleep(INSTANT)
        await clock.sleep(world.later)
        await ask()
    return result


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(world=WORLDS)
@settings(deadline=None, max_examples=1_000 if LONG else 60)
def test_an_estimate_is_within_a_tenth_of_what_happens(backend: str, world: World) -> None:
    result = anyio.run(live, world, backend=backend)

    # A token's time, or an answer's, is the grain in which things happen.
    grain = max(1 / world.rate, world.answer_time)
    assert abs(result.told - result.waited) <= 0.1 * result.waited + grain, result


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(world=WORLDS, part=st.sampled_from([0.5, 2.0]))
@settings(deadline=None, max_examples=500 if LONG else 30)
def test_a_caller_is_refused_exactly_when_its_wait_would_be_longer(
    backend: str, world: World, part: float
) -> None:
    grain = max(1 / world.rate, world.answer_time)
    waited = anyio.run(live, world, backend=backend).waited
    max_wait = waited * part + (2 * grain if part > 1 else 0.0)

    result = anyio.run(live, world, max_wait, backend=backend)

    if part > 1:
        assert result.refused is None
    elif waited > 4 * grain:
        assert result.refused is not None
        assert abs(result.refused - waited) <= 0.1 * waited + grain


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_background_beside_many_interactive_callers_is_told_its_share(backend: str) -> None:
    world = World(
        tokens=0,
        burst=600,
        rate=9.0,
        cap=20,
        reserve=30,
        answer_time=0.1,
        interactive=2_000,
        background=0,
        lane="background",
        later=0.0,
    )

    result = anyio.run(live, world, 60.0, backend=backend)

    assert result.refused is None
    assert pytest.approx(28 / 9, abs=0.3) == result.waited
    assert pytest.approx(result.waited, rel=0.1) == result.told


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_background_worker_that_calls_one_after_the_other_gets_its_tenth(backend: str) -> None:
    clock = VirtualClock()
    limiter = TokenBucket(9.0, 600, tokens=0, clock=clock)
    granted = {"interactive": 0, "background": 0}
    waited = [0.0]

    async def call(lane: Lane) -> None:
        asked = clock.monotonic()
        permit = await limiter.acquire(lane=lane)
        granted[lane] += 1
        if lane == "background":
            waited[0] += clock.monotonic() - asked
        await clock.sleep(0.1)
        permit.settle()

    async def job() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(2_000):
                tasks.start_soon(call, "interactive")
            await clock.sleep(INSTANT)
            for _ in range(20):
                await call("background")
            tasks.cancel_scope.cancel()

    anyio.run(job, backend=backend)

    # The first one pays for what background may have had in advance.
    assert waited[0] * 9.0 <= 20 * 10 + 20
    assert granted["background"] >= 0.08 * granted["interactive"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_slow_server_is_counted_while_all_slots_are_taken(backend: str) -> None:
    world = World(
        tokens=599,
        burst=600,
        rate=9.0,
        cap=20,
        reserve=0,
        answer_time=8.0,
        interactive=20,
        background=0,
        lane="interactive",
        later=0.1,
    )

    result = anyio.run(live, world, 2.0, backend=backend)

    assert result.waited == 0.0
    assert result.refused is not None
    assert pytest.approx(7.9, rel=0.02) == result.refused
