"""When an event loop has nothing left to run: tasks, worker threads and hidden queues."""

import asyncio
import time

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

from talkjs_async.emulator import VirtualClock, _idle

pytestmark = pytest.mark.anyio


async def test_time_stands_still_while_a_task_can_run() -> None:
    clock = VirtualClock()
    seen: list[float] = []

    async def worker() -> None:
        for _ in range(50):
            await anyio.lowlevel.checkpoint()
            seen.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 5)
        tasks.start_soon(worker)

    assert [0.0] * 50 == seen
    assert clock.monotonic() == 5


async def test_time_stands_still_while_a_worker_thread_runs() -> None:
    clock = VirtualClock()
    seen: list[float] = []

    async def worker() -> None:
        await anyio.to_thread.run_sync(time.sleep, 0.02)
        seen.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker)
        await anyio.lowlevel.checkpoint()
        await clock.sleep(5)

    assert [0.0] == seen


async def test_a_thread_that_waits_for_the_clock_does_not_hold_it_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_idle, "_THREAD_GRACE_PERIOD", 0.02)
    clock = VirtualClock()

    await anyio.to_thread.run_sync(anyio.from_thread.run, clock.sleep, 5)

    assert clock.monotonic() == 5


async def test_threads_hold_the_clock_as_long_as_they_get_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_idle, "_THREAD_GRACE_PERIOD", 0.05)
    clock = VirtualClock()
    seen: list[float] = []

    async def busy() -> None:
        for _ in range(60):
            await anyio.to_thread.run_sync(time.sleep, 0.002)
            seen.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(busy)
        await anyio.lowlevel.checkpoint()
        await clock.sleep(5)

    assert [0.0] * 60 == seen


def test_a_loop_that_hides_its_queue_is_watched_through_its_tasks() -> None:
    uvloop = pytest.importorskip("uvloop")
    clock = VirtualClock()
    seen: list[float] = []

    async def worker() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
            seen.append(clock.monotonic())
        await clock.sleep(2)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker)
            await clock.sleep(1)

    anyio.run(main, backend_options={"loop_factory": uvloop.new_event_loop})

    assert [0.0] * 20 == seen
    assert clock.monotonic() == 2
