"""The budget in Redis keeps the contract of all limiters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import ClassVar
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.redis import RedisLimiter, Script
from talkjs_async.redis._account import HOLD
from talkjs_async.redis._outage import OnOutage
from tests.limits.contract import RATE, LimiterContract, MakeLimiter
from tests.limits.laws import ANY_PROGRAMS, Step, check, run
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


class TestRedisLimiter(LimiterContract):
    """
    In virtual time: the blocking client runs in a worker thread, for which the clock waits.
    """

    on_outage: ClassVar[OnOutage] = "share"

    @pytest.fixture
    def store(self, client: redis.Redis) -> object:
        return client

    @pytest.fixture
    async def make_limiter(self, clock: VirtualClock, store: object) -> AsyncIterator[MakeLimiter]:
        app_id = uuid4().hex
        made: list[RedisLimiter] = []

        def make(
            *,
            rate: float = RATE,
            burst: int = 4,
            max_in_flight: int | None = None,
            background_reserve: int | None = 0,
        ) -> RedisLimiter:
            limiter = RedisLimiter(
                store,
                app_id,
                rate=rate,
                burst=burst,
                max_in_flight=max_in_flight,
                background_reserve=background_reserve,
                tokens=burst,
                on_outage=self.on_outage,
                clock=clock,
            )
            made.append(limiter)
            return limiter

        yield make
        for limiter in made:
            await limiter.aclose()


class TestThatRefusesWithoutRedis(TestRedisLimiter):
    on_outage = "closed"


class TestThatGoesOnAsIfAlone(TestRedisLimiter):
    on_outage = "open"


class NoRedis:
    """A store that is away."""

    async def run(self, script: Script, keys: Sequence[str], argument: str) -> str:
        raise ConnectionError("it is away")

    async def aclose(self) -> None: ...


class TestWithoutRedis(TestRedisLimiter):
    """A process that goes on as if alone keeps the contract without Redis."""

    on_outage = "open"

    @pytest.fixture
    def store(self) -> object:
        return NoRedis()


class EarlyClock(VirtualClock):
    """A clock whose sleepers wake a moment too early, as rounding or the timer of a system does."""

    def __init__(self) -> None:
        super().__init__()
        self.naps = 0

    async def sleep(self, seconds: float) -> None:
        self.naps += 1
        # Whoever asks for the rest of the time, over and over, would never get it.
        assert 1_000 > self.naps
        await super().sleep(max(seconds - 1e-9, 0.0))


async def test_waking_a_moment_too_early_is_no_reason_to_spin(client: redis.Redis) -> None:
    clock = EarlyClock()
    limiter = RedisLimiter(client, uuid4().hex, rate=3, burst=4, tokens=4, clock=clock)

    for _ in range(20):
        (await limiter.acquire()).settle()
    await limiter.aclose()

    assert clock.monotonic() == pytest.approx(16 / 3, abs=0.5)


BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BACKENDS
@given(
    program=ANY_PROGRAMS,
    rate=st.sampled_from([0.5, 3.0, 9.0, 50.0]),
    # Slots that were reserved and not used may be used together: no matter, except to tiny bursts.
    burst=st.sampled_from([8, 12, 40]),
    cap=st.sampled_from([None, 1, 2, 5, 20]),
    part=st.floats(0, 0.9),
)
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_program_keeps_the_laws(
    client: redis.Redis,
    backend: str,
    program: list[Step],
    rate: float,
    burst: int,
    cap: int | None,
    part: float,
) -> None:
    app_id = uuid4().hex

    history = run(
        lambda clock: RedisLimiter(
            client,
            app_id,
            rate=rate,
            burst=burst,
            max_in_flight=cap,
            background_reserve=int(burst * part),
            tokens=burst,
            clock=clock,
        ),
        program,
        rate=rate,
        burst=burst,
        backend=backend,
    )

    check(history, rate=rate, burst=burst, held=HOLD)
