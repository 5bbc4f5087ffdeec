"""Clocks that go back, stand still or leap forward cost nobody a token."""

from __future__ import annotations

import pytest

from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.limits import TokenBucket
from tests.limits.contract import INTERVAL, RATE, Callers, about, use_up
from tests.limits.laws import ShakyClock

pytestmark = pytest.mark.anyio


async def test_a_clock_that_is_set_back_costs_at_most_the_time_since_the_last_look() -> None:
    clock = VirtualClock()
    shaky = ShakyClock(clock)
    limiter = TokenBucket(RATE, 1, clock=shaky)
    await use_up(limiter, 1)

    async with Callers(limiter, clock) as callers:
        await callers.ask("a")
        shaky.back = 100_000.0

    # It is noticed when the leader wakes up: what it slept does not count.
    assert about(2 * INTERVAL) == callers.granted["a"]


async def test_a_clock_that_is_set_back_gives_no_tokens() -> None:
    clock = VirtualClock()
    shaky = ShakyClock(clock)
    limiter = TokenBucket(RATE, 100, max_in_flight=None, clock=shaky)
    await use_up(limiter, 100)
    await clock.sleep(5.0)
    before = limiter.statistics().tokens

    for _ in range(10):
        shaky.back += 1000.0

    assert pytest.approx(before) == limiter.statistics().tokens


async def test_time_goes_on_after_a_clock_was_set_back() -> None:
    clock = VirtualClock()
    shaky = ShakyClock(clock)
    limiter = TokenBucket(RATE, 100, clock=shaky)
    await use_up(limiter, 100)
    shaky.back = 1000.0
    limiter.statistics()

    await clock.sleep(5.0)

    assert pytest.approx(5.0 * RATE, rel=0.001) == limiter.statistics().tokens


async def test_after_a_long_sleep_of_the_machine_the_bucket_is_full_and_no_more() -> None:
    clock = VirtualClock()
    limiter = TokenBucket(RATE, 4, clock=clock)
    await use_up(limiter, 4)

    async with Callers(limiter, clock) as callers:
        await callers.ask(*"abcdef")
        clock.advance(8 * 3600.0)
        await clock.sleep(INTERVAL / 2)
        granted = set(callers.granted)
        callers.dismiss()

    assert set("abcd") == granted


async def test_big_numbers_on_the_clock_do_not_stop_it() -> None:
    clock = VirtualClock()
    shaky = ShakyClock(clock)
    shaky.back = -4e9
    limiter = TokenBucket(RATE, 1, clock=shaky)
    start = clock.monotonic()

    for _ in range(5):
        (await limiter.acquire()).settle()

    assert about(4 * INTERVAL) == clock.monotonic() - start
