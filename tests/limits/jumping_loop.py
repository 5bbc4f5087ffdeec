"""An asyncio loop whose own timers jump, for what a limiter does on the machine's clock."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio

from talkjs_async._core.clock import SystemClock


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop that does not wait for its next timer when nothing else is left to do."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__()

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        loop: Any = self
        if not loop._ready and loop._scheduled:
            self.now = max(self.now, loop._scheduled[0]._when)
        loop_run_once = super()._run_once  # type: ignore[misc]
        loop_run_once()


class LoopClock:
    """The time of the `JumpingLoop` that runs, with the face of a `VirtualClock`."""

    def time(self) -> float:
        return self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def advance(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        loop.now += seconds

    def as_system_clock(self) -> SystemClock:
        """A SystemClock, which tells a limiter that the loop's timers tell its time."""
        clock = SystemClock()
        clock.__dict__["monotonic"] = self.monotonic
        return clock
