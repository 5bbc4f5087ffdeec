"""Each event loop has its own, and closes it when it ends."""

from __future__ import annotations

import asyncio
import gc
import weakref

import anyio
import anyio.lowlevel
import pytest

from talkjs_async._http.per_loop import PerLoop


class Thing:
    """Remembers that it was closed, which takes a step of the event loop."""

    closed = False

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        self.closed = True


@pytest.mark.anyio
async def test_a_loop_gets_the_same_one_again() -> None:
    things = PerLoop(Thing)

    first = await things.get()
    second = await things.get()

    assert first is second
    assert 1 == len(things)
    await things.aclose()


@pytest.mark.anyio
async def test_a_closed_one_stays_the_one_of_its_loop() -> None:
    things = PerLoop(Thing)
    thing = await things.get()

    await things.aclose()

    assert thing is await things.get()
    assert thing.closed
    assert 0 == len(things)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_end_of_the_loop_closes_it(backend: str) -> None:
    things = PerLoop(Thing)

    thing = anyio.run(things.get, backend=backend)

    assert thing.closed
    assert 0 == len(things)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_end_of_the_loop_leaves_alone_what_holds_nothing_of_it(backend: str) -> None:
    things = PerLoop(Thing, ends_with_loop=False)

    thing = anyio.run(things.get, backend=backend)

    assert not thing.closed


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_every_loop_gets_its_own(backend: str) -> None:
    things = PerLoop(Thing)

    assert anyio.run(things.get, backend=backend) is not anyio.run(things.get, backend=backend)


def test_one_of_a_loop_that_was_closed_by_hand_is_forgotten() -> None:
    things = PerLoop(Thing)
    by_hand = asyncio.new_event_loop()
    thing = by_hand.run_until_complete(things.get())
    by_hand.close()

    anyio.run(things.get)

    assert not thing.closed
    assert 0 == len(things)


def test_one_that_nobody_holds_any_more_is_closed_by_its_running_loop() -> None:
    async def use_and_drop() -> Thing:
        things = PerLoop(Thing)
        thing = await things.get()
        del things
        gc.collect()
        # The loop closes it in a task of its own.
        await anyio.wait_all_tasks_blocked()
        assert thing.closed
        return thing

    # asyncio only: trio warns of it instead, as it does of anything that is not closed.
    thing = anyio.run(use_and_drop, backend="asyncio")

    assert thing.closed


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_loops_that_have_ended_are_not_kept_alive(backend: str) -> None:
    things = PerLoop(Thing)
    thing = weakref.ref(anyio.run(things.get, backend=backend))

    gc.collect()

    assert thing() is None
