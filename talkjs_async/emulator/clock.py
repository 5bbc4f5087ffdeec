"""
Time for the emulator: real time, and virtual time that costs nothing to wait for.

Knows event loops and nothing of TalkJS. Both clocks offer the same three methods, `time`,
`monotonic` and `sleep`, so either one can also serve as the clock of the program under test:
when client and emulator share a `VirtualClock`, an hour of waiting takes milliseconds and every
figure comes out exactly.
"""

import heapq
import itertools
import math
import threading
import time
from typing import Protocol

import anyio
import anyio.lowlevel

from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator._idle import SleepTimer, Watchers
from talkjs_async.emulator._numbers import check_number

__all__ = ["EmulatorClock", "RealClock", "VirtualClock"]

# 2026-01-01T00:00:00Z: a moment that is easy to recognise in a failed assertion.
_DEFAULT_START = 1_767_225_600.0
# The last second that dates in headers, and Python's, can show.
_LATEST = 253_402_300_799

# Cancelled timers stay in the heap until they are due, or until they outnumber the live ones and
# there are at least this many of them.
_CANCELLED_TIMERS_KEPT = 512


class EmulatorClock(Protocol):
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


class RealClock(ListsAttributes):
    """Real time, on asyncio and trio. It can be put forward, but sleepers do not notice."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._back = 0.0

    def time(self) -> float:
        """Return the Unix time in seconds."""
        return time.time() + self._ahead - self._back

    def monotonic(self) -> float:
        """Return the seconds of the machine's monotonic clock."""
        return time.monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Wait for that many real seconds."""
        await anyio.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Put the clock forward by *seconds*, for whatever asks it for the time."""
        self._ahead += _checked_advance(seconds, self.time())

    def reset(self) -> None:
        """Go back to the machine's time; `monotonic()` stays ahead."""
        self._back = self._ahead


class VirtualClock(ListsAttributes):
    """
    A clock that stands still while any task works and jumps when all of them wait.

    When no task of the event loop can run, time jumps to the next timer (the earliest `sleep` to
    end). Sleepers of the same moment wake together, in the order of the event loop: on asyncio as
    they fell asleep, on trio at random.

    You get exact virtual time when everything that takes time sleeps on this clock. Work in
    anyio's worker threads (`anyio.to_thread`) holds the clock as a task would, for up to a real
    second. What waits for anything else (a real socket, `asyncio.sleep`) counts as waiting: the
    clock does not stop for it. Use `RealClock` over TCP.

    Works on asyncio (any loop) and trio, in several event loops one after another.
    """

    def __init__(self, start: float = _DEFAULT_START) -> None:
        """Start at *start*, a Unix time in seconds; `monotonic()` starts at zero."""
        check_number("start", start)
        self._start = start
        self._now = 0.0
        self._back = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, SleepTimer]] = []
        self._cancelled = 0
        self._lock = threading.Lock()
        self._watchers = Watchers(self.jump)

    def __repr__(self) -> str:
        return f"<VirtualClock at {self.time():.3f}, {len(self._timers)} timers>"

    def time(self) -> float:
        """Return the virtual Unix time in seconds."""
        return self._start + self._now - self._back

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
        watcher = self._watchers.here()
        timer = watcher.new_timer()
        with self._lock:
            heapq.heappush(self._timers, (self._now + seconds, next(self._order), timer))
        watcher.sleepers += 1
        watcher.watch()
        try:
            await timer.wait()
        except BaseException:
            self._forget(timer)
            raise
        finally:
            self._watchers.release(watcher)

    def advance(self, seconds: float) -> None:
        """Move the clock on by *seconds* at once and wake the sleepers that are due."""
        with self._lock:
            self._move_to(self._now + _checked_advance(seconds, self.time()))

    def reset(self) -> None:
        """Go back to the start; `monotonic()` and sleepers go on."""
        with self._lock:
            self._back = self._now

    def jump(self) -> bool:
        """
        Move to the next timer, as happens by itself when every task waits.

        Returns False when there is no sleeper, or none that ever wakes.
        """
        with self._lock:
            while self._timers and self._timers[0][2].cancelled:
                heapq.heappop(self._timers)
                self._cancelled -= 1
            if not self._timers or self._timers[0][0] == math.inf:
                return False
            self._move_to(self._timers[0][0])
            return True

    def _move_to(self, now: float) -> None:
        self._now = now
        timers = self._timers
        while timers and timers[0][0] <= now:
            timer = heapq.heappop(timers)[2]
            if timer.cancelled:
                self._cancelled -= 1
            else:
                timer.fire()

    def _forget(self, timer: SleepTimer) -> None:
        # A sleep that fires and is cancelled in the same instant has left the heap already.
        with self._lock:
            if timer.fired:
                return
            timer.cancelled = True
            self._cancelled += 1
            if self._cancelled > max(_CANCELLED_TIMERS_KEPT, len(self._timers) // 2):
                self._timers = [entry for entry in self._timers if not entry[2].cancelled]
                heapq.heapify(self._timers)
                self._cancelled = 0


def _checked_advance(seconds: float, now: float) -> float:
    """Return *seconds*, or raise `ValueError`: time goes forward, and not to the end of days."""
    check_number("seconds", seconds)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"seconds must be zero or more and finite, not {seconds!r}.")
    if now + seconds > _LATEST:
        raise ValueError(f"seconds must not lead behind the year 9999, as {seconds!r} does.")
    return seconds
