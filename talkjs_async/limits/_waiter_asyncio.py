"""Waiting on asyncio or uvloop: a Future per waiter. Imported when a caller first waits there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from threading import get_ident
from typing import Any, ClassVar, Final

from talkjs_async._core.call import Lane
from talkjs_async.limits._waiter import WAITING, PollingWaiter, Timer, Waiter

_TICK: Final = 0.002
"""
Seconds. Tokens that come faster are granted together: waking an event loop costs as much as
granting ten, and uvloop, which counts in milliseconds, would fire too early.
"""


class TimerWaiter(Waiter):
    """A task of an event loop whose timers run on the limiter's clock: no task has to poll."""

    __slots__ = ("_thread", "future")

    has_timer: ClassVar[bool] = True

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.state = WAITING
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._thread = get_ident()

    def __await__(self) -> Generator[Any, Any, None]:
        if self.future.done():
            self.future = self.future.get_loop().create_future()
        return self.future.__await__()

    def wake(self) -> bool:
        try:
            if get_ident() == self._thread:
                self.future.set_result(None)
            else:
                self.future.get_loop().call_soon_threadsafe(_finish, self.future)
        except RuntimeError:  # the loop is closed
            return False
        except asyncio.InvalidStateError:  # cancelled, it is about to leave
            pass
        return True

    def is_lost(self) -> bool:
        return self.future.get_loop().is_closed()

    def set_timer(self, seconds: float, fire: Callable[[], None]) -> Timer | None:
        loop = self.future.get_loop()
        if get_ident() != self._thread:
            loop.call_soon_threadsafe(fire)
            return None
        return _LoopTimer(loop, seconds, fire)

    def fire_soon(self, fire: Callable[[], None]) -> None:
        self.future.get_loop().call_soon(fire)


class AsyncioWaiter(PollingWaiter):
    """A task of an asyncio event loop whose limiter runs on another clock."""

    __slots__ = ("_future", "_loop", "_thread")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.state = WAITING
        self._scope = None
        self._thread = get_ident()
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] | None = None

    def __await__(self) -> Generator[Any, Any, None]:
        self._future = self._loop.create_future()
        return self._future.__await__()

    def wake(self) -> bool:
        try:
            if get_ident() == self._thread:
                self._resume()
            else:
                self._loop.call_soon_threadsafe(self._resume)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def is_lost(self) -> bool:
        return self._loop.is_closed()

    def _unpark(self) -> None:
        if self._future is not None:
            _finish(self._future)


class _LoopTimer(Timer):
    __slots__ = ("_callback", "_fired", "_handle", "_loop", "_thread")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, fire: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._thread = get_ident()
        self._callback = fire
        self._fired = False
        self._handle = loop.call_later(max(seconds, _TICK), self._fire)

    def cancel(self) -> None:
        # Only its own thread may cancel it. Otherwise it fires, and finds nothing to do.
        if get_ident() == self._thread:
            self._handle.cancel()

    def serves(self, waiter: Waiter) -> bool:
        return (
            not self._fired
            and isinstance(waiter, TimerWaiter)
            and waiter.future.get_loop() is self._loop
        )

    def _fire(self) -> None:
        self._fired = True
        self._callback()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
