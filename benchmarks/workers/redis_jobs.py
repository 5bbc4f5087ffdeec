"""
Worker: one of several processes that share a budget through Redis.

    python -m benchmarks.workers.redis_jobs CONTENDER JOB

JOB is a `Job` as JSON. A process says that it is ready, is told a moment at which to begin, and
says in the end when it was granted what: all by the monotonic clock, which processes share.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple

from benchmarks.measure import Result

OURS: Final = "talkjs-async"
RIVALS: Final = ("pyrate-limiter", "throttled-py")


class Job(NamedTuple):
    """
    What a process does.

    Attributes:
        url: Where Redis is.
        rate, burst: The bucket that all processes share.
        seconds: For how long.
        lane: Where our limiter queues the calls.
        tasks: How many tasks ask again and again. 0: calls arrive at random.
        arrivals: How many of those arrive per second.
        floor: Tokens that background leaves alone.
        on_outage: What our limiter does without Redis.
        aloud: Whether every grant is told at once, for a process that will not live to tell them.
    """

    url: str
    rate: float
    burst: int
    seconds: float
    lane: str = "interactive"
    tasks: int = 10
    arrivals: float = 0.0
    floor: int = 0
    on_outage: str = "share"
    aloud: bool = False


class Contender(NamedTuple):
    """A limiter at work, and how it is told that an answer is in, or that all is over."""

    acquire: Callable[[], Awaitable[Any]]
    settle: Callable[[Any], object] = lambda _: None
    aclose: Callable[[], Awaitable[object]] | None = None


def ours(job: Job) -> Contender:
    """This project's. Redis is new, and the server's bucket is known to be full."""
    from talkjs_async.limits import Permit
    from talkjs_async.redis import RedisLimiter

    limiter = RedisLimiter(
        job.url,
        "app",
        rate=job.rate,
        burst=job.burst,
        max_in_flight=None,
        background_reserve=job.floor,
        tokens=job.burst,
        on_outage=job.on_outage,  # type: ignore[arg-type]  # came as JSON
    )
    lane: Any = job.lane

    async def acquire() -> Permit:
        return await limiter.acquire(lane=lane)

    return Contender(acquire, Permit.settle, limiter.aclose)


def pyrate_limiter(job: Job) -> Contender:
    """Its token bucket, whose state is in Redis."""
    pyrate: Any = importlib.import_module("pyrate_limiter")
    redis: Any = importlib.import_module("redis.asyncio")
    store = pyrate.RedisStateStore(redis.Redis.from_url(job.url), "app")
    per_second = pyrate.Rate(round(job.rate), pyrate.Duration.SECOND, burst=job.burst)
    bucket = pyrate.StateBucket([per_second], store=store, algorithm=pyrate.TokenBucket())
    limiter = pyrate.Limiter(bucket)

    async def acquire() -> None:
        await limiter.try_acquire_async("app")

    return Contender(acquire)


def throttled_py(job: Job) -> Contender:
    """Its GCRA, whose state is in Redis."""
    module: Any = importlib.import_module("throttled.asyncio")
    quota = module.rate_limiter.per_duration(timedelta(seconds=1), round(job.rate), burst=job.burst)
    limiter = module.Throttled(
        key="app",
        using=module.RateLimiterType.GCRA.value,
        quota=quota,
        timeout=1e9,
        store=module.RedisStore(server=job.url),
    )

    async def acquire() -> None:
        await limiter.limit()

    return Contender(acquire)


MAKERS: Final[dict[str, Callable[[Job], Contender]]] = {
    OURS: ours,
    "pyrate-limiter": pyrate_limiter,
    "throttled-py": throttled_py,
}


async def work(name: str, job: Job) -> Result:
    """Ask for tokens until the time is over."""
    contender = MAKERS[name](job)
    print("ready", flush=True)
    start = float(await asyncio.to_thread(sys.stdin.readline))
    end = start + job.seconds
    grants: list[float] = []
    waits: list[float] = []
    errors = 0

    async def call() -> None:
        nonlocal errors
        asked = time.monotonic()
        try:
            permit = await contender.acquire()
        except Exception:  # noqa: BLE001 - each library has its own
            # Whoever is refused, or whose limiter breaks, tries again like anybody's retry.
            errors += 1
            await asyncio.sleep(0.1)
            return
        granted = time.monotonic()
        if job.aloud:
            print(granted, flush=True)
        contender.settle(permit)
        if granted < end:
            grants.append(granted)
            waits.append(granted - asked)

    async def ask_on() -> None:
        while True:
            await call()

    await asyncio.sleep(max(start - time.monotonic(), 0.0))
    cpu = time.process_time()
    tasks = [asyncio.create_task(ask_on()) for _ in range(job.tasks)]
    if job.arrivals:
        while (arrival := time.monotonic() + random.expovariate(job.arrivals)) < end:
            await asyncio.sleep(arrival - time.monotonic())
            tasks.append(asyncio.create_task(call()))
    await asyncio.sleep(max(end - time.monotonic(), 0.0))
    cpu = time.process_time() - cpu
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if contender.aclose is not None:
        await contender.aclose()
    return {"grants": grants, "waits": waits, "cpu": cpu, "errors": errors}


def main() -> None:
    """Do the job of the command line and print what came of it."""
    name, job = sys.argv[1], Job(**json.loads(sys.argv[2]))
    print(json.dumps(asyncio.run(work(name, job))))


if __name__ == "__main__":
    main()
