"""A server with an exact bucket, and workers that want all of it through limiters on one Redis."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from talkjs_async.errors import LimiterUnavailable
from talkjs_async.limits import Limiter

TICK: Final = 0.01
"""Seconds. A sleep that takes longer by as much is a stall."""


class StrictServer:
    """
    Counts what arrives, in real time.

    Attributes:
        rate, burst: Its bucket, which was full when it was made, or holds *tokens*.
        moments: When each request arrived that was let in.
        refused: The same for those that got a 429.
        stalls: Of this process: when each one ended, and its seconds.
    """

    def __init__(self, rate: float, burst: int, *, tokens: float | None = None) -> None:
        self.rate, self.burst = rate, burst
        self.moments: list[float] = []
        self.refused: list[float] = []
        self.stalls: list[tuple[float, float]] = []
        self._tokens = float(burst if tokens is None else tokens)
        self._at = time.monotonic()

    def take(self) -> bool:
        """Let one request in, or refuse it."""
        now = time.monotonic()
        self._tokens = min(self._tokens + (now - self._at) * self.rate, float(self.burst))
        self._at = now
        accepted = self._tokens >= 1
        self._tokens -= accepted
        (self.moments if accepted else self.refused).append(now)
        return accepted

    def unused(self, since: float, until: float) -> float:
        """Say how many percent of the rate were not used between two moments."""
        return 100 * (1 - self._count(since, until) / (self.rate * (until - since)))

    def served(self, since: float, until: float) -> float:
        """Say which part of the rate was used between two moments, but for the stalls."""
        lost = self.rate * self.stalled(since, until)
        return (self._count(since, until) + lost) / (self.rate * (until - since))

    def _count(self, since: float, until: float) -> int:
        return sum(since <= each < until for each in self.moments)

    def stalled(self, since: float = 0.0, until: float = float("inf")) -> float:
        """Say how many seconds this process stood still: the machine had other things to do."""
        return sum(seconds for ended, seconds in self.stalls if since <= ended < until)

    @property
    def to_be_refused(self) -> float:
        """How many 429s no limiter can prevent: two, and what arrives together after a stall."""
        return 2 + self.rate * self.stalled()

    async def watch(self) -> None:
        """Note stalls."""
        while True:
            before = time.monotonic()
            await anyio.sleep(TICK)
            ended = time.monotonic()
            if (stall := ended - before - TICK) > TICK:
                self.stalls.append((ended, stall))


@asynccontextmanager
async def working(
    server: StrictServer,
    *limiters: Limiter,
    tasks: int = 5,
    answer: tuple[float, float] = (0.005, 0.02),
    ahead: float = 0.5,
) -> AsyncIterator[None]:
    """
    Let *tasks* tasks call without a pause through each limiter.

    Args:
        server: What they call.
        limiters: One per process that there would be.
        tasks: How many calls each of them wants to have under way.
        answer: Seconds that a request and its answer take, at least and at most.
        ahead: Which part of them is the request's.
    """

    async def work(limiter: Limiter) -> None:
        while True:
            try:
                permit = await limiter.acquire()
            except LimiterUnavailable:
                await anyio.sleep(0.02)
                continue
            seconds = random.uniform(*answer)
            try:
                await anyio.sleep(seconds * ahead)
                accepted = server.take()
                await anyio.sleep(seconds * (1 - ahead))
                if not accepted:
                    permit.throttled()
            finally:
                permit.settle()

    async with anyio.create_task_group() as group:
        group.start_soon(server.watch)
        for limiter in limiters:
            for _ in range(tasks):
                group.start_soon(work, limiter)
        yield
        group.cancel_scope.cancel()
