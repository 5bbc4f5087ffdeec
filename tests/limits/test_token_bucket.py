"""The bucket of one process keeps the contract, and what only it can promise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from talkjs_async._core.clock import Clock
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.errors import ConfigurationError, RateLimitWaitTimeout
from talkjs_async.limits import Permit, TokenBucket
from talkjs_async.telemetry import Drained, LimiterEvent, Paused, Waited
from tests.limits.contract import (
    INSTANT,
    INTERVAL,
    RATE,
    Callers,
    LimiterContract,
    MakeLimiter,
    about,
    use_up,
)
from tests.limits.jumping_loop import JumpingLoop, LoopClock

pytestmark = pytest.mark.anyio


def maker(clock: Clock) -> MakeLimiter:
    def make(
        *,
        rate: float = RATE,
        burst: int = 4,
        max_in_flight: int | None = None,
        background_reserve: int | None = 0,
    ) -> TokenBucket:
        return TokenBucket(
            rate,
            burst,
            max_in_flight=max_in_flight,
            background_reserve=background_reserve,
            clock=clock,
        )

    return make


class TestTokenBucket(LimiterContract):
    """On a clock of somebody else, where the leader sleeps."""

    @pytest.fixture
    def make_limiter(self, clock: VirtualClock) -> MakeLimiter:
        return maker(clock)


class TestTokenBucketOnTheMachinesClock(LimiterContract):
    """On asyncio with the system clock, where the leader leaves an alarm with the event loop."""

    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, Any]]:
        return "asyncio", {"loop_factory": JumpingLoop}

    @pytest.fixture
    def clock(self) -> VirtualClock:
        return cast("VirtualClock", LoopClock())

    @pytest.fixture
    async def make_limiter(self, clock: VirtualClock) -> MakeLimiter:
        return maker(cast("LoopClock", clock).as_system_clock())


async def test_nobody_overtakes_who_has_a_token_and_is_about_to_run() -> None:
    limiter = TokenBucket(max_in_flight=2)
    order: list[str] = []
    permits: list[Permit] = []

    async def ask(name: str) -> None:
        permits.append(await limiter.acquire())
        order.append(name)

    first, second = await limiter.acquire(), await limiter.acquire()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "waited")
        await anyio.wait_all_tasks_blocked()
        first.settle()
        second.settle()
        if sniff() == "asyncio":  # trio runs its tasks in any order
            await ask("newcomer")

    assert ["waited", "newcomer"][: len(order)] == order


async def test_a_call_that_waited_in_vain_is_told_its_whole_wait() -> None:
    clock = VirtualClock()
    limiter = TokenBucket(RATE, 9, max_in_flight=1, clock=clock)
    first = await limiter.acquire()
    await clock.sleep(3.0)
    first.settle()
    held = await limiter.acquire()

    async with Callers(limiter, clock) as callers:
        # Answers took 3 seconds, this one takes longer.
        await clock.sleep(2.0)
        await callers.ask("hasty", max_wait=1.5)
        await clock.sleep(2.0)
        held.settle()

    error = callers.refused["hasty"]
    assert isinstance(error, RateLimitWaitTimeout)
    # The answer is half a second late by then, and expected to be as late again.
    assert pytest.approx(1.5 + 0.5, abs=0.01) == error.retry_after


async def test_whoever_waits_is_counted_until_it_is_served_or_gone() -> None:
    clock = VirtualClock()
    limiter = TokenBucket(RATE, 1, tokens=0, clock=clock)

    async with Callers(limiter, clock) as callers:
        await callers.ask("a", "b", "c")
        counts = [limiter._queue.waiting]
        await callers.cancel("b")
        counts.append(limiter._queue.waiting)
        while len(callers.granted) < 2:
            await clock.sleep(INTERVAL)
            while callers.permits:
                callers.permits.pop().settle()
        counts.append(limiter._queue.waiting)

    assert [3, 2, 0] == counts


async def test_a_later_429_of_a_burst_makes_the_pause_longer_and_says_so() -> None:
    clock = VirtualClock()
    limiter = TokenBucket(RATE, 4, clock=clock)
    permits = [await limiter.acquire() for _ in range(3)]
    heard: list[LimiterEvent] = []
    limiter.listen(heard.append)

    for permit, retry_after in zip(permits, (5.0, 30.0, 7.0), strict=True):
        permit.throttled(retry_after)

    assert [Drained, Paused, Paused] == [type(event) for event in heard]
    assert [Paused(seconds=5.0, retry_after=5.0), Paused(seconds=30.0, retry_after=30.0)] == (
        heard[1:]
    )
    assert pytest.approx(30.0, abs=0.01) == limiter.statistics().paused_for


async def test_a_call_that_waits_is_told_that_the_limiter_was_closed() -> None:
    clock = VirtualClock()
    limiter = TokenBucket(RATE, 1, tokens=0, clock=clock)

    async with Callers(limiter, clock) as callers:
        await callers.ask("a", "b")
        await limiter.aclose()

    assert {"The limiter was closed while this call waited."} == {
        str(error) for error in callers.refused.values()
    }


def sniff() -> str:
    """The name of the event loop that runs."""
    return type(anyio.lowlevel.current_token().native_token).__module__.partition(".")[0]


class TestSettlement:
    async def test_tokens_refill_from_the_answer_on(self) -> None:
        clock = VirtualClock()
        limiter = TokenBucket(RATE, 4, clock=clock)
        permits = [await limiter.acquire() for _ in range(4)]

        await clock.sleep(100.0)
        permits[0].settle()
        start = clock.monotonic()
        await limiter.acquire()

        assert about(INTERVAL) == clock.monotonic() - start

    async def test_waiters_behind_a_stall_get_all_that_the_burst_allows(self) -> None:
        clock = VirtualClock()
        limiter = TokenBucket(RATE, 10, max_in_flight=5, clock=clock)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*"abcdefghij")
            await clock.sleep(3.0)
            before = len(callers.granted)
            for permit in list(callers.permits):
                permit.settle()
            await clock.sleep(INSTANT)
            after = len(callers.granted)
            callers.dismiss()

        assert (5, 10) == (before, after)


class TestArguments:
    @pytest.mark.parametrize(
        "rate",
        [
            0,
            0.0,
            -1.0,
            float("nan"),
            float("inf"),
            -float("inf"),
            1e-320,
            1e300,
            "9",
            None,
            Decimal(9),
        ],
    )
    def test_a_rate_that_is_none_is_refused(self, rate: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"^rate: "):
            TokenBucket(rate, 600)

    @pytest.mark.parametrize(
        "burst", [0, -1, 0.5, 1.5, float("nan"), float("inf"), 10**400, "600", None, []]
    )
    def test_a_burst_that_is_no_number_of_requests_is_refused(self, burst: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"^burst: "):
            TokenBucket(9.0, burst)

    @pytest.mark.parametrize("cap", [0, -1, 0.5, float("nan"), "20", []])
    def test_a_cap_below_one_is_refused(self, cap: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"^max_in_flight: "):
            TokenBucket(max_in_flight=cap)

    @pytest.mark.parametrize("reserve", [-1, 600, 601, float("nan"), "1", []])
    def test_a_floor_outside_the_bucket_is_refused(self, reserve: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"^background_reserve: "):
            TokenBucket(background_reserve=reserve)

    @pytest.mark.parametrize("tokens", [601, float("nan"), float("inf"), -float("inf"), "9", []])
    def test_more_tokens_than_fit_are_refused(self, tokens: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"^tokens: "):
            TokenBucket(tokens=tokens)

    def test_who_asks_for_too_many_tokens_is_told_how_many_fit(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^tokens: .* burst \(9\): 10\b"):
            TokenBucket(burst=9, tokens=10)


class TestEvents:
    async def test_who_waited_and_why_is_told(self) -> None:
        clock = VirtualClock()
        limiter = TokenBucket(RATE, 4, max_in_flight=None, clock=clock)
        events: list[LimiterEvent] = []
        limiter.listen(events.append)
        permits = await limiter.acquire(), await limiter.acquire()
        permits[0].throttled(2.0)
        permits[1].throttled(1.0)

        await limiter.acquire(lane="background")

        drained, paused, waited = events
        assert isinstance(drained, Drained)
        assert (1, 2.0, 1) == (drained.generation, drained.tokens, drained.in_flight)
        assert Paused(seconds=2.0, retry_after=2.0) == paused
        assert isinstance(waited, Waited)
        assert "background" == waited.lane
        assert pytest.approx(2.0) == waited.seconds

    async def test_nobody_is_told_of_calls_that_did_not_wait(self) -> None:
        limiter = TokenBucket()
        events: list[LimiterEvent] = []
        limiter.listen(events.append)

        await use_up(limiter, 10)

        assert [] == events

    async def test_whoever_stops_listening_hears_nothing_more(self) -> None:
        limiter = TokenBucket()
        first: list[LimiterEvent] = []
        second: list[LimiterEvent] = []
        stop = limiter.listen(first.append)
        limiter.listen(second.append)

        stop()
        stop()
        (await limiter.acquire()).throttled()

        assert [] == first
        assert 2 == len(second)

    async def test_a_listener_that_fails_is_passed_over(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock = VirtualClock()
        limiter = TokenBucket(RATE, 1, clock=clock)
        events: list[LimiterEvent] = []

        def fail(_: LimiterEvent) -> None:
            raise RuntimeError("no disk")

        limiter.listen(fail)
        limiter.listen(events.append)
        await use_up(limiter, 1)

        await limiter.acquire()

        assert 1 == len(events)
        assert "A hook failed on Waited" in caplog.text


async def test_the_repr_tells_the_state() -> None:
    limiter = TokenBucket(clock=VirtualClock())
    (await limiter.acquire()).throttled(3.0)

    assert (
        "<TokenBucket <Budget -26.0 of 600 tokens, +9.00/s; paused for 3.0 s; 0 of 20 in flight; "
        "waiting 0 interactive (3.00 s), 0 background (6.34 s); 1 granted, 1 throttled>>"
    ) == repr(limiter)
