"""One bucket serves several event loops at once, and outlives each of them."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.from_thread
import pytest

from talkjs_async import Lane
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.errors import LimiterUnavailable
from talkjs_async.limits import Permit, TokenBucket

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
PAIRS = pytest.mark.parametrize(
    ("first", "second"),
    [("asyncio", "asyncio"), ("asyncio", "trio"), ("trio", "asyncio"), ("trio", "trio")],
)

NEVER = 1e-6
"""A rate at which no token comes back while a test runs."""


async def call(limiter: TokenBucket, lane: Lane = "interactive") -> None:
    (await limiter.acquire(lane=lane)).settle()


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread."""
    while not condition():
        os.sched_yield() if hasattr(os, "sched_yield") else threading.Event().wait(0.001)


@pytest.mark.parametrize(
    "backends", [["asyncio"] * 3, ["trio"] * 3, ["asyncio", "trio", "asyncio", "trio"]]
)
def test_callers_of_all_loops_get_their_tokens_and_none_twice(backends: list[str]) -> None:
    rate, burst, calls = 3000.0, 10, 300
    limiter = TokenBucket(rate, burst, max_in_flight=None)
    clock = limiter.clock
    start = clock.monotonic()

    async def job() -> None:
        async with anyio.create_task_group() as tasks:
            for n in range(calls):
                tasks.start_soon(call, limiter, "background" if n % 3 == 0 else "interactive")

    with ThreadPoolExecutor(len(backends)) as threads:
        list(threads.map(lambda backend: anyio.run(job, backend=backend), backends))

    elapsed = clock.monotonic() - start
    budget = limiter.statistics()
    assert len(backends) * calls == budget.granted
    assert budget.granted <= burst + rate * elapsed
    assert (0, 0, 0) == (budget.in_flight, budget.waiting_interactive, budget.waiting_background)


@PAIRS
def test_an_answer_in_one_loop_wakes_a_caller_in_another(first: str, second: str) -> None:
    limiter = TokenBucket(NEVER, 2, max_in_flight=1)

    async def hold(release: anyio.Event) -> None:
        permit = await limiter.acquire()
        await release.wait()
        permit.settle()

    with (
        anyio.from_thread.start_blocking_portal(first) as here,
        anyio.from_thread.start_blocking_portal(second) as there,
    ):
        release = here.call(anyio.Event)
        held = here.start_task_soon(hold, release)
        until(lambda: limiter.statistics().in_flight == 1)
        waiting = there.start_task_soon(call, limiter)
        until(lambda: limiter.statistics().waiting_interactive == 1)

        here.call(release.set)

        waiting.result(timeout=30)
        held.result(timeout=30)


@PAIRS
def test_a_refund_in_one_loop_wakes_a_caller_in_another(first: str, second: str) -> None:
    limiter = TokenBucket(NEVER, 1)

    async def refund() -> None:
        permit.refund()

    with (
        anyio.from_thread.start_blocking_portal(first) as here,
        anyio.from_thread.start_blocking_portal(second) as there,
    ):
        permit = here.call(limiter.acquire)
        waiting = there.start_task_soon(call, limiter)
        until(lambda: limiter.statistics().waiting_interactive == 1)

        here.call(refund)

        waiting.result(timeout=30)


@PAIRS
def test_the_others_go_on_when_the_leader_and_its_loop_are_gone(first: str, second: str) -> None:
    limiter = TokenBucket(0.5, 1)
    anyio.run(call, limiter)

    with anyio.from_thread.start_blocking_portal(second) as there:
        with anyio.from_thread.start_blocking_portal(first) as here:
            leader = here.start_task_soon(call, limiter)
            until(lambda: limiter.statistics().waiting_interactive == 1)
            follower = there.start_task_soon(call, limiter)
            until(lambda: limiter.statistics().waiting_interactive == 2)
            leader.cancel()
            until(lambda: limiter.statistics().waiting_interactive < 2)

        follower.result(timeout=30)


def test_a_loop_that_was_closed_without_care_does_not_take_tokens_with_it() -> None:
    limiter = TokenBucket(50.0, 1, max_in_flight=None)
    anyio.run(call, limiter)
    loop = asyncio.new_event_loop()
    abandoned = [loop.create_task(call(limiter)) for _ in range(5)]
    loop.run_until_complete(asyncio.sleep(0))
    waiting = limiter.statistics().waiting_interactive
    loop.close()

    anyio.run(call, limiter)

    budget = limiter.statistics()
    assert 5 == waiting
    assert (2, 0, 0) == (budget.granted, budget.in_flight, budget.waiting_interactive)
    for task in abandoned:
        task.get_loop()  # they live until here
        coroutine: Coroutine[Any, Any, None] = task.get_coro()  # type: ignore[assignment]
        coroutine.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_call_that_is_thrown_away_gives_its_place_back() -> None:
    limiter = TokenBucket(NEVER, 1, max_in_flight=None)

    async def job() -> None:
        permit = await limiter.acquire()
        abandoned = limiter.acquire()
        abandoned.send(None)
        assert 1 == limiter.statistics().waiting_interactive
        abandoned.close()
        permit.settle()

    asyncio.run(job())

    assert 0 == limiter.statistics().waiting_interactive


def test_ending_a_call_in_the_middle_of_a_hand_out_does_not_lock_up() -> None:
    limiter = TokenBucket(NEVER, 3, max_in_flight=2)
    permits: list[Permit] = []

    class EndsACall:
        def __del__(self) -> None:
            permits.pop().settle()

    async def job() -> None:
        permits.append(await limiter.acquire())
        permits.append(await limiter.acquire())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, limiter)
            await anyio.wait_all_tasks_blocked()
            garbage: list[object] = [EndsACall()]
            garbage.append(garbage)
            del garbage
            gc.collect()

    anyio.run(job)

    assert 1 == limiter.statistics().in_flight


def test_closing_releases_the_callers_of_all_loops() -> None:
    limiter = TokenBucket(NEVER, 1)
    held = anyio.run(limiter.acquire)

    with (
        anyio.from_thread.start_blocking_portal("asyncio") as here,
        anyio.from_thread.start_blocking_portal("trio") as there,
    ):
        waiting = [portal.start_task_soon(call, limiter) for portal in (here, there)]
        until(lambda: limiter.statistics().waiting_interactive == 2)

        here.call(limiter.aclose)

        for each in waiting:
            with pytest.raises(LimiterUnavailable):
                each.result(timeout=30)
    held.settle()


@BOTH
def test_one_bucket_lives_through_several_runs(backend: str) -> None:
    limiter = TokenBucket(1000.0, 5)

    async def job() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(call, limiter)

    for _ in range(3):
        anyio.run(job, backend=backend)

    assert 30 == limiter.statistics().granted


def test_two_loops_can_share_a_virtual_clock_one_after_the_other() -> None:
    limiter = TokenBucket(8.0, 1, clock=VirtualClock())

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(call, limiter, backend=backend)

    assert 3 == limiter.statistics().granted


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_starts_without_its_parents_callers() -> None:
    limiter = TokenBucket(NEVER, 10, max_in_flight=3)

    seen: list[int] = []

    async def job() -> None:
        held = [await limiter.acquire() for _ in range(3)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, limiter)
            await anyio.wait_all_tasks_blocked()
            seen.append(fork_and_report(limiter))
            tasks.cancel_scope.cancel()
        for permit in held:
            permit.settle()

    anyio.run(job)

    assert [700] == seen


def fork_and_report(limiter: TokenBucket) -> int:
    """Return tokens, in flight and waiting, as a child process sees them, as one number."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            budget = limiter.statistics()
            seen = round(budget.tokens) * 100 + budget.in_flight * 10 + budget.waiting_interactive
            os.write(writing, str(seen).encode())
        finally:
            # Also where it failed: it must not go on as a second run of the tests.
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    seen = int(os.read(reading, 100))
    os.close(reading)
    return seen
