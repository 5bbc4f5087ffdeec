"""
Hours of traffic behind a limiter, in a time that is made up.

Every job here runs on `virtual`'s event loop: nothing waits, and nothing depends on the machine.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from typing import Any, Final

from benchmarks.measure import Result
from benchmarks.rivals.limiters import MAKERS, OURS, Contender, ours
from benchmarks.virtual import START

STRANGER: Final = 3.0
"""Requests per second that somebody else sends to the same app, where there is such a one."""


def jitter(dice: random.Random, _: float) -> float:
    """10 to 300 ms."""
    return dice.uniform(0.01, 0.3)


def tail(dice: random.Random, _: float) -> float:
    """50 ms in the middle, half a second for one in a hundred, at most five."""
    return min(5.0, 0.05 * math.exp(dice.gauss(0.0, 1.0)))


def stalls(dice: random.Random, now: float) -> float:
    """Jitter; and nothing arrives in the first three seconds of every five minutes."""
    delay = jitter(dice, now)
    return delay + max(0.0, 3.0 - (now + delay - START) % 300)


def short(dice: random.Random, _: float) -> float:
    """25 to 150 ms."""
    return dice.uniform(0.025, 0.15)


def even(_dice: random.Random, _: float) -> float:
    """50 ms, so 100 ms there and back."""
    return 0.05


NETWORKS: Final = {"jitter": jitter, "tail": tail, "stalls": stalls, "short": short, "even": even}


SERVERS: Final = ("exact", "ticks", "stranger")
"""
Servers with a bucket of 600 at 9/s: one that refills all the time, one that refills once a second,
and one on which somebody else draws as well, who sends a third of what it allows.
"""


class Server:
    """A bucket behind a network. Nothing of it is shared with the limiters."""

    def __init__(
        self, contender: Contender, network: str, *, tokens: float = 600.0, tick: float = 0.0
    ) -> None:
        self._contender = contender
        self._delay = NETWORKS[network]
        self._dice = random.Random(7)
        self._tick = tick
        self._tokens = tokens
        self._refilled_at = time.monotonic()
        self.accepted = 0
        self.refused: list[float] = []

    async def answer(self, permit: Any) -> None:
        """Send one request and tell the limiter how it went."""
        await asyncio.sleep(self._delay(self._dice, time.monotonic()))
        accepted = self.take()
        if accepted:
            self.accepted += 1
        else:
            self.refused.append(time.monotonic())
        await asyncio.sleep(self._delay(self._dice, time.monotonic()))
        if accepted:
            self._contender.settle(permit)
        else:
            self._contender.throttled(permit)

    def take(self) -> bool:
        """Take a token, if there is one."""
        elapsed = time.monotonic() - self._refilled_at
        if self._tick:
            elapsed -= elapsed % self._tick
        self._tokens = min(600.0, self._tokens + 9 * elapsed)
        self._refilled_at += elapsed
        # Float noise of ten thousand refills is no reason to refuse.
        if self._tokens < 1 - 1e-6:
            return False
        self._tokens -= 1
        return True


def as_used(name: str, cap: int = 0) -> Contender:
    """The contender at TalkJS's limits, ours with a cap on requests in flight; 0 for the SDK's."""
    if name != OURS:
        return MAKERS[name](9.0, 600)
    return ours(9.0, 600, **({"max_in_flight": cap} if cap else {}))


async def served(
    name: str, network: str, kind: str, seconds: float, tokens: float, cap: int
) -> Result:
    """
    Sixty tasks that send all they may, for *seconds*.

    Args:
        name: The contender.
        network: One of `NETWORKS`.
        kind: One of `SERVERS`.
        seconds: For how long.
        tokens: What the server has at the start.
        cap: Requests in flight of ours. 0 for as many as the SDK allows.

    Returns:
        refused: 429s.
        used: Part of the server's budget that was used, in per cent; without what a stranger had.
        last_refused: Seconds after which there was no 429 any more.
    """
    contender = as_used(name, cap)
    server = Server(contender, network, tokens=tokens, tick=float(kind == "ticks"))
    start = time.monotonic()
    taken = 0

    async def job() -> None:
        while time.monotonic() - start < seconds:
            await server.answer(await contender.acquire())

    async def stranger() -> None:
        nonlocal taken
        dice = random.Random(3)
        while time.monotonic() - start < seconds:
            await asyncio.sleep(dice.expovariate(STRANGER))
            taken += server.take()

    jobs = [job() for _ in range(60)]
    await asyncio.gather(*jobs, *([stranger()] if kind == "stranger" else []))
    possible = tokens + 9.0 * (time.monotonic() - start) - taken
    return {
        "refused": len(server.refused),
        "used": 100 * server.accepted / possible,
        "last_refused": server.refused[-1] - start if server.refused else 0.0,
    }


async def burst(name: str, cap: int) -> Result:
    """
    Six hundred calls at once out of a rest, 100 ms there and back.

    Returns:
        seconds: Until the last answer.
        refused: 429s.
    """
    contender = as_used(name, cap)
    server = Server(contender, "even")
    start = time.monotonic()

    async def call() -> None:
        await server.answer(await contender.acquire())

    await asyncio.gather(*(call() for _ in range(600)))
    return {"seconds": time.monotonic() - start, "refused": len(server.refused)}


async def lanes(name: str, bulk: int, seconds: float) -> Result:
    """
    Interactive calls, one per second and twenty at once every minute, while *bulk* others wait.

    Returns:
        p99_s, longest_s: How long they waited, those included that still do in the end.
        bulk_per_s: What bulk got meanwhile.
        refused: 429s.
    """
    contender = as_used(name)
    server = Server(contender, "short")
    knows_lanes = name == OURS
    waits: list[float] = []
    bulk_served = 0

    async def bulk_call() -> None:
        nonlocal bulk_served
        permit = await (
            contender.acquire(lane="background") if knows_lanes else contender.acquire()
        )
        bulk_served += 1
        await server.answer(permit)

    async def interactive_call() -> None:
        asked = time.monotonic()
        try:
            permit = await contender.acquire()
        finally:
            waits.append(time.monotonic() - asked)
        await server.answer(permit)

    tasks = [asyncio.create_task(bulk_call()) for _ in range(bulk)]
    dice = random.Random(11)
    start = time.monotonic()
    next_burst = start + 60.0
    while time.monotonic() - start < seconds:
        await asyncio.sleep(dice.expovariate(1.0))
        tasks.append(asyncio.create_task(interactive_call()))
        if time.monotonic() >= next_burst:
            next_burst += 60.0
            tasks += [asyncio.create_task(interactive_call()) for _ in range(20)]
    elapsed = time.monotonic() - start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    waits.sort()
    return {
        "p99_s": waits[int(0.99 * (len(waits) - 1))],
        "longest_s": waits[-1],
        "bulk_per_s": bulk_served / elapsed,
        "refused": len(server.refused),
    }
