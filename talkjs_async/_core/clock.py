"""
Time, as a parameter.

Everything that waits or looks at a clock gets one of these, so that tests own time.
"""

from __future__ import annotations

import time
from typing import Protocol

import anyio

from talkjs_async.errors import ConfigurationError, shown


class Clock(Protocol):
    """What the client needs of time. Any object with these three methods will do."""

    def time(self) -> float:
        """Unix time in seconds: for tokens and HTTP dates only, it may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Return when *seconds* of this clock's time have passed."""
        ...


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
    sleep = staticmethod(anyio.sleep)

    def __repr__(self) -> str:
        return "SystemClock()"


SYSTEM_CLOCK = SystemClock()
"""The one instance, so that "same clock" can be asked with `is`."""


def checked_clock(clock: Clock | None) -> Clock:
    """
    Return *clock*, or the machine's.

    Raises:
        ConfigurationError: It has not the methods of a clock.
    """
    if clock is None:
        return SYSTEM_CLOCK
    if isinstance(clock, type) or any(
        not callable(getattr(clock, name, None)) for name in ("monotonic", "time", "sleep")
    ):
        raise ConfigurationError(
            "clock", f"must have the methods of talkjs_async.Clock, unlike {shown(clock)}."
        )
    return clock
