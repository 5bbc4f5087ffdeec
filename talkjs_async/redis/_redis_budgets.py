"""Both budgets of each app, kept in Redis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async.limits._budgets import budget_key
from talkjs_async.limits._registry import Registry
from talkjs_async.redis._redis_limiter import RedisLimiter


class RedisBudgets:
    """
    The budgets of an app, shared by all processes and machines through Redis or Valkey.

        async with AsyncTalkJS(budgets=RedisBudgets("redis://localhost")) as talkjs:
            ...

    Args:
        url_or_client: As for `RedisLimiter`.
        options: The same, without *app_id*, *endpoint_class* and *base_url*, which clients supply.

    Raises:
        ConfigurationError: A setting that cannot be.
    """

    def __init__(self, url_or_client: object, **options: Any) -> None:
        self._registry: Registry[RedisLimiter] = Registry()
        make: Callable[..., RedisLimiter] = RedisLimiter
        self._make = partial(make, url_or_client, **options)
        # What is wrong with a setting shows now, not at the first client.
        self._make("app")

    def limiters(
        self,
        base_url: str,
        app_id: str,
        clock: Clock,
    ) -> tuple[RedisLimiter, RedisLimiter]:
        """Find the limiters of an app; see `Budgets.limiters`."""
        clocked = {} if clock is SYSTEM_CLOCK else {"clock": clock}
        ordinary, batch = (
            self._registry.get(
                (budget_key(base_url, app_id), name),
                clock,
                partial(self._make, app_id, endpoint_class=name, base_url=base_url, **clocked),
            )
            for name in ("ordinary", "batch")
        )
        return ordinary, batch

    async def aclose(self) -> None:
        """Close the limiters; Redis is told that this process has left."""
        for limiter in self._registry.all():
            await limiter.aclose()
