"""
Worker: what calls over the loopback cost a contender, warm or as one cold burst.

    python -m benchmarks.workers.calls CONTENDER URL CALLERS CALLS warm|cold
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from benchmarks.measure import Result, stay_on
from benchmarks.rivals.clients import CONTENDERS, Call

Open = Callable[[AsyncExitStack, str], Awaitable[Call]]
"""Opens a client for the server with this URL, and returns one call."""


async def measure(open_client: Open, url: str, callers: int, calls: int, *, cold: bool) -> Result:
    """
    Let *callers* tasks make *calls* calls in all, one after the other each.

    Args:
        open_client: The contender.
        url: The server.
        callers: Tasks.
        calls: In all.
        cold: Whether loading the library and connecting are a part of it.

    Returns:
        CPU microseconds of this process per call, seconds in all, the slowest call, failed calls.
    """
    each = max(1, calls // callers)
    failed = 0
    slowest = 0.0
    async with AsyncExitStack() as stack:
        cpu, wall = time.process_time(), time.perf_counter()
        call = await open_client(stack, url)

        async def caller(times: int) -> None:
            nonlocal failed, slowest
            for _ in range(times):
                begun = time.perf_counter()
                try:
                    await call()
                except Exception:  # noqa: BLE001 - a benchmark counts whatever goes wrong
                    failed += 1
                slowest = max(slowest, time.perf_counter() - begun)

        async def all_at_once(times: int) -> None:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(callers):
                    tasks.create_task(caller(times))

        if not cold:
            await all_at_once(max(1, each // 5))
            failed, slowest = 0, 0.0
            cpu, wall = time.process_time(), time.perf_counter()
        await all_at_once(each)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    done = each * callers
    return {
        "callers": callers,
        "cold": cold,
        "cpu_us": cpu / done * 1e6,
        "wall_s": wall,
        "slowest_s": slowest,
        "calls": done,
        "failed": failed,
    }


def main(argv: list[str]) -> None:
    """Measure what the arguments say and print it."""
    name, url, callers, calls, temperature = argv
    stay_on(0)
    cold = temperature == "cold"
    print(
        json.dumps(
            asyncio.run(measure(CONTENDERS[name].connect, url, int(callers), int(calls), cold=cold))
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
