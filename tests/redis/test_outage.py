"""Redis dies, hangs, loses its data or refuses: the budget is kept, and nobody crashes."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from talkjs_async.errors import LimiterUnavailable
from talkjs_async.redis import RedisLimiter
from talkjs_async.redis._account import Account
from talkjs_async.redis._messages import ScriptAnswer
from talkjs_async.redis._outage import Outage
from talkjs_async.telemetry import LimiterEvent, StoreAway, StoreBack
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

RATE, BURST = 40.0, 10

MakeRedisLimiter = Callable[..., RedisLimiter]


@pytest.fixture
async def make_limiter(own_redis: RedisServer) -> AsyncIterator[MakeRedisLimiter]:
    """Make limiters on this test's Redis, and close them in the end."""
    made: list[RedisLimiter] = []

    def make(url: object = own_redis.url, **options: Any) -> RedisLimiter:
        made.append(RedisLimiter(url, "app", rate=RATE, burst=BURST, tokens=BURST, **options))
        return made[-1]

    yield make
    for limiter in made:
        await limiter.aclose()


class Log:
    """What a limiter tells."""

    def __init__(self, limiter: RedisLimiter) -> None:
        self.events: list[LimiterEvent] = []
        limiter.listen(self.events.append)

    def has(self, kind: type[LimiterEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.events)

    @property
    def outages(self) -> list[type[LimiterEvent]]:
        return [type(each) for each in self.events if isinstance(each, StoreAway | StoreBack)]


async def use(limiter: RedisLimiter, until: Callable[[], bool]) -> list[float]:
    """Take tokens as fast as they come until *until*, and return when each came."""
    grants = []
    with anyio.fail_after(30):
        while not until():
            (await limiter.acquire()).settle()
            grants.append(time.monotonic())
    return grants


def overshoot(grants: list[float]) -> float:
    """The deepest debt of a bucket that was full at the first of *grants*."""
    tokens, now, least = float(BURST), grants[0], float(BURST)
    for moment in grants:
        tokens = min(BURST, tokens + (moment - now) * RATE) - 1
        now, least = moment, min(least, tokens)
    return -least


def an_account(**answer: Any) -> Account:
    """What one of four processes has, which Redis answered at 0 s."""
    account = Account(rate=RATE, burst=BURST, max_in_flight=None, reserve=0, now=0.0)
    account.received(an_answer(**answer), "interactive", 0.0, settled=0, told=0)
    return account


def an_answer(*, free: float = 0.0, reserved: int = 0, grace: float = 0.0) -> ScriptAnswer:
    return ScriptAnswer(
        now=0.0,
        generation="g",
        version=1,
        granted=0,
        reserved=reserved,
        wait=0.0,
        epoch=0,
        rate=RATE,
        burst=BURST,
        part=1.0,
        free=free,
        missing=0.0,
        members=4,
        used=100.0,
        paused=0.0,
        grace=grace,
    )


@pytest.mark.parametrize(
    ("asked_at", "left"),
    [(2.0, -8 / 4), (1.9, (-8 + 0.1 * RATE) / 4), (1.8, 0.0), (1.7, 1.0), (0.0, 4.0)],
)
async def test_a_share_begins_with_what_refilled_while_a_question_was_open(
    asked_at: float, left: float
) -> None:
    account, outage = an_account(free=-8.0), Outage("share", 4, first_heard_at=0.0)
    outage.asked_at = asked_at

    outage.begin("it hangs", account, 2.0, refuse=False)

    assert account.alone is not None
    assert pytest.approx(left, abs=0.01) == account.alone.free(2.0)


async def test_tokens_of_its_own_that_a_process_has_used_are_no_debt() -> None:
    account, outage = an_account(free=-8.0, reserved=3), Outage("share", 4, first_heard_at=0.0)
    outage.asked_at = 2.0
    account.due("interactive", 2.0, owed=False)
    for _ in range(2):
        account.take("interactive", 2.0)

    outage.begin("it is down", account, 2.0, refuse=False)

    assert account.alone is not None
    assert pytest.approx((-8 + 2) / 4, abs=0.01) == account.alone.free(2.0)


async def test_a_redis_that_goes_away_again_in_its_grace_period_leaves_the_same_share() -> None:
    account, outage = an_account(), Outage("share", 4, first_heard_at=0.0)
    rates = []

    for now in (2.0, 4.0, 6.0):
        outage.begin("it is down", account, now, refuse=False)
        rates.append(account.effective_rate)
        outage.answered(an_answer(grace=0.1), account, now + 1.0, told=True)

    assert [pytest.approx(RATE / 4, rel=0.01)] * 3 == rates


@pytest.mark.parametrize(
    ("away", "back"),
    [
        pytest.param(RedisServer.kill, RedisServer.start, id="killed"),
        pytest.param(RedisServer.hang, RedisServer.go_on, id="hung"),
    ],
)
async def test_the_budget_is_kept_through_an_outage(
    own_redis: RedisServer,
    make_limiter: MakeRedisLimiter,
    away: Callable[[RedisServer], None],
    back: Callable[[RedisServer], None],
) -> None:
    limiter = make_limiter()
    log = Log(limiter)

    grants = await use(limiter, lambda: limiter.statistics().granted == 2 * BURST)
    away(own_redis)
    grants += await use(limiter, lambda: limiter.statistics().kept_in == "alone")
    grants += await use(limiter, lambda: limiter.statistics().granted >= 4 * BURST)
    back(own_redis)
    grants += await use(limiter, lambda: log.has(StoreBack))
    granted = limiter.statistics().granted
    grants += await use(limiter, lambda: limiter.statistics().granted == granted + BURST)

    assert [StoreAway, StoreBack] == log.outages
    assert overshoot(grants) <= 1.5


async def test_the_log_says_once_which_redis_it_is(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter, caplog: pytest.LogCaptureFixture
) -> None:
    own_redis.kill()

    (await make_limiter().acquire()).settle()

    [said] = [text for each in caplog.records if "Until it is back" in (text := each.getMessage())]
    assert said.startswith(f"The budget in Redis at unix:{own_redis.folder}/redis.sock: ")
    assert 1 == said.count("Redis at")


async def test_the_share_is_a_part_of_the_rate(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    other, one = make_limiter(), make_limiter()
    await other.acquire()
    await use(one, lambda: one.statistics().granted >= BURST + 1.5 * RATE)
    own_redis.kill()

    await use(one, lambda: one.statistics().kept_in == "alone")

    assert RATE / 2 * 0.99 < one.statistics().effective_rate <= RATE / 2


async def test_before_redis_was_ever_reached_the_processes_are_as_many_as_were_assumed(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    own_redis.kill()
    limiter = make_limiter(processes=8)
    log = Log(limiter)

    await limiter.acquire()

    [away] = [event for event in log.events if isinstance(event, StoreAway)]
    assert RATE / 8 * 0.99 < away.effective_rate <= RATE / 8


async def test_closed_refuses_while_redis_is_away_and_goes_on_when_it_is_back(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    limiter = make_limiter(on_outage="closed")
    own_redis.kill()

    for _ in range(3):
        with pytest.raises(LimiterUnavailable, match=r"^Redis at "):
            await limiter.acquire()
    own_redis.start()
    with anyio.fail_after(30):
        while not limiter.statistics().granted:
            try:
                await limiter.acquire()
            except LimiterUnavailable:
                await anyio.sleep(0.01)

    assert "store" == limiter.statistics().kept_in


async def test_closed_releases_those_who_wait(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    limiter = make_limiter(on_outage="closed")
    refused = []

    async def wait() -> None:
        try:
            await limiter.acquire()
        except LimiterUnavailable as error:
            refused.append(error)

    await use(limiter, lambda: limiter.statistics().granted == BURST)
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(wait)
        own_redis.kill()

    assert refused


async def test_open_uses_the_whole_rate(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    own_redis.kill()
    limiter = make_limiter(on_outage="open", processes=8)

    grants = await use(limiter, lambda: limiter.statistics().granted == BURST + 5)

    assert RATE * 0.99 < limiter.statistics().effective_rate <= RATE
    assert overshoot(grants) <= 1.0


async def test_out_of_memory_is_an_outage_and_passes(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    own_redis.cli("config", "set", "maxmemory", "1")
    limiter = make_limiter()
    log = Log(limiter)

    await use(limiter, lambda: log.has(StoreAway))
    own_redis.cli("config", "set", "maxmemory", "0")
    await use(limiter, lambda: log.has(StoreBack))

    assert [StoreAway, StoreBack] == log.outages


async def test_flushed_scripts_are_sent_again(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    limiter = make_limiter()
    log = Log(limiter)
    await use(limiter, lambda: limiter.statistics().granted == BURST)

    own_redis.cli("script", "flush")
    await use(limiter, lambda: limiter.statistics().granted == 2 * BURST)

    assert [] == log.outages


async def test_data_that_is_gone_does_not_fill_the_bucket(
    own_redis: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    limiter = make_limiter()
    log = Log(limiter)

    grants = await use(limiter, lambda: limiter.statistics().granted == 2 * BURST)
    own_redis.cli("flushall")
    grants += await use(limiter, lambda: limiter.statistics().granted == 4 * BURST)

    assert [] == log.outages
    assert overshoot(grants) <= 1.5


class TestMistakes:
    """What nobody but its owner can put right is one sentence, without the secret in it."""

    @pytest.fixture
    def locked(self, own_redis: RedisServer) -> Iterator[str]:
        own_redis.cli("config", "set", "requirepass", "the-right-one")
        yield own_redis.url
        own_redis.cli("-a", "the-right-one", "config", "set", "requirepass", "")

    async def test_a_wrong_password(self, locked: str, make_limiter: MakeRedisLimiter) -> None:
        limiter = make_limiter(locked.replace("unix://", "unix://:a-wrong-one@"))

        error = await self.refusal(limiter)

        assert f"Redis at {locked[:4]}:{locked[7:]}: the password is wrong or missing." == str(
            error
        )
        assert "a-wrong-one" not in f"{error} {error!r} {limiter!r}"

    async def test_a_missing_password(self, locked: str, make_limiter: MakeRedisLimiter) -> None:
        error = await self.refusal(make_limiter(locked))

        assert "the password is wrong or missing" in str(error)

    async def test_a_key_that_is_something_else(
        self, own_redis: RedisServer, make_limiter: MakeRedisLimiter
    ) -> None:
        own_redis.cli("set", "talkjs:{app}:ordinary", "something else")

        error = await self.refusal(make_limiter())

        assert "WRONGTYPE" in str(error)

    async def test_a_server_that_is_no_redis(
        self, tmp_path: Path, make_limiter: MakeRedisLimiter
    ) -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

        async def serve(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await stream.receive()
                await stream.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            error = await self.refusal(make_limiter(f"redis://127.0.0.1:{port}"))
            tasks.cancel_scope.cancel()

        assert str(error).startswith("Redis at 127.0.0.1:")

    async def refusal(self, limiter: RedisLimiter) -> LimiterUnavailable:
        with pytest.raises(LimiterUnavailable) as caught:
            await limiter.acquire()
        assert 0 == limiter.statistics().granted
        return caught.value


@pytest.mark.parametrize("steps", range(12))
def test_a_program_that_ends_while_redis_is_first_asked_leaves_no_coroutine(
    steps: int, recwarn: pytest.WarningsRecorder
) -> None:
    async def take() -> None:
        (await RedisLimiter("redis://127.0.0.1:1", "app").acquire()).refund()

    async def main() -> None:
        waiting = asyncio.create_task(take())
        for _ in range(steps):
            await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(main())
    gc.collect()

    assert not recwarn.list
