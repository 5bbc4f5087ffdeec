"""Virtual time: exact, quick, and on every event loop."""

import math
import threading
import time
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async.emulator import RealClock, VirtualClock

pytestmark = pytest.mark.anyio


async def test_sleeping_takes_exactly_that_long_and_no_real_time() -> None:
    clock = VirtualClock(start=1_000.0)

    # A clock that took real time would hold up the suite for an hour.
    await clock.sleep(3600.5)

    assert (clock.monotonic(), clock.time()) == (3600.5, 4600.5)


async def test_sleepers_wake_in_order_of_time() -> None:
    clock = VirtualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(
        name: str, seconds: float, *, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        task_status.started()
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with anyio.create_task_group() as tasks:
        for name, seconds in (("late", 2.0), ("latest", 3.0), ("early", 1.0)):
            await tasks.start(sleeper, name, seconds)

    assert [("early", 1.0), ("late", 2.0), ("latest", 3.0)] == woken


async def test_a_cancelled_sleeper_leaves_no_timer_behind() -> None:
    clock = VirtualClock()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 100)
        await clock.sleep(1)
        tasks.cancel_scope.cancel()
    await clock.sleep(1)

    assert clock.monotonic() == 2


async def test_the_clock_jumps_to_no_timer_that_was_cancelled() -> None:
    clock = VirtualClock()
    for _ in range(2):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await clock.sleep(5)

    await clock.sleep(10)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clock.sleep(5)
    clock.advance(10)

    assert clock.monotonic() == 20
    assert repr(clock) == "<VirtualClock at 1767225620.000, 0 timers>"


async def test_a_sleeper_cancelled_at_the_very_moment_of_waking_was_awake() -> None:
    clock = VirtualClock()

    async with anyio.create_task_group() as tasks:

        async def sleeper(*, task_status: anyio.abc.TaskStatus[None]) -> None:
            task_status.started()
            await clock.sleep(5)

        await tasks.start(sleeper)
        clock.advance(5)
        tasks.cancel_scope.cancel()

    assert len(clock._timers) == 0


async def test_cancelled_sleepers_are_not_kept_until_their_time() -> None:
    clock = VirtualClock()

    for _ in range(5_000):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await clock.sleep(1_000)

    assert len(clock._timers) <= 1_100


async def test_cleaning_up_under_cancellation_may_sleep_when_it_is_shielded() -> None:
    clock = VirtualClock()

    async def worker() -> None:
        try:
            await clock.sleep(math.inf)
        finally:
            with anyio.CancelScope(shield=True):
                await clock.sleep(7)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker)
        await clock.sleep(1)
        tasks.cancel_scope.cancel()

    assert clock.monotonic() == 8


async def test_an_error_in_one_sleeper_stops_no_other() -> None:
    clock = VirtualClock()

    async def failing() -> None:
        await clock.sleep(1)
        raise LookupError

    async def failing_quietly() -> None:
        with pytest.raises(LookupError):
            await failing()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(failing_quietly)
        tasks.start_soon(clock.sleep, 3)

    assert clock.monotonic() == 3


async def test_sleeping_for_nothing_lets_other_tasks_run() -> None:
    clock = VirtualClock()
    ran: list[str] = []

    async def other() -> None:
        ran.append("other")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        await clock.sleep(0)
        await clock.sleep(-1)
        ran.append("this")

    assert ["other", "this"] == ran
    assert clock.monotonic() == 0


async def test_sleeping_for_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        await VirtualClock().sleep(math.nan)


async def test_advancing_wakes_every_sleeper_that_is_due() -> None:
    clock = VirtualClock()
    woken: list[float] = []

    async def sleeper(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        task_status.started()
        await clock.sleep(10)
        woken.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        await tasks.start(sleeper)
        clock.advance(25)

    assert [25.0] == woken


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
def test_time_advances_by_a_finite_number_and_never_back(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        VirtualClock().advance(seconds)


@pytest.mark.parametrize("clock_type", [VirtualClock, RealClock])
@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ("1h", r"^seconds must be a number, not '1h'\.$"),
        (None, r"^seconds must be a number, not None\.$"),
        (True, r"^seconds must be a number, not True\.$"),
        (timedelta(hours=1), r"^seconds must be a number, .*: take its total_seconds\(\)\.$"),
    ],
)
def test_time_advances_by_numbers_only(
    clock_type: type[VirtualClock | RealClock], seconds: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        clock_type().advance(seconds)


def test_a_clock_starts_at_a_number() -> None:
    moment: Any = datetime(2026, 1, 1, tzinfo=UTC)

    with pytest.raises(ValueError, match=r"^start must be a number, .*: take its timestamp\(\)\.$"):
        VirtualClock(moment)
    assert VirtualClock(Fraction(1, 2)).time() == 0.5  # type: ignore[arg-type]


def test_a_clock_outlives_its_event_loops(anyio_backend: str) -> None:
    clock = VirtualClock()

    for _ in range(3):
        anyio.run(clock.sleep, 10, backend=anyio_backend)

    assert clock.monotonic() == 30


@pytest.mark.parametrize("clock_type", [VirtualClock, RealClock])
def test_time_stays_within_what_dates_can_show(clock_type: type[VirtualClock | RealClock]) -> None:
    clock = clock_type()
    clock.advance(7_000 * 365 * 86_400)

    for seconds in (1e308, 1e12):
        with pytest.raises(ValueError, match="seconds must not lead behind the year 9999"):
            clock.advance(seconds)

    assert datetime.fromtimestamp(clock.time(), UTC).year < 9999


def test_another_thread_may_advance_the_clock(anyio_backend: str) -> None:
    clock = VirtualClock()
    sleeping = threading.Event()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clock.sleep, math.inf)
            tasks.start_soon(wait_for_thread)
            await anyio.lowlevel.checkpoint()
            sleeping.set()
            await done.wait()
            tasks.cancel_scope.cancel()

    async def wait_for_thread() -> None:
        # Worker threads hold the clock, so only `advance` can end this sleep.
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, advance)
            await clock.sleep(1_000)
            seen.append(clock.monotonic())
            done.set()

    def advance() -> None:
        sleeping.wait()
        time.sleep(0.01)
        clock.advance(2_000)
        time.sleep(0.01)

    seen: list[float] = []
    done: anyio.Event

    async def run() -> None:
        nonlocal done
        done = anyio.Event()
        await main()

    anyio.run(run, backend=anyio_backend)

    assert [2_000.0] == seen


async def test_two_thousand_throttled_callers_take_their_exact_time() -> None:
    clock = VirtualClock()
    turn = 0.0

    async def caller() -> None:
        nonlocal turn
        turn = max(turn, clock.monotonic()) + 1 / 9
        await clock.sleep(turn - clock.monotonic())

    async with anyio.create_task_group() as tasks:
        for _ in range(2_000):
            tasks.start_soon(caller)

    assert clock.monotonic() == pytest.approx(2_000 / 9, rel=1e-9)


@given(naps=st.lists(st.lists(st.floats(0.001, 1_000), max_size=4), max_size=6))
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_every_sleeper_wakes_exactly_when_it_asked_to(
    backend: str, naps: list[list[float]]
) -> None:
    clock = VirtualClock()

    async def sleeper(own: list[float]) -> None:
        for seconds in own:
            due = clock.monotonic() + seconds
            await clock.sleep(seconds)
            assert clock.monotonic() == due

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for own in naps:
                tasks.start_soon(sleeper, own)

    anyio.run(main, backend=backend)

    longest = max((math.fsum(own) for own in naps), default=0.0)
    assert clock.monotonic() == pytest.approx(longest)


async def test_the_system_clock_tells_real_time() -> None:
    clock = RealClock()
    began = clock.monotonic()

    await clock.sleep(0.01)

    assert clock.monotonic() - began >= 0.01
    assert abs(clock.time() - time.time()) < 1
