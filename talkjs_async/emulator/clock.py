"""
Time for the emulator: real time, and virtual time that costs nothing to wait for.

Knows event loops and nothing of TalkJS. Both clocks offer the same three methods, `time`,
`monotonic` and `sleep`, so either one can also serve as the clock of the program under test:
when client and emulator share a `VirtualClock`, an hour of waiting takes milliseconds and every
figure comes out exactly.
"""

import asyncio
import heapq
import importlib
import itertools
import math
import sys
import threading
import time
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import anyio.to_thread

# 2026-01-01T00:00:00Z: a moment that is easy to recognise in a failed assertion.
DEFAULT_START = 1_767_225_600.0

# Cancelled alarms stay in the heap until they are due, or until they are the majority and there
# are at least this many of them.
_CANCELLED_ALARMS_KEPT = 512

# Real seconds between two looks at the worker threads, and the longest wait for them.
_THREAD_POLL = 0.001
_THREAD_PATIENCE = 1.0


class Clock(Protocol):
    """What the emulator asks of a clock."""

    def time(self) -> float:
        """Return the Unix time in seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds since a moment of no meaning; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds on this clock."""
        ...


class SystemClock:
    """Real time, on asyncio and trio."""

    def time(self) -> float:
        """Return the Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return the seconds of the machine's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for that many real seconds."""
        await anyio.sleep(seconds)


class VirtualClock:
    """
    A clock that stands still while anybody works and jumps when everybody waits.

    When no task of the event loop can run, time jumps to the next alarm (the earliest `sleep` to
    end). Sleepers of the same moment wake together, in the order of the event loop: on asyncio as
    they fell asleep, on trio at random.

    You get exact virtual time when everything that takes time sleeps on this clock. Work in
    anyio's worker threads (`anyio.to_thread`) holds the clock as a task would, for up to a real
    second. What waits for anything else (a real socket, `asyncio.sleep`) counts as waiting: the
    clock does not stop for it. Use `SystemClock` over TCP.

    Works on asyncio (any loop) and trio, in several event loops one after another.
    """

    def __init__(self, start: float = DEFAULT_START) -> None:
        """Start at *start*, a Unix time in seconds; `monotonic()` starts at zero."""
        self._start = start
        self._now = 0.0
        self._order = itertools.count()
        self._alarms: list[tuple[float, int, _Alarm]] = []
        self._cancelled = 0
        self._lock = threading.Lock()
        self._watchers: dict[object, _Watcher] = {}

    def __repr__(self) -> str:
        return f"<VirtualClock at {self.time():.3f}, {len(self._alarms)} alarms>"

    def time(self) -> float:
        """Return the virtual Unix time in seconds."""
        return self._start + self._now

    def monotonic(self) -> float:
        """Return the virtual seconds since this clock was made."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """
        Wait until the clock has moved on by *seconds*.

        Zero or less only lets other tasks run. Infinity waits until cancelled.
        """
        if math.isnan(seconds):
            raise ValueError("seconds must be a number, not NaN.")
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        key, watcher = self._watcher_here()
        alarm = watcher.new_alarm()
        with self._lock:
            heapq.heappush(self._alarms, (self._now + seconds, next(self._order), alarm))
        watcher.sleepers += 1
        watcher.watch()
        try:
            await alarm.wait()
        except BaseException:
            self._forget(alarm)
            raise
        finally:
            watcher.sleepers -= 1
            if not watcher.sleepers:
                self._watchers.pop(key, None)

    def advance(self, seconds: float) -> None:
        """Move the clock on by *seconds* at once and wake everybody whose time has come."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds must be zero or more and finite, not {seconds!r}.")
        with self._lock:
            self._move_to(self._now + seconds)

    def jump(self) -> bool:
        """
        Move to the next alarm, as happens by itself when everybody waits.

        Returns False when nobody sleeps, or nobody who ever wakes.
        """
        with self._lock:
            while self._alarms and self._alarms[0][2].cancelled:
                heapq.heappop(self._alarms)
                self._cancelled -= 1
            if not self._alarms or self._alarms[0][0] == math.inf:
                return False
            self._move_to(self._alarms[0][0])
            return True

    def _move_to(self, now: float) -> None:
        self._now = now
        alarms = self._alarms
        while alarms and alarms[0][0] <= now:
            alarm = heapq.heappop(alarms)[2]
            if alarm.cancelled:
                self._cancelled -= 1
            else:
                alarm.ring()

    def _forget(self, alarm: "_Alarm") -> None:
        # A sleep that rings and is cancelled in the same instant has left the heap already.
        with self._lock:
            if alarm.rung:
                return
            alarm.cancelled = True
            self._cancelled += 1
            if self._cancelled > max(_CANCELLED_ALARMS_KEPT, len(self._alarms) // 2):
                self._alarms = [entry for entry in self._alarms if not entry[2].cancelled]
                heapq.heapify(self._alarms)
                self._cancelled = 0

    def _watcher_here(self) -> tuple[object, "_Watcher"]:
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_task():
            token = trio.lowlevel.current_trio_token()
            return token, self._watchers.get(token) or self._add(token, _TrioWatcher(self, token))
        loop = asyncio.get_running_loop()
        return loop, self._watchers.get(loop) or self._add(loop, _AsyncioWatcher(self, loop))

    def _add(self, key: object, watcher: "_Watcher") -> "_Watcher":
        self._watchers[key] = watcher
        return watcher


class _Alarm(Protocol):
    """One sleeper."""

    cancelled: bool
    rung: bool

    async def wait(self) -> None: ...
    def ring(self) -> None: ...


class _Watcher(Protocol):
    """Tells the clock when one event loop has nothing left to run."""

    sleepers: int

    def new_alarm(self) -> _Alarm: ...
    def watch(self) -> None: ...


class _Threads:
    """The worker threads that anyio's `to_thread` has running in this event loop."""

    def __init__(self) -> None:
        self._limiter = anyio.to_thread.current_default_thread_limiter()
        self._busy_since: float | None = None

    def hold_the_clock(self) -> bool:
        """Tell whether to wait for a thread. Not for ever: it may be waiting for the clock."""
        if not self._limiter.borrowed_tokens:
            self._busy_since = None
            return False
        if self._busy_since is None:
            self._busy_since = time.monotonic()
        return time.monotonic() - self._busy_since < _THREAD_PATIENCE


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _AsyncioAlarm:
    __slots__ = ("_future", "_loop", "cancelled", "rung")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future = loop.create_future()
        self.cancelled = False
        self.rung = False

    async def wait(self) -> None:
        await self._future

    def ring(self) -> None:
        self.rung = True
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

    def __init__(self, clock: VirtualClock, loop: asyncio.AbstractEventLoop) -> None:
        self.sleepers = 0
        self._clock = clock
        self._loop = loop
        self._ready = getattr(loop, "_ready", None)
        self._threads = _Threads()
        self._watching = False
        self._was_idle = False

    def new_alarm(self) -> _Alarm:
        return _AsyncioAlarm(self._loop)

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
            if not self._clock.jump():
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


class _TrioAlarm:
    __slots__ = ("_task", "_token", "_trio", "cancelled", "rung")

    def __init__(self, trio: Any, token: Any) -> None:
        self._trio = trio
        self._token = token
        self._task: Any = None
        self.cancelled = False
        self.rung = False

    async def wait(self) -> None:
        self._task = self._trio.lowlevel.current_task()

        def abort(_: object) -> Any:
            self._task = None
            return self._trio.lowlevel.Abort.SUCCEEDED

        await self._trio.lowlevel.wait_task_rescheduled(abort)

    def ring(self) -> None:
        self.rung = True
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

    def __init__(self, clock: VirtualClock, token: Any) -> None:
        # Only where trio is running, which imports it anyway.
        trio = importlib.import_module("trio")
        importlib.import_module("trio.testing")

        self.sleepers = 0
        self._clock = clock
        self._trio = trio
        self._token = token
        self._threads = _Threads()
        self._watching = False

    def new_alarm(self) -> _Alarm:
        return _TrioAlarm(self._trio, self._token)

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
                elif self.sleepers and not self._clock.jump():
                    return
        finally:
            self._watching = False
