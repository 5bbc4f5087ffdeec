"""The server's rate limits."""

from collections.abc import Awaitable, Callable
from fractions import Fraction

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.emulator import Emulator, Limits, VirtualClock
from talkjs_async.emulator.limits import Bucket

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]


def bucket(**settings: float) -> Bucket:
    merged = {"rate": 9.0, "burst": 600, "queue": 0, "tick": 0.0, "tokens": 600.0, **settings}
    return Bucket(
        rate=merged["rate"],
        burst=int(merged["burst"]),
        queue=int(merged["queue"]),
        tick=merged["tick"],
        tokens=merged["tokens"],
        now=0.0,
    )


async def test_the_601st_request_at_once_is_refused(emulator: Emulator, send: Send) -> None:
    statuses = [(await send("GET", "/users")).status_code for _ in range(601)]

    assert [200] * 600 + [429] == statuses


async def test_nine_requests_a_second_are_accepted_for_ever(emulator: Emulator, send: Send) -> None:
    emulator.limits = Limits(burst=1)

    for _ in range(500):
        assert (await send("GET", "/users")).status_code == 200
        await emulator.clock.sleep(1 / 9)


async def test_each_429_costs_nothing(emulator: Emulator, send: Send) -> None:
    emulator.limits = Limits(burst=1)
    await send("GET", "/users")

    for _ in range(20):
        assert (await send("GET", "/users")).status_code == 429
    await emulator.clock.sleep(1 / 9)

    assert (await send("GET", "/users")).status_code == 200


@pytest.mark.parametrize("form", ["seconds", "date", None])
async def test_retry_after_is_a_setting(form: object) -> None:
    emulator = Emulator(
        limits=Limits(burst=1, rate=0.5, retry_after=form)  # type: ignore[arg-type]
    )
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        client.headers["authorization"] = f"Bearer {emulator.secret_key}"
        await client.get("http://emulator/v1/emulator/users")
        answer = await client.get("http://emulator/v1/emulator/users")

    expected = {"seconds": "2", "date": "Thu, 01 Jan 2026 00:00:02 GMT", None: None}[form]  # type: ignore[index]
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == expected


@pytest.mark.parametrize(("switch", "body"), [("text", b"Too many requests"), ("empty", b"")])
async def test_the_body_of_a_429_is_a_setting(
    emulator: Emulator, send: Send, switch: str, body: bytes
) -> None:
    emulator.limits = Limits(burst=1)
    emulator.switches.rate_limit_body = switch  # type: ignore[assignment]
    await send("GET", "/users")

    answer = await send("GET", "/users")

    assert (429, body) == (answer.status_code, answer.content)


async def test_limits_can_be_switched_off(emulator: Emulator, send: Send) -> None:
    emulator.limits = Limits.off()

    for _ in range(1_000):
        assert (await send("GET", "/users")).status_code == 200


async def test_a_server_with_a_queue_holds_requests_before_it_refuses_one(
    emulator: Emulator, send: Send
) -> None:
    emulator.limits = Limits(rate=2, burst=1, queue=3)
    answered: list[tuple[int, float]] = []

    async def caller() -> None:
        answer = await send("GET", "/users")
        answered.append((answer.status_code, emulator.clock.monotonic()))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(caller)

    assert [(200, 0.0), (200, 0.5), (200, 1.0), (200, 1.5), (429, 0.0)] == sorted(
        answered, key=lambda one: (one[0], one[1])
    )


async def test_the_budget_may_start_empty() -> None:
    clock = VirtualClock()
    emulator = Emulator(clock=clock, limits=Limits(initial_tokens=0))

    assert emulator.budget.ordinary.tokens(clock.monotonic()) == 0
    clock.advance(10)
    assert emulator.budget.ordinary.tokens(clock.monotonic()) == pytest.approx(90)


async def test_the_budget_fills_from_the_start_and_not_from_the_first_request() -> None:
    clock = VirtualClock()
    emulator = Emulator(clock=clock, limits=Limits(initial_tokens=0, initial_batch_tokens=0))

    clock.advance(10)

    assert emulator.budget.ordinary.tokens(clock.monotonic()) == pytest.approx(90)
    assert emulator.budget.batch.tokens(clock.monotonic()) == pytest.approx(10)


async def test_other_limits_keep_the_tokens_there_are(emulator: Emulator, send: Send) -> None:
    for _ in range(590):
        await send("GET", "/users")

    emulator.limits = Limits(rate=8)

    assert emulator.budget.ordinary.tokens(emulator.clock.monotonic()) == pytest.approx(10)
    await emulator.clock.sleep(1)
    assert emulator.budget.ordinary.tokens(emulator.clock.monotonic()) == pytest.approx(18)


def test_a_server_that_ticks_refills_all_at_once() -> None:
    ticking = bucket(tick=1.0, tokens=0.0)

    assert ticking.take(0.0) is None
    assert ticking.take(0.99) is None
    assert [ticking.take(1.0) for _ in range(10)] == [0.0] * 9 + [None]


def test_a_ticking_queue_waits_for_whole_ticks() -> None:
    ticking = bucket(tick=1.0, tokens=0.0, queue=20)
    ticking.take(0.0)
    ticking.take(0.0)

    waits = [ticking.take(0.25) for _ in range(8)]

    assert [0.75] * 7 + [1.75] == waits


@given(
    gaps=st.lists(st.floats(0, 3), max_size=60),
    rate=st.sampled_from([1.0, 9.0, 0.3]),
    burst=st.integers(1, 5),
)
def test_no_window_ever_sees_more_than_burst_plus_rate(
    gaps: list[float], rate: float, burst: int
) -> None:
    limited = bucket(rate=rate, burst=burst, tokens=burst)
    now, accepted = 0.0, []

    for gap in gaps:
        now += gap
        if limited.take(now) is not None:
            accepted.append(now)

    for first, begin in enumerate(accepted):
        for last, end in enumerate(accepted[first:], start=first):
            allowed = burst + Fraction(rate) * (Fraction(end) - Fraction(begin))
            assert last - first + 1 <= allowed + Fraction(1, 1000)


@given(gaps=st.lists(st.integers(0, 40), max_size=60))
def test_a_request_is_refused_only_when_the_tokens_are_really_gone(gaps: list[int]) -> None:
    limited = bucket(rate=9.0, burst=3, tokens=3.0)
    tokens, ninths = Fraction(3), 0

    for gap in gaps:  # Ninths of a second, tenfold finer than a token.
        ninths += gap
        tokens = min(Fraction(3), tokens + Fraction(gap, 10))
        expected = tokens >= 1
        tokens -= expected
        assert (limited.take(ninths / 90) is not None) is expected
