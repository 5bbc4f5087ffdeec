"""
A thread that owns a resource: all functions that use the resource run there, one after another.

Cancellation never reaches it. A task that waits for its work may be cancelled at any moment, also
by asyncio itself, which no shield of anyio stops. The work still runs to its end, and later work
still follows it. Knows nothing of the resource.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, Generic, TypeVar, cast
from weakref import WeakSet

import anyio
import anyio.to_thread

T = TypeVar("T")

_LAST_MOMENTS: Final = 10.0
"""Seconds that the end of the process waits for each thread that still has work."""


class Work(Generic[T]):
    """A function that was given to an owner thread."""

    def __init__(self, function: Callable[[], T], busy: _BusyThread) -> None:
        self._function = function
        self._busy = busy
        self._wake_here = _scheduler()
        self._ended = anyio.Event()
        self._result: T | None = None
        self._failure: BaseException | None = None

    async def result(self) -> T:
        """
        Wait for the end of the work, any number of times and in any tasks of one event loop.

        Raises:
            Exception: What the function raised.
        """
        with self._busy:
            await self._ended.wait()
        if self._failure is not None:
            raise self._failure
        return cast("T", self._result)

    async def completed(self) -> T:
        """Wait for the end of short work that others need, and delay a cancellation until then."""
        cancelled: BaseException | None = None
        with self._busy, anyio.CancelScope(shield=True):
            while not self._ended.is_set():
                try:
                    await self._ended.wait()
                except anyio.get_cancelled_exc_class() as error:
                    cancelled = error
        if cancelled is not None:
            raise cancelled
        return await self.result()

    def carry_out(self) -> None:
        """Run the function in this thread, and wake the tasks that wait."""
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - the waiting tasks get it
            self._failure = error
        # If the event loop is closed, no task waits any more.
        with suppress(RuntimeError):
            self._wake_here(self._ended.set)


class OwnerThread:
    """
    A thread that runs functions in the order in which they were submitted.

    It starts with the first one, and `finish` ends it. If nothing does, it ends with the process.
    """

    def __init__(self, name: str, *, must_end: bool = False) -> None:
        """
        Make the thread, and do not start it yet.

        Args:
            name: What debuggers show.
            must_end: Whether the end of the process waits until all submitted work is done.
        """
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        # A daemon, since one that is never told to finish must not hold up the end of the process.
        self._thread = Thread(target=_run, args=(self._queue,), name=name, daemon=True)
        self._lock = Lock()
        self._finishing = False
        self._busy = _BusyThread()
        if must_end:
            _must_end.add(self)

    @property
    def finishing(self) -> bool:
        """Whether it takes no more work, and ends after what it has."""
        return self._finishing

    @property
    def ended(self) -> bool:
        """Whether it has done all its work, and takes no more."""
        return self._finishing and not self._thread.is_alive()

    def submit(self, function: Callable[[], T]) -> Work[T]:
        """Have *function* run, after all that was submitted before. Needs an event loop."""
        work = Work(function, self._busy)
        with self._lock:
            if self._finishing:
                raise RuntimeError("the thread has been told to finish")
            if self._thread.ident is None:
                self._thread.start()
            self._queue.put(work.carry_out)
        return work

    async def run(self, function: Callable[[], T]) -> T:
        """Have *function* run and wait for it. Cancelling gives up the wait, not the function."""
        return await self.submit(function).result()

    def finish(self, last: Callable[[], object] | None = None) -> None:
        """
        Take no more work. May be called anywhere, and more than once.

        Args:
            last: A function to run after everything else.
        """
        with self._lock:
            if self._finishing:
                return
            self._finishing = True
            if last is not None and self._thread.ident is not None:
                self._queue.put(last)
            self._queue.put(None)

    def join(self, timeout: float | None = None) -> None:
        """Block until it has ended; `finish` must have been called."""
        if self._thread.ident is not None:
            self._thread.join(timeout)


async def run_in_thread(function: Callable[[], T]) -> T:
    """
    Run *function* in a thread of its own.

    Unlike a worker thread of anyio, it holds up neither a cancelled task nor the process's end.
    """
    thread = OwnerThread("talkjs worker")
    try:
        return await thread.run(function)
    finally:
        thread.finish()


class _BusyThread:
    """
    Counts an owner thread among the worker threads of anyio while tasks wait for it.

    A virtual clock counts those to see whether a program is idle.
    """

    def __init__(self) -> None:
        self._waiting = 0
        self._limiter: anyio.CapacityLimiter | None = None
        self._borrower = object()

    def __enter__(self) -> None:
        self._waiting += 1
        if self._limiter is None:
            limiter = anyio.to_thread.current_default_thread_limiter()
            # A new one each time: a borrower that stays looks like a thread that is stuck.
            self._borrower = object()
            try:
                limiter.acquire_on_behalf_of_nowait(self._borrower)
            except anyio.WouldBlock:
                return
            self._limiter = limiter

    def __exit__(self, *_: object) -> None:
        self._waiting -= 1
        if not self._waiting and self._limiter is not None:
            limiter, self._limiter = self._limiter, None
            limiter.release_on_behalf_of(self._borrower)


def _run(queue: SimpleQueue[Callable[[], object] | None]) -> None:
    # Refers to the queue only, so that an owner that was dropped can be collected.
    while (work := queue.get()) is not None:
        work()
        # Not kept while the thread is idle: it refers to what the function uses.
        del work


def _scheduler() -> Callable[[Callable[[], object]], object]:
    """Return a function that runs another one in the current event loop, from any thread."""
    # Another thread may be importing trio: its module may be there, but not its attributes.
    lowlevel: Any = getattr(sys.modules.get("trio"), "lowlevel", None)
    if getattr(lowlevel, "in_trio_task", bool)():
        schedule: Callable[[Callable[[], object]], object] = (
            lowlevel.current_trio_token().run_sync_soon
        )
        return schedule
    return asyncio.get_running_loop().call_soon_threadsafe


_must_end: Final[WeakSet[OwnerThread]] = WeakSet()


def _finish_all() -> None:
    """Let threads do what they have been given before the process ends."""
    threads = tuple(_must_end)
    for thread in threads:
        thread.finish()
    for thread in threads:
        thread.join(_LAST_MOMENTS)


atexit.register(_finish_all)
