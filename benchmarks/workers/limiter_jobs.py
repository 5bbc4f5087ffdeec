"""
Workers: what limiters cost and how they serve, each in a process of its own.

    python -m benchmarks.workers.limiter_jobs uncontended CONTENDER CALLS LOOP
    python -m benchmarks.workers.limiter_jobs drained CONTENDER WAITERS RATE
    python -m benchmarks.workers.limiter_jobs waiting CONTENDER WAITERS SECONDS
    python -m benchmarks.workers.limiter_jobs served CONTENDER NETWORK SERVER SECONDS TOKENS CAP
    python -m benchmarks.workers.limiter_jobs burst CONTENDER CAP
    python -m benchmarks.workers.limiter_jobs lanes CONTENDER BULK SECONDS

The last three take place in a time that is made up: see `limiter_traffic`.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

from benchmarks.measure import Result, stay_on
from benchmarks.rivals.limiters import MAKERS
from benchmarks.virtual import JumpingLoop, fake_time
from benchmarks.workers import limiter_traffic


async def uncontended(name: str, calls: int, _loop: str) -> Result:
    """
    A token that is there: taken, and its answer noted.

    Returns:
        ns: CPU time, in nanoseconds; the middle of five times *calls*.
    """
    limiter = MAKERS[name](1e6, 10_000_000)
    took = []
    for _ in range(5):
        begun = time.process_time()
        for _ in range(calls):
            permit = await limiter.acquire()
            limiter.settle(permit)
        took.append(time.process_time() - begun)
    return {"ns": median(took) / calls * 1e9}


async def drained(name: str, waiters: int, rate: float) -> Result:
    """
    Many tasks that start together and get their token one after the other.

    Returns:
        us: CPU time per task, its creation included, in microseconds.
        overtaken: Part of the tasks that saw somebody who came later served before, in per cent.
        mb: The most memory that the process had.
    """
    limiter = MAKERS[name](rate, round(2 * rate))
    served: list[int] = []

    async def caller(number: int) -> None:
        permit = await limiter.acquire()
        served.append(number)
        limiter.settle(permit)

    gc.collect()
    begun, wall = time.process_time(), time.perf_counter()
    tasks = [asyncio.create_task(caller(number)) for number in range(waiters)]
    await asyncio.gather(*tasks)
    cpu, wall = time.process_time() - begun, time.perf_counter() - wall
    overtaken = 0
    earliest = waiters
    for number in reversed(served):
        overtaken += earliest < number
        earliest = min(earliest, number)
    return {
        "us": cpu / waiters * 1e6,
        "overtaken": 100 * overtaken / waiters,
        "seconds": wall,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def waiting(name: str, waiters: int, seconds: float) -> Result:
    """
    What it costs that many wait at 9/s.

    Returns:
        cpu_ms: CPU time per second, in milliseconds.
        lag_ms: The longest that a timer of the same loop was late, in milliseconds.
    """
    limiter = MAKERS[name](9.0, 600)

    async def caller() -> None:
        permit = await limiter.acquire()
        limiter.settle(permit)

    tasks = [asyncio.create_task(caller()) for _ in range(waiters)]
    await asyncio.sleep(1.0)
    gc.collect()
    gc.freeze()
    lag = 0.0
    begun, wall = time.process_time(), time.perf_counter()
    while time.perf_counter() - wall < seconds:
        before = time.perf_counter()
        await asyncio.sleep(0.1)
        lag = max(lag, time.perf_counter() - before - 0.1)
    cpu, wall = time.process_time() - begun, time.perf_counter() - wall
    for task in tasks:
        task.cancel()
    return {"cpu_ms": cpu / wall * 1e3, "lag_ms": lag * 1e3}


def run_on(loop: str, function: Callable[..., Any], *arguments: Any) -> Result:
    """Run *function* on "asyncio", "uvloop" or "trio"."""
    if loop == "trio":
        result: Result = importlib.import_module("trio").run(function, *arguments)
        return result
    factory = importlib.import_module("uvloop").new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(function(*arguments))


JOBS: Final[dict[str, tuple[Callable[..., Any], tuple[Callable[[str], Any], ...]]]] = {
    "uncontended": (uncontended, (int, str)),
    "drained": (drained, (int, float)),
    "waiting": (waiting, (int, float)),
}
SIMULATED: Final[dict[str, tuple[Callable[..., Any], tuple[Callable[[str], Any], ...]]]] = {
    "served": (limiter_traffic.served, (str, str, float, float, int)),
    "burst": (limiter_traffic.burst, (int,)),
    "lanes": (limiter_traffic.lanes, (int, float)),
}


def main(argv: Sequence[str]) -> int:
    """Do one job and print its figures."""
    job, contender, *arguments = argv
    stay_on(0)
    function, kinds = {**JOBS, **SIMULATED}[job]
    values = [kind(text) for kind, text in zip(kinds, arguments, strict=True)]
    if job in SIMULATED:
        fake_time()
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            figures = runner.run(function(contender, *values))
    else:
        loop = values[-1] if job == "uncontended" else "asyncio"
        figures = run_on(loop, function, contender, *values)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
