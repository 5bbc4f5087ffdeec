"""
Contenders: our limiter and its rivals, at the same job in their own words.

A token bucket with this rate and this burst, or the nearest that they have. Imports nothing of them
before it has to: `virtual` may replace the time first.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple

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
        acquire: Waits for a token. Takes *lane*, "interactive" or "background", if it knows lanes.
        settle: Is called with what `acquire` returned when the answer is in.
        throttled: The same, when the answer was a 429.
    """

    acquire: Callable[..., Awaitable[Any]]
    settle: Callable[[Any], object] = lambda _: None
    throttled: Callable[[Any], object] = lambda _: None


def ours(rate: float, burst: int, **options: Any) -> Contender:
    """This project's limiter; without *options* as the SDK uses it."""
    from talkjs_async.limits import Permit, TokenBucket

    bucket = TokenBucket(rate, burst, **options)
    return Contender(bucket.acquire, Permit.settle, Permit.throttled)


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
    # Without a cap on requests in flight, as the others have none.
    OURS: partial(ours, max_in_flight=None),
    FLOOR: floor,
    "aiolimiter": aiolimiter,
    "asynciolimiter": asynciolimiter,
    "pyrate-limiter": pyrate_limiter,
    "limits": limits,
    "throttled-py": throttled_py,
    "asyncio-throttle": asyncio_throttle,
}
