"""Both limiters, on both event loops, keep every invariant after every step."""

from __future__ import annotations

from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from talkjs_async.limits import Limiter, TokenBucket
from talkjs_async.redis import RedisLimiter
from talkjs_async.redis._account import HOLD
from tests.limits.laws import ShakyClock
from tests.limits.machine import BURST, CAP, RATE, RESERVE, LimiterMachine
from tests.redis_server import RedisServer

BACKENDS = pytest.mark.parametrize("loop", ["asyncio", "trio"])
SETTINGS = settings(
    deadline=None,
    max_examples=60,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow],
)


@BACKENDS
def test_a_token_bucket_keeps_the_contract(loop: str) -> None:
    class Machine(LimiterMachine):
        backend = loop

        def make(self, clock: ShakyClock) -> Limiter:
            return TokenBucket(
                RATE, BURST, max_in_flight=CAP, background_reserve=RESERVE, clock=clock
            )

    run_state_machine_as_test(Machine, settings=SETTINGS)


@BACKENDS
def test_a_budget_in_redis_keeps_the_contract(redis_server: RedisServer, loop: str) -> None:
    with redis.Redis.from_url(redis_server.url) as client:

        class Machine(LimiterMachine):
            backend = loop
            held = HOLD

            def make(self, clock: ShakyClock) -> Limiter:
                return RedisLimiter(
                    client,
                    uuid4().hex,
                    rate=RATE,
                    burst=BURST,
                    max_in_flight=CAP,
                    background_reserve=RESERVE,
                    tokens=BURST,
                    clock=clock,
                )

        run_state_machine_as_test(Machine, settings=SETTINGS)
