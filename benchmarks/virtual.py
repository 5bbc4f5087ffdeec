"""
Hours of waiting in seconds, for any library: the time of the whole process is made up.

`fake_time` has to run before the libraries to be measured are imported: they may keep `time`'s
functions. Only an event loop from `JumpingLoop` moves the time, to its next timer, whenever it has
nothing else to do. Made for benchmarks: a process that has it on tells no real time any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

START: Final = 1_000_000.0

_TURN: Final = 20e-6
"""Seconds that one turn of the event loop takes."""


class _Now:
    seconds = START


def fake_time() -> None:
    """Let `time` tell the time that `JumpingLoop` makes up. CPU time stays real."""
    for name in ("monotonic", "time", "perf_counter"):
        _replace(name, lambda: _Now.seconds)
        _replace(f"{name}_ns", lambda: int(_Now.seconds * 1e9))


def _replace(name: str, function: Callable[[], float]) -> None:
    setattr(time, name, function)


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop that does not wait for its next timer when nothing else is left to do."""

    def time(self) -> float:
        return _Now.seconds

    def _run_once(self) -> None:
        loop: Any = self
        # Some limiters wake up a rounding error too early and count on time that passes by itself.
        _Now.seconds += _TURN
        if not loop._ready and loop._scheduled:
            _Now.seconds = max(_Now.seconds, loop._scheduled[0]._when)
        run_once: Callable[[], None] = super()._run_once  # type: ignore[misc]  # private, so not in its stubs
        run_once()
