"""Against servers of every kind: no 429 of our making, and none of the budget wasted."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Final

import anyio
import attrs
import pytest

from talkjs_async import Lane
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.emulator.limits import Bucket
from talkjs_async.limits import TokenBucket

pytestmark = pytest.mark.anyio

Delay = Callable[[Random, float], float]
"""Seconds that a message takes which leaves at the given time."""


def jitter(random: Random, _: float) -> float:
    return random.uniform(0.01, 0.3)


def heavy_tail(random: Random, _: float) -> float:
    return min(5.0, 0.05 * math.exp(random.gauss()))


def cold(_: Random, now: float) -> float:
    """Slow at first, then fast: requests that left later catch up with earlier ones."""
    return 0.3 if now % 60 < 2 else 0.01


def stalls(random: Random, now: float) -> float:
    """Nothing arrives in the first three seconds of every minute."""
    delay = jitter(random, now)
    return delay + max(0.0, 3.0 - (now + delay) % 60)


NETWORKS: Final = pytest.mark.parametrize("network", [jitter, heavy_tail, cold, stalls])


@attrs.define
class World:
    """
    A server with an exact bucket behind a network.

    Attributes:
        accepted: Moments of requests that were let in.
        throttled: Moments of those that were not.
        waits: Seconds that each interactive call waited for its token.
        answer_time: Seconds that the server needs for an answer.
        patience: Seconds after which a caller gives up on it.
    """

    limiter: TokenBucket
    clock: VirtualClock
    server: Bucket
    network: Delay
    accepted: list[float] = attrs.field(factory=list[float])
    throttled: list[float] = attrs.field(factory=list[float])
    waits: list[float] = attrs.field(factory=list[float])
    random: Random = attrs.field(factory=lambda: Random(7))
    answer_time: float = 0.0
    patience: float = math.inf

    async def call(self, lane: Lane = "interactive") -> None:
        """Send one request."""
        asked = self.clock.monotonic()
        permit = await self.limiter.acquire(lane=lane)
        if lane == "interactive":
            self.waits.append(self.clock.monotonic() - asked)
        await self._travel()
        hold = self.server.take(self.clock.monotonic())
        if hold is None:
            self.throttled.append(self.clock.monotonic())
            await self._travel()
            permit.throttled()
            return
        self.accepted.append(self.clock.monotonic())
        await self.clock.sleep(min(hold + self.answer_time, self.patience))
        await self._travel()
        permit.settle()

    async def saturate(self, seconds: float, *, callers: int = 40) -> None:
        """Send as much as the limiter lets through, for *seconds*."""

        async def job() -> None:
            while self.clock.monotonic() < seconds:
                await self.call()

        async with anyio.create_task_group() as tasks:
            for _ in range(callers):
                tasks.start_soon(job)

    async def _travel(self) -> None:
        await self.clock.sleep(self.network(self.random, self.clock.monotonic()))


def world(
    network: Delay,
    *,
    rate: float = 9.0,
    queue: int = 0,
    tick: float = 0.0,
    tokens: float = 600.0,
) -> World:
    clock = VirtualClock()
    server = Bucket(rate=rate, burst=600, queue=queue, tick=tick, tokens=tokens, now=0.0)
    return World(TokenBucket(clock=clock), clock, server, network)


@pytest.mark.harness
@NETWORKS
async def test_saturated_minutes_cause_no_429_and_waste_nothing(network: Delay) -> None:
    here = world(network)

    await here.saturate(240.0)

    assert [] == here.throttled
    # Two hours come to 99.9 %; in four minutes the requests under way at the end weigh more.
    assert len(here.accepted) >= 0.98 * (600 + 9.0 * here.clock.monotonic())


@pytest.mark.harness
@NETWORKS
async def test_bursts_out_of_a_rest_cause_no_429(network: Delay) -> None:
    here = world(network)

    for start in (0.0, 200.0):
        await here.clock.sleep(start - here.clock.monotonic())
        await here.saturate(start + 40.0)

    assert [] == here.throttled


async def test_a_restart_on_an_empty_server_costs_at_most_the_requests_in_flight() -> None:
    here = world(jitter, tokens=0.0)

    await here.saturate(120.0)

    assert 1 <= len(here.throttled) <= 20
    assert here.throttled[-1] < 2.0
    assert len(here.accepted) >= 0.98 * 9.0 * here.clock.monotonic()


async def test_a_server_that_holds_a_hundred_never_refuses() -> None:
    here = world(jitter, tokens=0.0, queue=100)

    await here.saturate(120.0)

    assert [] == here.throttled


async def test_a_server_that_refills_in_ticks_is_learned() -> None:
    here = world(jitter, tick=1.0)

    await here.saturate(60.0)
    learned = len(here.throttled)
    await here.clock.sleep(600.0)
    await here.saturate(here.clock.monotonic() + 60.0)

    assert learned <= 20
    assert len(here.throttled) <= 2 * 20


@pytest.mark.harness
@pytest.mark.parametrize(("rate", "most_429s"), [(8.0, 30), (4.5, 60), (2.25, 90)])
async def test_a_rate_below_the_documented_one_is_found(rate: float, most_429s: int) -> None:
    here = world(jitter, rate=rate, tokens=0.0)

    await here.saturate(600.0)

    assert len(here.throttled) <= most_429s
    assert len(here.accepted) >= 0.9 * rate * here.clock.monotonic()


@pytest.mark.parametrize(("max_in_flight", "throttled"), [(20, 20), (None, 600)])
async def test_only_the_requests_in_flight_are_refused_by_a_server_that_answers_late(
    max_in_flight: int | None, throttled: int
) -> None:
    here = world(lambda random, _: 0.05, tokens=0.0)
    here.limiter = TokenBucket(max_in_flight=max_in_flight, clock=here.clock)
    # Answers come after 30 seconds, to callers that give up after 5.
    here.answer_time, here.patience = 30.0, 5.0

    await here.saturate(120.0, callers=1_000)

    assert throttled == len(here.throttled)


async def test_interactive_calls_do_not_feel_a_queue_of_bulk_calls() -> None:
    here = world(lambda random, _: random.uniform(0.025, 0.15))

    async with anyio.create_task_group() as tasks:
        for _ in range(2900):
            tasks.start_soon(here.call, "background")
        for minute in (1, 2, 3, 4):
            await here.clock.sleep(60.0 * minute - here.clock.monotonic())
            for _ in range(20):
                tasks.start_soon(here.call)
        await here.clock.sleep(10.0)
        tasks.cancel_scope.cancel()

    assert [] == here.throttled
    assert 80 == len(here.waits)
    assert max(here.waits) < 0.25
