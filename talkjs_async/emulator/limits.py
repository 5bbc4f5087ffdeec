"""
The server's two rate limits, per app.

Knows time and numbers, nothing of HTTP. The figures are TalkJS's own (documented): ordinary
requests have a burst of 600 and 9 per second sustained, `POST /batch` a burst of 500, 1 per
second and "a maximum queue length" of 100. Everything else about them is not documented, so it
is a setting.
"""

import math
from typing import Literal

import attrs

from talkjs_async.emulator._attributes import ListsAttributes

__all__ = ["AppBudget", "Bucket", "Limits"]

# Float noise of adding thousands of refills must not cost a request.
_EPSILON = 1e-6


@attrs.frozen(kw_only=True)
class Limits(ListsAttributes):
    """
    How the server limits requests.

    Attributes:
        rate: Ordinary requests per second, sustained.
        burst: Ordinary requests at once after a rest.
        queue: Ordinary requests beyond the burst that are held instead of refused. Zero: none.
        batch_rate: `POST /batch` requests per second, sustained.
        batch_burst: `POST /batch` requests at once after a rest.
        batch_queue: As *queue*, for `POST /batch`. Documented: 100. None of them are held here
            unless asked for, because that is harder on a caller.
        tick: The server refills once per so many seconds. Zero: continuously.
        retry_after: What the `Retry-After` header of a 429 holds. None: it is not sent.
        initial_tokens: What the ordinary burst holds at the start. None: all of it.
        initial_batch_tokens: The same for `POST /batch`.
        enabled: False switches both limits off.
    """

    rate: float = 9.0
    burst: int = 600
    queue: int = 0
    batch_rate: float = 1.0
    batch_burst: int = 500
    batch_queue: int = 0
    tick: float = 0.0
    retry_after: Literal["seconds", "date"] | None = None
    initial_tokens: float | None = None
    initial_batch_tokens: float | None = None
    enabled: bool = True

    @classmethod
    def off(cls) -> "Limits":
        """Return limits that never refuse anything."""
        return cls(enabled=False)


class Bucket(ListsAttributes):
    """
    A token bucket with an optional queue.

    Tokens below zero are requests in the queue.
    """

    def __init__(
        self, *, rate: float, burst: int, queue: int, tick: float, tokens: float, now: float
    ) -> None:
        """*now*: the monotonic time in seconds from which on it fills."""
        self.rate: float = rate
        self.burst: int = burst
        self.queue: int = queue
        self.tick: float = tick
        self._tokens = tokens
        self._refilled_at = now

    def tokens(self, now: float) -> float:
        """Return the tokens there are at *now*, a monotonic time in seconds."""
        self._refill(now)
        return self._tokens

    def take(self, now: float) -> float | None:
        """Take a token. The seconds to hold the request, or None when it is refused."""
        self._refill(now)
        if self._tokens - 1 < -self.queue - _EPSILON:
            return None
        self._tokens -= 1
        return self._time_until(0.0, now) if self._tokens < -_EPSILON else 0.0

    def change(self, now: float, *, rate: float, burst: int, queue: int, tick: float) -> None:
        """Go on with other settings from *now*."""
        self._refill(now)
        self.rate = rate
        self.burst = burst
        self.queue = queue
        self.tick = tick
        self._tokens = min(self._tokens, burst)

    def time_until_token(self, now: float) -> float:
        """Return the seconds until a request would be accepted again."""
        self._refill(now)
        return self._time_until(1.0 - self.queue, now)

    def _refill(self, now: float) -> None:
        if self.tick:
            ticks = math.floor((now - self._refilled_at) / self.tick + _EPSILON)
            elapsed = ticks * self.tick
        else:
            elapsed = now - self._refilled_at
        if elapsed > 0:
            self._tokens = min(self.burst, self._tokens + elapsed * self.rate)
            self._refilled_at += elapsed

    def _time_until(self, tokens: float, now: float) -> float:
        seconds = max(0.0, tokens - self._tokens) / self.rate
        if self.tick:
            seconds = math.ceil(seconds / self.tick - _EPSILON) * self.tick
        return max(0.0, self._refilled_at + seconds - now)


class AppBudget(ListsAttributes):
    """The two buckets of one app."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.ordinary: Bucket = Bucket(
            rate=limits.rate,
            burst=limits.burst,
            queue=limits.queue,
            tick=limits.tick,
            tokens=limits.burst if limits.initial_tokens is None else limits.initial_tokens,
            now=now,
        )
        self.batch: Bucket = Bucket(
            rate=limits.batch_rate,
            burst=limits.batch_burst,
            queue=limits.batch_queue,
            tick=limits.tick,
            tokens=(
                limits.batch_burst
                if limits.initial_batch_tokens is None
                else limits.initial_batch_tokens
            ),
            now=now,
        )

    def apply(self, limits: Limits, now: float) -> None:
        """Go on with other limits from *now*. Tokens are kept, as far as they fit."""
        self.ordinary.change(
            now, rate=limits.rate, burst=limits.burst, queue=limits.queue, tick=limits.tick
        )
        self.batch.change(
            now,
            rate=limits.batch_rate,
            burst=limits.batch_burst,
            queue=limits.batch_queue,
            tick=limits.tick,
        )
