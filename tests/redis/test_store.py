"""Clients that share their budget through Redis, against an emulator that enforces it."""

from __future__ import annotations

from uuid import uuid4

import anyio
import pytest
import redis

from talkjs_async import AsyncTalkJS, OwnBudgets
from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async.emulator import Emulator, RealClock, VirtualClock
from talkjs_async.emulator.limits import Limits
from talkjs_async.redis import RedisLimiter
from talkjs_async.telemetry import LimiterEvent, StoreAway
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio


async def test_two_clients_use_one_budget_in_virtual_time(redis_server: RedisServer) -> None:
    emulator = Emulator(app_id=uuid4().hex)

    with redis.Redis.from_url(redis_server.url) as store:
        statuses = await _call_together(emulator, store, emulator.clock, calls=400)

    assert [200] * 800 == statuses
    assert emulator.clock.monotonic() > (800 - 600) / 9


async def test_redis_has_real_time_to_answer_where_callers_wait_in_virtual_time(
    redis_server: RedisServer,
) -> None:
    limiter = RedisLimiter(redis_server.url, uuid4().hex, tokens=5, clock=VirtualClock())
    events: list[LimiterEvent] = []
    limiter.listen(events.append)

    for _ in range(5):
        (await limiter.acquire()).settle()
    await limiter.aclose()

    assert not [event for event in events if isinstance(event, StoreAway)]


async def test_two_clients_use_one_budget_in_real_time(redis_server: RedisServer) -> None:
    limits = Limits(rate=50.0, burst=10)
    emulator = Emulator(app_id=uuid4().hex, clock=RealClock(), limits=limits)

    statuses = await _call_together(emulator, redis_server.url, SYSTEM_CLOCK, calls=20)

    assert [200] * 40 == statuses


async def _call_together(
    emulator: Emulator, store: object, clock: Clock, *, calls: int
) -> list[int | None]:
    """Let two clients, each with a limiter of its own, make so many calls each."""
    limits = emulator.limits

    async def work() -> None:
        limiter = RedisLimiter(
            store, emulator.app_id, rate=limits.rate, burst=limits.burst, clock=clock
        )
        client = AsyncTalkJS(
            emulator.app_id,
            emulator.secret_key,
            transport=emulator.transport,
            clock=clock,
            budgets=OwnBudgets(limiter),
        )
        async with client as talkjs, anyio.create_task_group() as calling:
            for _ in range(calls):
                calling.start_soon(talkjs.app.get)
        await limiter.aclose()
        assert calls == limiter.statistics().granted

    async with anyio.create_task_group() as clients:
        clients.start_soon(work)
        clients.start_soon(work)
    return [exchange.status for exchange in emulator.requests]
