"""
What every limiter promises, whatever holds its tokens.

A test module makes a subclass of `LimiterContract` with a fixture `make_limiter`. All times are
those of a clock that jumps. `laws.py` holds what any sequence of calls must obey.
"""

from __future__ import annotations

import math
from itertools import pairwise
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
import pytest
from anyio.abc import TaskStatus

from talkjs_async import Lane
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.errors import ConfigurationError, LimiterUnavailable, RateLimitWaitTimeout
from talkjs_async.limits import Limiter, Permit

RATE = 8.0
"""Tokens per second in these tests."""

INTERVAL = 1 / RATE

INSTANT = 2**-14
"""Seconds in which everything happens that can happen without waiting: the clock stands still."""


def about(seconds: float) -> object:
    """*seconds*, give or take what clock drift and a few instants may cost."""
    return pytest.approx(seconds, rel=0.002, abs=40 * INSTANT)


class MakeLimiter(Protocol):
    """A fixture that makes limiters on the fixture `clock`, and closes them after the test."""

    def __call__(
        self,
        *,
        rate: float = RATE,
        burst: int = 4,
        max_in_flight: int | None = None,
        background_reserve: int | None = 0,
    ) -> Limiter: ...


class Callers:
    """
    Tasks that ask a limiter for tokens, and write down what they get.

    The end of the `async with` block waits for all of them.

    Attributes:
        granted: When each was granted its token, in the order in which it was.
        refused: Errors by name.
        permits: Of those that were granted and have not ended, in the order of the grants.
    """

    def __init__(self, limiter: Limiter, clock: VirtualClock) -> None:
        self._tasks = anyio.create_task_group()
        self._limiter = limiter
        self._clock = clock
        self._scopes: dict[str, anyio.CancelScope] = {}
        self.granted: dict[str, float] = {}
        self.refused: dict[str, Exception] = {}
        self.permits: list[Permit] = []

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._tasks.__aexit__(kind, error, traceback)

    async def ask(
        self, *names: str, lane: Lane = "interactive", max_wait: float | None = None
    ) -> None:
        """Let each of them ask, one after the other."""
        for name in names:
            await self._tasks.start(self._ask, name, lane, max_wait)
            await self._clock.sleep(INSTANT)

    async def cancel(self, name: str) -> None:
        """Cancel one of them and let it leave."""
        self._scopes[name].cancel()
        await self._clock.sleep(INSTANT)

    def dismiss(self) -> None:
        """Cancel all who still wait."""
        self._tasks.cancel_scope.cancel()

    async def _ask(
        self,
        name: str,
        lane: Lane,
        max_wait: float | None,
        *,
        task_status: TaskStatus[None],
    ) -> None:
        with anyio.CancelScope() as scope:
            self._scopes[name] = scope
            task_status.started()
            try:
                permit = await self._limiter.acquire(lane=lane, max_wait=max_wait)
            except (RateLimitWaitTimeout, LimiterUnavailable) as error:
                self.refused[name] = error
            else:
                self.permits.append(permit)
                self.granted[name] = self._clock.monotonic()


async def use_up(limiter: Limiter, count: int) -> None:
    """Take *count* tokens that are there, and get the answers at once."""
    for _ in range(count):
        (await limiter.acquire(max_wait=0)).settle()


class LimiterContract:
    """Tests for a subclass to inherit. Module-level `pytestmark = pytest.mark.anyio`, please."""

    @pytest.fixture
    def clock(self) -> VirtualClock:
        return VirtualClock()

    async def test_a_full_bucket_grants_its_burst_at_once(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=100)

        await use_up(limiter, 100)

        assert clock.monotonic() < INTERVAL

    async def test_after_the_burst_tokens_come_at_the_rate(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=4)
        await use_up(limiter, 4)
        start = clock.monotonic()

        waits = []
        for _ in range(4):
            (await limiter.acquire()).settle()
            waits.append(clock.monotonic() - start)

        assert [about(n * INTERVAL) for n in (1, 2, 3, 4)] == waits

    async def test_a_rest_fills_the_bucket_and_no_more(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=4)
        await use_up(limiter, 4)

        await clock.sleep(1000.0)

        await use_up(limiter, 4)
        with pytest.raises(RateLimitWaitTimeout):
            await limiter.acquire(max_wait=0)

    async def test_a_lane_is_served_in_the_order_of_arrival(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=1)
        await use_up(limiter, 1)
        names = [str(n) for n in range(20)]

        async with Callers(limiter, clock) as callers:
            await callers.ask(*names)
            await self.answer_everybody(limiter, callers, clock, len(names))

        assert names == list(callers.granted)
        assert all(earlier < later for earlier, later in pairwise(callers.granted.values()))

    async def test_nobody_overtakes_those_who_wait(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=2)
        await use_up(limiter, 2)

        async with Callers(limiter, clock) as callers:
            await callers.ask("early")
            clock.advance(INTERVAL * 0.999)
            await callers.ask("late")
            await self.answer_everybody(limiter, callers, clock, 2)

        assert ["early", "late"] == list(callers.granted)

    async def test_interactive_callers_go_before_background_ones(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=1)
        await use_up(limiter, 1)

        async with Callers(limiter, clock) as callers:
            await callers.ask("b1", "b2", lane="background")
            await callers.ask("i1", "i2")
            await self.answer_everybody(limiter, callers, clock, 4)

        assert ["i1", "i2", "b1", "b2"] == list(callers.granted)

    async def test_background_leaves_the_floor_to_interactive_callers(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=10, background_reserve=6)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*"abcd", lane="background")
            for permit in callers.permits:
                permit.settle()
            await callers.ask("bulk", lane="background")
            waiting = limiter.statistics().waiting_background
            await use_up(limiter, 6)
            callers.dismiss()

        assert list("abcd") == list(callers.granted)
        assert 1 == waiting

    async def test_what_background_gives_back_goes_to_the_reserve_first(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=10, background_reserve=6)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*"abcd", lane="background")
            await callers.ask("bulk", lane="background")
            await use_up(limiter, 3)
            callers.permits[0].refund()
            await clock.sleep(INSTANT)
            waiting = limiter.statistics().waiting_background
            await use_up(limiter, 3)
            callers.dismiss()

        assert list("abcd") == list(callers.granted)
        assert 1 == waiting

    async def test_background_gets_a_tenth_when_interactive_callers_want_everything(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=10, background_reserve=6)
        await use_up(limiter, 10)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*(f"b{n}" for n in range(8)), lane="background")
            await callers.ask(*(f"i{n}" for n in range(90)))
            await self.answer_everybody(limiter, callers, clock, 80)
            callers.dismiss()

        turns = [turn for turn, name in enumerate(callers.granted) if name.startswith("b")]
        assert turns[0] < 30
        assert all(9 <= later - earlier <= 11 for earlier, later in pairwise(turns))

    async def test_background_that_was_just_served_does_not_disturb_a_page_of_twenty_calls(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=60, background_reserve=20)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*(f"b{n}" for n in range(45)), lane="background")
            before = len(callers.granted)
            await callers.ask(*(f"i{n}" for n in range(20)))
            after = list(callers.granted)[before:]
            callers.dismiss()

        assert 40 == before
        assert [f"i{n}" for n in range(20)] == after

    async def test_a_cancelled_waiter_gives_its_place_back(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=1)
        await use_up(limiter, 1)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*"abcde")
            for name in "abd":
                await callers.cancel(name)
            start = clock.monotonic()
            await self.answer_everybody(limiter, callers, clock, 2)

        assert ["c", "e"] == list(callers.granted)
        assert clock.monotonic() - start < 2.2 * INTERVAL

    async def test_a_hundred_cancelled_waiters_leave_nothing_behind(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=1)
        await use_up(limiter, 1)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*(str(n) for n in range(100)), max_wait=1e6)
            callers.dismiss()
        await clock.sleep(10.0)

        budget = limiter.statistics()
        assert (0, 0, 0) == (
            budget.waiting_interactive,
            budget.waiting_background,
            budget.in_flight,
        )
        await use_up(limiter, 1)

    async def test_a_wait_that_would_be_too_long_is_refused_at_once(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=1)
        await use_up(limiter, 1)
        start = clock.monotonic()

        async with Callers(limiter, clock) as callers:
            await callers.ask(*"abc")
            await callers.ask("d", max_wait=3.5 * INTERVAL)
            await callers.ask("e", max_wait=4.5 * INTERVAL)
            refused = clock.monotonic() - start
            await self.answer_everybody(limiter, callers, clock, 4)

        assert list("abce") == list(callers.granted)
        assert refused < INTERVAL
        error = callers.refused["d"]
        assert isinstance(error, RateLimitWaitTimeout)
        assert 3.5 * INTERVAL == error.max_wait
        assert 3.5 * INTERVAL < error.retry_after < 4.5 * INTERVAL

    async def test_no_wait_at_all_means_now_or_never(self, make_limiter: MakeLimiter) -> None:
        limiter = make_limiter(burst=1)

        _held = await limiter.acquire(max_wait=0)

        with pytest.raises(RateLimitWaitTimeout):
            await limiter.acquire(max_wait=0)

    @pytest.mark.parametrize("max_wait", [0.0, 0.01, 1.0])
    @pytest.mark.parametrize("lacks", ["a token", "a place in flight"])
    async def test_a_caller_is_refused_only_with_a_longer_wait_than_it_would_accept(
        self, make_limiter: MakeLimiter, lacks: str, max_wait: float
    ) -> None:
        """Otherwise a caller that sleeps for as long as it is told comes back too early."""
        limiter = make_limiter(rate=0.5, burst=9, max_in_flight=1 if lacks != "a token" else None)
        held = [
            await limiter.acquire() for _ in range(1 if limiter.statistics().max_in_flight else 9)
        ]

        with pytest.raises(RateLimitWaitTimeout) as caught:
            await limiter.acquire(max_wait=max_wait)

        assert caught.value.retry_after > max_wait
        assert held

    async def test_whoever_waits_longer_than_estimated_is_refused_in_the_end(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=4)
        permit = await limiter.acquire()
        await use_up(limiter, 3)

        async with Callers(limiter, clock) as callers:
            await callers.ask("patient")
            await callers.ask("hasty", max_wait=1.0)
            permit.throttled(retry_after=30.0)
            start = clock.monotonic()
            while not callers.refused:
                await clock.sleep(INTERVAL)
            given_up = clock.monotonic() - start
            await self.answer_everybody(limiter, callers, clock, 1)

        assert ["patient"] == list(callers.granted)
        assert 0.8 <= given_up <= 1.2
        assert isinstance(callers.refused["hasty"], RateLimitWaitTimeout)

    async def test_a_refunded_token_goes_to_the_next_in_line_at_once(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(rate=0.001, burst=2)
        first, _second = await limiter.acquire(), await limiter.acquire()

        async with Callers(limiter, clock) as callers:
            await callers.ask("next")
            assert {} == callers.granted
            first.refund()
            await clock.sleep(INTERVAL)
            granted = list(callers.granted)
            callers.dismiss()

        assert ["next"] == granted

    async def test_a_token_handed_to_somebody_who_is_being_cancelled_is_not_lost(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(rate=0.001, burst=1)
        permit = await limiter.acquire()

        async with Callers(limiter, clock) as callers:
            await callers.ask("cancelled", "next")
            permit.refund()
            await callers.cancel("cancelled")
            # trio lets a task that was handed a token keep it, asyncio cancels it all the same.
            if "cancelled" in callers.granted:
                callers.permits.pop(0).refund()
            await clock.sleep(INTERVAL)
            callers.dismiss()

        assert "next" in callers.granted
        assert 1 == limiter.statistics().in_flight

    async def test_no_more_requests_are_in_flight_than_allowed(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=10, max_in_flight=3)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*"abcde")
            await clock.sleep(10.0)
            before = list(callers.granted)
            callers.permits[0].settle()
            await clock.sleep(INSTANT)
            after = list(callers.granted)
            callers.dismiss()

        assert list("abc") == before
        assert list("abcd") == after

    async def test_a_wait_for_a_place_in_flight_is_bounded_as_well(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=10, max_in_flight=1)
        permit = await limiter.acquire()

        async with Callers(limiter, clock) as callers:
            await callers.ask("patient")
            await callers.ask("hasty", max_wait=1.0)
            await clock.sleep(0.9)
            assert {} == callers.refused
            await clock.sleep(0.2)
            assert ["hasty"] == list(callers.refused)
            permit.settle()

        assert ["patient"] == list(callers.granted)

    async def test_background_leaves_places_in_flight_to_interactive_callers(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=100, max_in_flight=10)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*(f"b{n}" for n in range(12)), lane="background")
            in_flight = limiter.statistics().in_flight
            await callers.ask("i", max_wait=0)
            callers.dismiss()

        assert 8 == in_flight
        assert "i" in callers.granted

    async def test_a_burst_of_429s_is_one_pause(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=100)
        permits = [await limiter.acquire() for _ in range(20)]

        for permit in permits:
            permit.throttled()
        start = clock.monotonic()
        await limiter.acquire()

        assert about(0.5 + INTERVAL) == clock.monotonic() - start
        assert 20 == limiter.statistics().throttled

    async def test_after_a_429_tokens_come_at_the_rate_and_not_in_a_burst(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=100)
        (await limiter.acquire()).throttled(retry_after=5.0)
        start = clock.monotonic()

        waits = []
        for _ in range(4):
            (await limiter.acquire()).settle()
            waits.append(clock.monotonic() - start)

        assert [about(5.0 + n * INTERVAL) for n in range(4)] == waits

    async def test_a_longer_retry_after_from_the_same_herd_counts(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=100)
        first, second, third = [await limiter.acquire() for _ in range(3)]

        first.throttled(retry_after=2.0)
        second.throttled(retry_after=7.0)
        third.throttled(retry_after=1.0)
        start = clock.monotonic()
        await limiter.acquire()

        assert about(7.0) == clock.monotonic() - start

    @pytest.mark.parametrize("nonsense", [math.nan, -5.0, 0.0, -math.inf])
    async def test_a_retry_after_without_sense_is_none(
        self, make_limiter: MakeLimiter, clock: VirtualClock, nonsense: float
    ) -> None:
        limiter = make_limiter(burst=100)

        (await limiter.acquire()).throttled(retry_after=nonsense)
        start = clock.monotonic()
        await limiter.acquire()

        assert about(0.5 + INTERVAL) == clock.monotonic() - start

    @pytest.mark.parametrize("absurd", [math.inf, 1e9])
    async def test_a_retry_after_of_days_is_tried_after_a_minute(
        self, make_limiter: MakeLimiter, clock: VirtualClock, absurd: float
    ) -> None:
        limiter = make_limiter(burst=100)

        (await limiter.acquire()).throttled(retry_after=absurd)
        start = clock.monotonic()
        await limiter.acquire()

        assert about(60.0) == clock.monotonic() - start

    async def test_closing_releases_those_who_wait(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=1)
        await use_up(limiter, 1)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*"ab", max_wait=100.0)
            await callers.ask("c", lane="background")
            await limiter.aclose()

        assert {} == callers.granted
        assert [LimiterUnavailable] * 3 == [type(error) for error in callers.refused.values()]

    async def test_a_closed_limiter_refuses_everybody(self, make_limiter: MakeLimiter) -> None:
        limiter = make_limiter()
        permit = await limiter.acquire()

        await limiter.aclose()
        await limiter.aclose()

        permit.settle()
        with pytest.raises(LimiterUnavailable, match="closed"):
            await limiter.acquire()

    async def test_a_second_end_of_a_permit_changes_nothing(
        self, make_limiter: MakeLimiter
    ) -> None:
        limiter = make_limiter(burst=3)
        permit = await limiter.acquire()
        permit.settle()

        for _ in range(5):
            permit.refund()
            permit.settle()
            permit.throttled(60.0)

        assert 0 == limiter.statistics().in_flight
        await use_up(limiter, 2)
        with pytest.raises(RateLimitWaitTimeout):
            await limiter.acquire(max_wait=0)

    @pytest.mark.parametrize("lane", ["Interactive", "", None, 1, []])
    async def test_an_unknown_lane_is_refused(self, make_limiter: MakeLimiter, lane: Lane) -> None:
        limiter = make_limiter()

        with pytest.raises(ConfigurationError, match=r"^lane: "):
            await limiter.acquire(lane=lane)

        assert 0 == limiter.statistics().in_flight

    @pytest.mark.parametrize("max_wait", [-1.0, -1e-9, math.nan, -math.inf, "2", []])
    async def test_a_wait_that_is_no_time_is_refused(
        self, make_limiter: MakeLimiter, max_wait: Any
    ) -> None:
        limiter = make_limiter()

        with pytest.raises(ConfigurationError, match=r"^max_wait: "):
            await limiter.acquire(max_wait=max_wait)

        assert 0 == limiter.statistics().in_flight

    async def test_the_statistics_tell_what_is_going_on(
        self, make_limiter: MakeLimiter, clock: VirtualClock
    ) -> None:
        limiter = make_limiter(burst=4, max_in_flight=9)

        async with Callers(limiter, clock) as callers:
            await callers.ask(*"abcd")
            await callers.ask(*"ef", lane="background")
            await callers.ask("g")
            budget = limiter.statistics()
            callers.dismiss()

        assert (4, 9, 4, 4) == (
            budget.burst,
            budget.max_in_flight,
            budget.in_flight,
            budget.granted,
        )
        assert (1, 2) == (budget.waiting_interactive, budget.waiting_background)
        assert budget.estimated_wait < budget.estimated_wait_background
        assert RATE == budget.rate
        assert about(RATE) == budget.effective_rate
        assert "4 of 9 in flight" in repr(budget)
        assert "waiting 1 interactive" in repr(budget)

    async def answer_everybody(
        self, limiter: Limiter, callers: Callers, clock: VirtualClock, count: int
    ) -> None:
        """Let time pass until *count* callers were granted, and give each its answer."""
        answered = 0
        while answered < count:
            await clock.sleep(INTERVAL / 50)
            while answered < len(callers.granted):
                callers.permits.pop(0).settle()
                answered += 1
