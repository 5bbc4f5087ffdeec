"""What is special about tasks of asyncio: they can be cancelled after they were woken."""

from __future__ import annotations

import asyncio

import pytest

from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.limits import Permit, TokenBucket

CLOCKS = pytest.mark.parametrize("clock", [SYSTEM_CLOCK, VirtualClock()], ids=["system", "virtual"])

NEVER = 1e-6
"""A rate at which no token comes back while a test runs."""


@CLOCKS
def test_a_task_that_is_cancelled_with_its_token_in_hand_gives_it_to_the_next(clock: Clock) -> None:
    limiter = TokenBucket(NEVER, 1, clock=clock)
    held: list[Permit] = []

    async def job() -> None:
        permit = await limiter.acquire()
        first, second = (asyncio.create_task(limiter.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        permit.refund()
        first.cancel()
        await asyncio.wait([first, second])

        assert first.cancelled()
        assert not second.cancelled()
        held.append(second.result())

    asyncio.run(job())

    assert 1 == limiter.statistics().in_flight
    assert 1 == limiter.statistics().granted


@CLOCKS
def test_a_token_comes_back_when_nobody_else_waits(clock: Clock) -> None:
    limiter = TokenBucket(NEVER, 1, clock=clock)

    async def job() -> None:
        permit = await limiter.acquire()
        task = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        permit.refund()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(job())

    budget = limiter.statistics()
    assert (0, 0, 0) == (budget.in_flight, budget.granted, budget.waiting_interactive)
    assert 1 == budget.tokens


def test_cancelling_at_random_moments_loses_no_token() -> None:
    limiter = TokenBucket(5000.0, 10, max_in_flight=3)
    done = 0

    async def call() -> None:
        nonlocal done
        permit = await limiter.acquire()
        try:
            await asyncio.sleep(0)
            done += 1
        finally:
            permit.settle()

    async def job() -> None:
        tasks = [asyncio.create_task(call()) for _ in range(600)]
        for turn, task in enumerate(tasks):
            if turn % 3:
                task.cancel()
            if turn % 7 == 0:
                await asyncio.sleep(0)
        await asyncio.wait(tasks)

    asyncio.run(job())

    budget = limiter.statistics()
    assert done >= 200
    assert (0, 0) == (budget.in_flight, budget.waiting_interactive)


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="needs Python 3.12")
def test_eager_tasks_are_served_in_order_too() -> None:
    limiter = TokenBucket(500.0, 2)
    order: list[int] = []

    async def call(number: int) -> None:
        permit = await limiter.acquire()
        order.append(number)
        permit.settle()

    async def job() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(call(number))

    asyncio.run(job())

    assert list(range(10)) == order
