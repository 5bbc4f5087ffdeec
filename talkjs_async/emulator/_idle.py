"""
When an event loop has nothing left to run.

Knows asyncio and trio, and nothing of time: it calls a function that it is given.
"""

import asyncio
import importlib
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import anyio.to_thread

# Real seconds between two looks at the worker threads, and the longest wait for them.
_THREAD_POLL = 0.001
_THREAD_GRACE_PERIOD = 1.0

# Moves time on. False: there is no sleeper to wake, so do not ask again.
Jump = Callable[[], bool]


class SleepTimer(Protocol):
    """One sleeper."""

    cancelled: bool
    fired: bool

    async def wait(self) -> None: ...
    def fire(self) -> None: ...


class Watcher(Protocol):
    """Calls `jump` whenever one event loop has nothing left to run."""

    key: object
    sleepers: int

    def new_timer(self) -> SleepTimer: ...
    def watch(self) -> None: ...


class Watchers:
    """The watchers of all event loops that have sleepers."""

    def __init__(self, jump: Jump) -> None:
        self._jump = jump
        self._by_key: dict[object, Watcher] = {}

    def here(self) -> Watcher:
        """Return the watcher of the event loop that is running."""
        # Another thread may be importing trio this very moment: half a module runs nothing.
        lowlevel: Any = getattr(sys.modules.get("trio"), "lowlevel", None)
        if getattr(lowlevel, "in_trio_task", bool)():
            token = lowlevel.current_trio_token()
            return self._by_key.get(token) or self._add(_TrioWatcher(self._jump, token))
        loop = asyncio.get_running_loop()
        return self._by_key.get(loop) or self._add(_AsyncioWatcher(self._jump, loop))

    def release(self, watcher: Watcher) -> None:
        """Note that one sleeper is gone, and with the last one forget the event loop."""
        watcher.sleepers -= 1
        if not watcher.sleepers:
            self._by_key.pop(watcher.key, None)

    def _add(self, watcher: Watcher) -> Watcher:
        self._by_key[watcher.key] = watcher
        return watcher


class _Threads:
    """The worker threads that anyio's `to_thread` has running in this event loop."""

    def __init__(self) -> None:
        self._limiter = anyio.to_thread.current_default_thread_limiter()
        self._stuck_since: float | None = None
        self._calls: tuple[object, ...] = ()

    def hold_the_clock(self) -> bool:
        """
        Tell whether to wait for a thread.

        Not for ever, because the thread may be waiting for the clock: only until there has been no
        progress for a while.
        """
        if not self._limiter.borrowed_tokens:
            self._stuck_since = None
            return False
        # Each call of a thread has another borrower on trio, another future on asyncio.
        calls = tuple(
            getattr(borrower, "_fut_waiter", None) or borrower
            for borrower in self._limiter.statistics().borrowers
        )
        if self._stuck_since is None or calls != self._calls:
            self._stuck_since = time.monotonic()
            self._calls = calls
        return time.monotonic() - self._stuck_since < _THREAD_GRACE_PERIOD


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _AsyncioTimer:
    __slots__ = ("_future", "_loop", "cancelled", "fired")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future = loop.create_future()
        self.cancelled = False
        self.fired = False

    async def wait(self) -> None:
        await self._future

    def fire(self) -> None:
        self.fired = True
        if _running_loop() is self._loop:
            self._wake()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class _AsyncioWatcher:
    """
    Looks, once per turn of the loop, whether any callback is left to run.

    `anyio.wait_all_tasks_blocked` answers the same question, but looks at every task and sleeps
    0.1 real seconds whenever one is runnable, which is too slow for thousands of jumps.
    """

    def __init__(self, jump: Jump, loop: asyncio.AbstractEventLoop) -> None:
        self.key: object = loop
        self.sleepers = 0
        self._jump = jump
        self._loop = loop
        self._ready = getattr(loop, "_ready", None)
        self._threads = _Threads()
        self._watching = False
        self._was_idle = False

    def new_timer(self) -> SleepTimer:
        return _AsyncioTimer(self._loop)

    def watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._watching = False
        if not self.sleepers:
            return
        if self._something_can_run():
            self._was_idle = False
        elif not self._was_idle:
            # Once more: between two turns the loop polls its sockets and its other threads.
            self._was_idle = True
        else:
            self._was_idle = False
            if self._threads.hold_the_clock():
                self._watching = True
                self._loop.call_later(_THREAD_POLL, self._look)
                return
            if not self._jump():
                return
        self.watch()

    def _something_can_run(self) -> bool:
        if self._ready is not None:
            # CPython's own loops: whatever is to run later in this turn or in the next one.
            return bool(self._ready)
        # Other loops (uvloop) hide their queue, so ask every task what it waits for.
        for task in asyncio.all_tasks(self._loop):
            waiter = getattr(task, "_fut_waiter", None)
            if waiter is None or waiter.done():
                return True
        return False


class _TrioTimer:
    __slots__ = ("_task", "_token", "_trio", "cancelled", "fired")

    def __init__(self, trio: Any, token: Any) -> None:
        self._trio = trio
        self._token = token
        self._task: Any = None
        self.cancelled = False
        self.fired = False

    async def wait(self) -> None:
        self._task = self._trio.lowlevel.current_task()

        def abort(_: object) -> Any:
            self._task = None
            return self._trio.lowlevel.Abort.SUCCEEDED

        await self._trio.lowlevel.wait_task_rescheduled(abort)

    def fire(self) -> None:
        self.fired = True
        try:
            here = self._trio.lowlevel.current_trio_token() is self._token
        except RuntimeError:
            here = False
        if here:
            self._wake()
        else:
            self._token.run_sync_soon(self._wake)

    def _wake(self) -> None:
        if self._task is not None:
            self._trio.lowlevel.reschedule(self._task)
            self._task = None


class _TrioWatcher:
    """Asks trio, which counts its runnable tasks anyway."""

    def __init__(self, jump: Jump, token: Any) -> None:
        # Only where trio is running, which imports it anyway.
        trio = importlib.import_module("trio")
        importlib.import_module("trio.testing")

        self.key: object = token
        self.sleepers = 0
        self._jump = jump
        self._trio = trio
        self._token = token
        self._threads = _Threads()
        self._watching = False

    def new_timer(self) -> SleepTimer:
        return _TrioTimer(self._trio, self._token)

    def watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._trio.lowlevel.spawn_system_task(self._watch)

    async def _watch(self) -> None:
        try:
            while self.sleepers:
                await self._trio.testing.wait_all_tasks_blocked()
                if self._threads.hold_the_clock():
                    await self._trio.sleep(_THREAD_POLL)
                elif self.sleepers and not self._jump():
                    return
        finally:
            self._watching = False
