from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial

import anyio
import pytest

from talkjs_async.bulk._engine.owner_thread import OwnerThread, run_in_thread

pytestmark = pytest.mark.anyio


def when(event: threading.Event, function: Callable[[str], None], argument: str) -> None:
    event.wait(10)
    function(argument)


async def test_work_is_done_in_order_and_in_one_thread() -> None:
    owner = OwnerThread("test")
    done: list[tuple[int, int]] = []

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(
                owner.run, lambda number=number: done.append((number, threading.get_ident()))
            )
    owner.finish()

    assert sorted(number for number, _ in done) == [number for number, _ in sorted(done)]
    assert 1 == len({thread for _, thread in done})
    assert threading.get_ident() not in {thread for _, thread in done}


async def test_a_cancelled_wait_leaves_the_work_to_its_end() -> None:
    owner = OwnerThread("test")
    go_on = threading.Event()
    done: list[str] = []

    with anyio.move_on_after(0.01) as scope:
        await owner.run(partial(when, go_on, done.append, "first"))
    go_on.set()
    await owner.run(lambda: done.append("second"))
    owner.finish()

    assert scope.cancelled_caught
    assert ["first", "second"] == done


async def test_a_failure_reaches_all_who_wait_for_it() -> None:
    owner = OwnerThread("test")
    work = owner.submit(partial(int, "no number"))

    for _ in range(2):
        with pytest.raises(ValueError, match="no number"):
            await work.result()
    owner.finish()


async def test_a_thread_that_was_told_to_finish_does_the_rest_and_takes_no_more() -> None:
    owner = OwnerThread("test")
    done: list[str] = []
    work = owner.submit(partial(done.append, "first"))
    owner.finish(partial(done.append, "last"))
    owner.finish(partial(done.append, "never"))

    with pytest.raises(RuntimeError):
        owner.submit(partial(done.append, "too late"))
    await work.result()
    owner.join(10)

    assert ["first", "last"] == done
    assert owner.ended


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_completed_work_puts_even_a_native_cancellation_off() -> None:
    owner = OwnerThread("test")
    go_on = threading.Event()
    done: list[str] = []
    work = owner.submit(partial(when, go_on, done.append, "it"))

    async def wait() -> None:
        try:
            await work.completed()
        finally:
            done.append("waiter")

    task = asyncio.create_task(wait())
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    owner.finish()

    assert ["it", "waiter"] == done


def test_the_end_of_the_event_loop_does_not_hurt_the_thread() -> None:
    owner = OwnerThread("test")
    go_on = threading.Event()
    done: list[str] = []

    async def main() -> None:
        owner.submit(partial(when, go_on, done.append, "after the loop"))

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)
    go_on.set()
    owner.finish()
    owner.join(10)

    assert ["after the loop"] * 2 == done


def test_the_end_of_the_process_waits_for_threads_that_must_end_only() -> None:
    program = """
import anyio, sys, time
from talkjs_async.bulk._engine.owner_thread import OwnerThread
owners = OwnerThread("a", must_end=True), OwnerThread("b")
async def main():
    owners[0].submit(lambda: (time.sleep(0.2), print("kept", flush=True)))
    owners[1].submit(lambda: time.sleep(1_000))
anyio.run(main)
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert (0, "kept\n", "") == (done.returncode, done.stdout, done.stderr)


async def test_an_idle_thread_keeps_nothing_alive() -> None:
    owner = OwnerThread("test")
    collected = threading.Event()

    class Thing:
        def __del__(self) -> None:
            collected.set()

    thing = Thing()
    await owner.run(partial(id, thing))
    del thing
    gc.collect()

    assert collected.wait(10)
    owner.finish()


async def test_a_function_runs_in_a_thread_of_its_own() -> None:
    assert threading.get_ident() != await run_in_thread(threading.get_ident)
    with pytest.raises(ValueError, match="x"):
        await run_in_thread(partial(int, "x"))
