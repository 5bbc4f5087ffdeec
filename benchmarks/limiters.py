"""
Workers: how limiters compare, each in a process of its own.

    python -m benchmarks.limiters uncontended CONTENDER CALLS
    python -m benchmarks.limiters drained CONTENDER WAITERS RATE
    python -m benchmarks.limiters waiting CONTENDER WAITERS SECONDS
    python -m benchmarks.limiters served CONTENDER NETWORK SECONDS TOKENS     (virtual time)
    python -m benchmarks.limiters lanes CONTENDER BULK SECONDS                (virtual time)

Every contender gets the same job in its own words: a token bucket with this rate and this burst, or
the nearest that it has.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import math
import random
import resource
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from benchmarks.measure import Result, stay_on
from benchmarks.virtual import JumpingLoop, fake_time

OURS: Final = "talkjs-async"
FLOOR: Final = "floor: a Future each"
RIVALS: Final = (
    "aiolimiter",
    "asynciolimiter",
    "pyrate-limiter",
    "limits",
    "throttled-py",
    "asyncio-throttle",
)


class Contender(NamedTuple):
    """
    A limiter at work.

    Attributes:
        acquire: Waits for a token. Takes "interactive" or "background", if it knows lanes.
        settle: Is called when the answer is in.
        throttled: Is called when the answer was a 429.
    """

    acquire: Callable[..., Awaitable[Any]]
    settle: Callable[[], object] = lambda: None
    throttled: Callable[[Any], object] = lambda _: None


def ours(rate: float, burst: int, *, cap: int | None = None) -> Contender:
    """This project's limiter; with *cap*, as the SDK uses it."""
    from talkjs_async.limits import TokenBucket

    bucket = TokenBucket(rate, burst, max_in_flight=cap)

    async def acquire(lane: Any = "interactive") -> int:
        return await bucket.acquire(lane=lane)

    return Contender(acquire if cap else bucket.acquire, bucket.settle, bucket.throttled)


class Futures:
    """The least that a waiting limiter can do on asyncio: a Future per waiter and one timer."""

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate
        self._burst = burst
        self._full_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._waiting and self._due() <= now:
            self._full_at = max(self._full_at, now) + self._interval
            return
        future = loop.create_future()
        self._waiting.append(future)
        if len(self._waiting) == 1:
            loop.call_at(self._due(), self._ring, loop)
        await future

    def _due(self) -> float:
        return self._full_at - (self._burst - 1) * self._interval

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._waiting and self._due() <= now:
            self._full_at = max(self._full_at, now) + self._interval
            self._waiting.popleft().set_result(None)
        if self._waiting:
            loop.call_at(self._due(), self._ring, loop)


def floor(rate: float, burst: int) -> Contender:
    """What nobody can beat."""
    return Contender(Futures(rate, burst).acquire)


def aiolimiter(rate: float, burst: int) -> Contender:
    """A leaky bucket of *burst* that leaks *rate* per second."""
    limiter = importlib.import_module("aiolimiter").AsyncLimiter(burst, burst / rate)
    return Contender(limiter.acquire)


def asynciolimiter(rate: float, burst: int) -> Contender:
    """The same."""
    limiter = importlib.import_module("asynciolimiter").LeakyBucketLimiter(rate, capacity=burst)
    return Contender(limiter.wait)


def pyrate_limiter(rate: float, burst: int) -> Contender:
    """Its token bucket."""
    pyrate: Any = importlib.import_module("pyrate_limiter")
    per_second = pyrate.Rate(round(rate), pyrate.Duration.SECOND, burst=burst)
    bucket = pyrate.StateBucket([per_second], algorithm=pyrate.TokenBucket())
    limiter = pyrate.Limiter(bucket)

    async def acquire() -> None:
        await limiter.try_acquire_async("app")

    return Contender(acquire)


def limits(rate: float, burst: int) -> Contender:  # noqa: ARG001 - it knows no burst
    """A moving window: it has no token bucket, and callers have to ask again by themselves."""
    module: Any = importlib.import_module("limits")
    importlib.import_module("limits.aio.strategies")
    store = module.aio.storage.MemoryStorage()
    limiter = module.aio.strategies.MovingWindowRateLimiter(store)
    per_second = module.RateLimitItemPerSecond(round(rate))

    async def acquire() -> None:
        while not await limiter.hit(per_second, "app"):
            window = await limiter.get_window_stats(per_second, "app")
            await asyncio.sleep(max(window.reset_time - time.time(), 0.001))

    return Contender(acquire)


def throttled_py(rate: float, burst: int) -> Contender:
    """Its GCRA, which is the better of its two; it waits when it has a timeout."""
    module: Any = importlib.import_module("throttled.asyncio")
    quota = module.rate_limiter.per_duration(timedelta(seconds=1), round(rate), burst=burst)
    limiter = module.Throttled(
        key="app",
        using=module.RateLimiterType.GCRA.value,
        quota=quota,
        timeout=1e9,
        store=module.MemoryStore(),
    )

    async def acquire() -> None:
        await limiter.limit()

    return Contender(acquire)


def asyncio_throttle(rate: float, burst: int) -> Contender:  # noqa: ARG001 - it knows no burst
    """A sliding window that is looked at every 10 ms."""
    limiter = importlib.import_module("asyncio_throttle").Throttler(round(rate), 1.0)
    return Contender(limiter.acquire)


MAKERS: Final[dict[str, Callable[[float, int], Contender]]] = {
    OURS: ours,
    FLOOR: floor,
    "aiolimiter": aiolimiter,
    "asynciolimiter": asynciolimiter,
    "pyrate-limiter": pyrate_limiter,
    "limits": limits,
    "throttled-py": throttled_py,
    "asyncio-throttle": asyncio_throttle,
}


# The jobs.


async def uncontended(name: str, calls: int) -> Result:
    """A token that is there: taken, and its answer noted."""
    limiter = MAKERS[name](1e6, 10_000_000)
    best = math.inf
    for _ in range(5):
        begun = time.process_time()
        for _ in range(calls):
            await limiter.acquire()
            limiter.settle()
        best = min(best, time.process_time() - begun)
    return {"ns": best / calls * 1e9}


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
        await limiter.acquire()
        served.append(number)
        limiter.settle()

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
        cpu: CPU seconds per second.
        lag_ms: The longest that a timer of the same loop was late, in milliseconds.
    """
    limiter = MAKERS[name](9.0, 600)

    async def caller() -> None:
        await limiter.acquire()
        limiter.settle()

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
    return {"cpu": cpu / wall, "lag_ms": lag * 1e3}


def jitter(dice: random.Random, _: float) -> float:
    """10 to 300 ms."""
    return dice.uniform(0.01, 0.3)


def tail(dice: random.Random, _: float) -> float:
    """50 ms in the middle, half a second for one in a hundred, at most five."""
    return min(5.0, 0.05 * math.exp(dice.gauss(0.0, 1.0)))


def stalls(dice: random.Random, now: float) -> float:
    """Jitter; and every five minutes nothing arrives for three seconds."""
    delay = jitter(dice, now)
    return delay + max(0.0, 3.0 - (now + delay) % 300)


def short(dice: random.Random, _: float) -> float:
    """25 to 150 ms."""
    return dice.uniform(0.025, 0.15)


NETWORKS: Final = {"jitter": jitter, "tail": tail, "stalls": stalls, "short": short}


class Server:
    """An exact bucket of 600 at 9/s behind a network. Nothing of it is shared with the limiters."""

    def __init__(self, contender: Contender, network: str, tokens: float) -> None:
        self._contender = contender
        self._delay = NETWORKS[network]
        self._dice = random.Random(7)
        self._full_at = time.monotonic() + (600 - tokens) / 9
        self.accepted = 0
        self.refused: list[float] = []

    async def answer(self, permit: Any) -> None:
        """Send one request and tell the limiter how it went."""
        await asyncio.sleep(self._delay(self._dice, time.monotonic()))
        now = time.monotonic()
        level = max(self._full_at, now) + 1 / 9
        # Float noise of ten thousand refills is no reason to refuse.
        accepted = level <= now + 600 / 9 + 1e-6
        if accepted:
            self._full_at = level
            self.accepted += 1
        else:
            self.refused.append(now)
        await asyncio.sleep(self._delay(self._dice, time.monotonic()))
        if accepted:
            self._contender.settle()
        else:
            self._contender.throttled(permit)


def as_used(name: str) -> Contender:
    """The contender at TalkJS's limits, ours with the SDK's cap on requests in flight."""
    return ours(9.0, 600, cap=20) if name == OURS else MAKERS[name](9.0, 600)


async def served(name: str, network: str, seconds: float, tokens: float) -> Result:
    """
    Sixty tasks that send all they may, for *seconds*.

    Returns:
        refused: 429s.
        used: Part of the server's budget that was used, in per cent.
        last_refused: Seconds after which there was no 429 any more.
    """
    contender = as_used(name)
    server = Server(contender, network, tokens)
    start = time.monotonic()

    async def job() -> None:
        while time.monotonic() - start < seconds:
            await server.answer(await contender.acquire())

    await asyncio.gather(*(job() for _ in range(60)))
    possible = tokens + 9.0 * (time.monotonic() - start)
    return {
        "refused": len(server.refused),
        "used": 100 * server.accepted / possible,
        "last_refused": server.refused[-1] - start if server.refused else 0.0,
    }


async def lanes(name: str, bulk: int, seconds: float) -> Result:
    """
    Interactive calls, one per second and twenty at once every minute, while *bulk* others wait.

    Returns:
        p99_s, longest_s: How long they waited, those included that still do in the end.
        bulk_per_s: What bulk got meanwhile.
        refused: 429s.
    """
    contender = as_used(name)
    server = Server(contender, "short", 600.0)
    knows_lanes = name == OURS
    waits: list[float] = []
    bulk_served = 0

    async def bulk_call() -> None:
        nonlocal bulk_served
        permit = await (contender.acquire("background") if knows_lanes else contender.acquire())
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


JOBS: Final[dict[str, tuple[Callable[..., Any], tuple[Callable[[str], Any], ...]]]] = {
    "uncontended": (uncontended, (int,)),
    "drained": (drained, (int, float)),
    "waiting": (waiting, (int, float)),
    "served": (served, (str, float, float)),
    "lanes": (lanes, (int, float)),
}
VIRTUAL: Final = {"served", "lanes"}


def main(argv: Sequence[str]) -> int:
    """Do one job and print its figures."""
    job, contender, *arguments = argv
    stay_on(0)
    function, kinds = JOBS[job]
    values = [kind(text) for kind, text in zip(kinds, arguments, strict=True)]
    if job in VIRTUAL:
        fake_time()
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            figures = runner.run(function(contender, *values))
    else:
        figures = asyncio.run(function(contender, *values))
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
