"""Waiting on asyncio or uvloop: a Future per waiter. Imported when a caller first waits there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from threading import get_ident
from typing import Any, ClassVar, Final

from talkjs_async._core.waiting import WAITING, Alarm, Lane, Waiter

_TICK: Final = 0.001
"""Seconds. uvloop counts in these, and would ring too early and too often for less."""


class AsyncioWaiter(Waiter):
    """A task of an asyncio event loop."""

    __slots__ = ("_future", "loop")

    def __init__(self, lane: Lane, since: float, deadline: float) -> None:
        # Every attribute here rather than in the base: this runs once per caller that waits.
        self.lane = lane
        self.since = since
        self.deadline = deadline
        self.state = WAITING
        self._scope = None
        self._thread = get_ident()
        self.loop = loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = loop.create_future()

    def __await__(self) -> Generator[Any, Any, None]:
        if self._future.done():
            self._future = self.loop.create_future()
        return self._future.__await__()

    def wake(self) -> bool:
        try:
            if get_ident() == self._thread:
                self._resume()
            else:
                self.loop.call_soon_threadsafe(self._resume)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _unpark(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class AlarmWaiter(AsyncioWaiter):
    """The same where the loop's timers tell the limiter's time: nobody has to stay awake."""

    __slots__ = ()

    has_alarm: ClassVar[bool] = True

    def set_alarm(self, seconds: float, ring: Callable[[], None]) -> Alarm | None:
        if get_ident() != self._thread:
            self.loop.call_soon_threadsafe(ring)
            return None
        return _LoopAlarm(self.loop, seconds, ring)


class _LoopAlarm(Alarm):
    __slots__ = ("_handle", "_loop", "_ring", "_rung", "_thread")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, ring: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._thread = get_ident()
        self._ring = ring
        self._rung = False
        self._handle = loop.call_later(max(seconds, _TICK), self._fire)

    def cancel(self) -> None:
        # A timer may be touched by its own thread only. Elsewhere it rings and finds nothing to do.
        if get_ident() == self._thread:
            self._handle.cancel()

    def serves(self, waiter: Waiter) -> bool:
        return not self._rung and isinstance(waiter, AlarmWaiter) and waiter.loop is self._loop

    def _fire(self) -> None:
        self._rung = True
        self._ring()
