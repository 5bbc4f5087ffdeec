"""
Starts tasks that belong to no caller: the only module that does; and tells how tasks end.

Knows event loops, nothing of what the tasks do.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import anyio

if TYPE_CHECKING:
    import asyncio

    from talkjs_async._core.clock import Clock

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

_running: Final[set[asyncio.Task[None]]] = set()
"""The event loop itself keeps only weak references."""


def spawn(job: Callable[[], Awaitable[None]], tasks: set[anyio.CancelScope] | None = None) -> None:
    """
    Start a task in the event loop that runs. It belongs to no caller, and ends with that loop.

    Args:
        job: What it does. It must not raise: asyncio would be silent about it, and trio would end.
        tasks: Where to put what cancels it, for as long as it runs. It takes its first step even if
            it is cancelled before.
    """
    scope = anyio.CancelScope()
    tasks = set() if tasks is None else tasks
    tasks.add(scope)

    async def run() -> None:
        try:
            with scope:
                await job()
        finally:
            tasks.discard(scope)

    # A context of its own: it has nothing to do with the call that happens to start it.
    if in_trio():
        import trio  # noqa: PLC0415

        trio.lowlevel.spawn_system_task(run, context=Context())
    else:
        import asyncio  # noqa: PLC0415

        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(run(), context=Context())
        _running.add(task)
        task.add_done_callback(_running.discard)


@contextmanager
def beside(job: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Have a task of `spawn` run beside the block, and cancel it at the end of the block."""
    tasks: set[anyio.CancelScope] = set()
    spawn(job, tasks)
    try:
        yield
    finally:
        for each in list(tasks):
            each.cancel()


class OutOfTime(Exception):
    """What `within` was given is over."""


async def within(clock: Clock, seconds: float | None, work: Callable[[], Awaitable[T]]) -> T:
    """
    Await *work* for at most *seconds* of *clock*. None: for as long as it takes.

    Raises:
        OutOfTime: It took longer and was cancelled, or there was no time to begin.
    """
    if seconds is None:
        return await work()
    if seconds <= 0:
        raise OutOfTime
    with anyio.CancelScope() as scope:

        async def expire() -> None:
            await clock.sleep(seconds)
            scope.cancel()

        with beside(expire):
            return await work()
    raise OutOfTime


@contextmanager
def stray_cancellation_fails(what: str) -> Iterator[None]:
    """
    Let a CancelledError that is not the cancellation of this task be an error.

    Code that is not ours may await something that was cancelled, such as a connection of a pool
    that was closed. asyncio raises CancelledError then, as in a task that is cancelled itself, and
    a task group takes the task for a cancelled one: it ends in silence, with the work half done.
    trio tells the two apart.

    Args:
        what: What has raised it, as the begin of a sentence.

    Raises:
        RuntimeError: In its place.
    """
    try:
        yield
    except anyio.get_cancelled_exc_class() as error:
        if in_trio() or _is_cancelled():
            raise
        raise RuntimeError(
            f"{what} raised CancelledError, and was not cancelled: it has awaited something that "
            "was."
        ) from error


def uninterrupted(function: F) -> F:
    """
    Have Ctrl-C wait for the next await, while *function* or what it calls is what runs.

    asyncio cancels the main task at Ctrl-C. trio raises KeyboardInterrupt between any two
    instructions of whichever task runs, so that what was being noted is half noted, and other tasks
    go on with that; unless told so. Then it raises it where the main task waits.

    Args:
        function: The first function of a task, or one that has just begun.
    """
    if in_trio():
        import trio  # noqa: PLC0415

        trio.lowlevel.enable_ki_protection(cast("Any", function))
    return function


def first_of(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first exception that ended a task group, or one within it."""
    first: BaseException = several
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _is_cancelled() -> bool:
    """Whether the current task of asyncio is being cancelled, by itself or with a scope."""
    import asyncio  # noqa: PLC0415

    task = asyncio.current_task()
    return task is None or task.cancelling() > 0 or anyio.current_effective_deadline() == -math.inf


def in_trio() -> bool:
    """Whether a trio run is what runs here."""
    # Another thread may be importing trio this very moment: what is half there is not running.
    lowlevel = getattr(sys.modules.get("trio"), "lowlevel", None)
    return bool(getattr(lowlevel, "in_trio_run", bool)())
