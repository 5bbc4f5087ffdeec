"""
What every limiter promises, whatever holds its tokens.

A test module makes a subclass of `LimiterContract` with a fixture `make_limiter`; all times are those
of a clock that jumps. `rules.py` holds the laws that any sequence of calls must obey.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.errors import ConfigurationError, LimiterUnavailable, RateLimitWaitTimeout
from talkjs_async.limits import Lane, Limiter

RATE = 8.0
"""Tokens per second in these tests: a token every eighth of a second, exact in binary."""

LATE = 0.002
"""Part of a wait that it may take longer: clock drift is left unused, and a store takes its time."""


class MakeLimiter(Protocol):
    """A fixture that makes limiters and closes them after the test."""

    def __call__(
        self,
        *,
        rate: float = RATE,
        burst: int = 4,
        max_in_flight: int | None = None,
        background_floor: int | None = 0,
        tokens: float | None = None,
    ) -> Limiter: ...


class Callers:
    """
    Tasks that ask a limiter for tokens, one after the other, and write down what they get.

    Attributes:
        granted: Names in the order of their grants, with the time of each.
        refused: Errors by name.
    """

    def __init__(self, tasks: TaskGroup, limiter: Limiter, clock: VirtualClock) -> None:
        self._tasks = tasks
        self._limiter = limiter
        self._clock = clock
        self._scopes: dict[str, anyio.CancelScope] = {}
        self.granted: dict[str, float] = {}
        self.refused: dict[str, Exception] = {}

    async def ask(
        self, *names: str, lane: Lane = "interactive", max_wait: float | None = None
    ) -> None:
        """Start a task for each name; trio would start several in any order."""
        for name in names:
            await self._tasks.start(self._ask, name, lane, max_wait)
            await idle()

    async def _ask(
        self,
        name: str,
        lane: Lane,
        max_wait: float | None,
        *,
        task_status: anyio.abc.TaskStatus[None],
    ) -> None:
        with anyio.CancelScope() as scope:
            self._scopes[name] = scope
            task_status.started()
            try:
                await self._limiter.acquire(lane=lane, max_wait=max_wait)
            except (RateLimitWaitTimeout, LimiterUnavailable) as error:
                self.refused[name] = error
            else:
                self.granted[name] = self._clock.monotonic()

    async def cancel(self, name: str) -> None:
        """Cancel one of them and let it leave."""
        self._scopes[name].cancel()
        await idle()


async def idle() -> None:
    """Let every task do what it can do now, without moving the clock."""
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


async def take_all(limiter: Limiter, count: int) -> None:
    """Take *count* tokens that are there, and get the answers at once."""
    for _ in range(count):
        await limiter.acquire(max_wait=0)
        limiter.settle()
