"""What becomes of a permit: one end counts, a lost one is settled and logged."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
from collections.abc import Callable

import anyio
import pytest

from talkjs_async import Lane
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.errors import ConfigurationError
from talkjs_async.limits import Budget, Limiter, Outcome, Permit, TokenBucket
from talkjs_async.limits._permit import LOST_AFTER, tell_of_lost
from talkjs_async.telemetry import LimiterEvent

pytestmark = pytest.mark.anyio

NEVER = 1e-6
"""A rate at which no token comes back while a test runs."""


@pytest.fixture(autouse=True)
def nothing_is_untold() -> None:
    """What other tests of this process have lost is told before."""
    gc.collect()
    tell_of_lost()


class Counter:
    """Something whose permits tell how they end."""

    def __init__(self) -> None:
        self.ends: list[tuple[Outcome, float | None]] = []

    def permit(self) -> Permit:
        return Permit(self._ended)

    def _ended(self, permit: Permit, outcome: Outcome, retry_after: float | None) -> None:
        self.ends.append((outcome, retry_after))


def in_a_circle(permit: Permit) -> None:
    """Make *permit* garbage that only a collection finds."""
    circle: list[object] = [permit]
    circle.append(circle)


class TestEnds:
    def test_the_first_end_counts_and_later_ones_do_nothing(self) -> None:
        counter = Counter()
        first, second, third = (counter.permit() for _ in range(3))

        first.settle()
        second.refund()
        third.throttled(2.0)
        for permit in (first, second, third):
            permit.throttled(9.0)
            permit.refund()
            permit.settle()

        assert [("settled", None), ("refunded", None), ("throttled", 2.0)] == counter.ends

    def test_an_ended_permit_that_is_dropped_is_not_lost(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        counter = Counter()

        counter.permit().refund()

        assert [("refunded", None)] == counter.ends
        assert "" == caplog.text

    def test_a_dropped_permit_is_settled_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        counter = Counter()

        counter.permit()

        assert [("settled", None)] == counter.ends
        (record,) = caplog.records
        assert (
            "A permit of a limiter did not end (it was dropped): it counts as settled. End each "
            "permit in a `finally`."
        ) == record.getMessage()

    def test_a_dropped_permit_that_its_limiter_keeps_does_not_end_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept: list[Permit] = []

        Permit(lambda permit, *_: kept.append(permit))
        for end in (Permit.settle, Permit.refund, Permit.throttled):
            end(kept[0])

        assert 1 == len(kept)
        assert 1 == len(caplog.records)

    @pytest.mark.parametrize(("answer", "lost"), [(False, 0), (True, 1), (None, 1), ("fails", 1)])
    def test_a_dropped_permit_is_lost_unless_its_limiter_knows_better(
        self, answer: object, lost: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        def end(*_: object) -> object:
            if answer == "fails":
                raise RuntimeError("no event loop")
            return answer

        Permit(end)

        assert lost == len(caplog.records)

    @pytest.mark.parametrize("end", [Permit.settle, Permit.refund, Permit.throttled])
    def test_a_limiter_that_fails_at_the_end_is_logged_and_decides_nothing(
        self, end: Callable[[Permit], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("no store")

        permit = Permit(fail)
        end(permit)
        end(permit)

        assert ["A limiter failed at the end of a permit"] == [
            record.getMessage() for record in caplog.records
        ]
        assert "no store" in caplog.text

    async def test_two_threads_that_end_one_permit_end_it_once(self) -> None:
        limiter = TokenBucket(NEVER, 100, max_in_flight=None)
        for _ in range(50):
            permit = await limiter.acquire()
            threads = [threading.Thread(target=end) for end in (permit.refund, permit.settle)]

            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert 0 == limiter.statistics().in_flight


class TestLostPermits:
    async def test_dropping_all_of_them_blocks_no_call(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        limiter = TokenBucket(max_in_flight=3)

        with anyio.fail_after(10):
            for _ in range(20):
                await limiter.acquire()

        assert 0 == limiter.statistics().in_flight
        assert 20 == len(caplog.records)

    async def test_garbage_wakes_a_call_that_waits_for_it(self) -> None:
        limiter = TokenBucket(max_in_flight=1)
        in_a_circle(await limiter.acquire())

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(limiter.acquire)
                await anyio.wait_all_tasks_blocked()
                gc.collect()

        assert 0 == limiter.statistics().in_flight

    async def test_one_that_is_kept_alive_counts_as_lost_by_its_age(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock = VirtualClock()
        limiter = TokenBucket(max_in_flight=2, clock=clock)
        kept = [await limiter.acquire(), await limiter.acquire()]
        start = clock.monotonic()

        permit = await limiter.acquire()

        assert pytest.approx(LOST_AFTER, abs=0.01) == clock.monotonic() - start
        assert 1 == limiter.statistics().in_flight
        assert 2 == caplog.text.count("did not end (in 600 seconds)")
        for late in kept:
            late.throttled(60.0)
        permit.settle()
        budget = limiter.statistics()
        assert (0, 0, 0.0) == (budget.in_flight, budget.throttled, budget.paused_for)

    async def test_its_log_line_is_never_written_under_a_lock_of_the_limiter(self) -> None:
        limiter = TokenBucket(max_in_flight=1)
        free: list[bool] = []

        class LooksAtTheLock(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                seen = threading.Thread(target=lambda: free.append(self._is_free()))
                seen.start()
                seen.join()

            def _is_free(self) -> bool:
                held = limiter._queue.lock.acquire(timeout=1)
                if held:
                    limiter._queue.lock.release()
                return held

        handler = LooksAtTheLock()
        logger = logging.getLogger("talkjs_async")
        logger.addHandler(handler)
        try:
            in_a_circle(await limiter.acquire())
            limiter._queue._source = Collecting(limiter._tokens)  # type: ignore[assignment]
            with anyio.fail_after(10):
                await limiter.acquire()
            (await limiter.acquire()).settle()
        finally:
            logger.removeHandler(handler)

        assert free
        assert all(free)


class Collecting:
    """A level during whose arithmetic the garbage collector runs."""

    def __init__(self, level: object) -> None:
        self._level = level

    def __getattr__(self, name: str) -> object:
        if name == "due":
            gc.collect()
        return getattr(self._level, name)


class TestForeignCode:
    """Hooks and log handlers run where they can do no harm to a permit."""

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
    async def test_a_listener_that_raises_costs_no_permit(self, error: type[BaseException]) -> None:
        clock = VirtualClock()
        limiter = TokenBucket(9.0, 600, tokens=0, clock=clock)

        def fail(_: LimiterEvent) -> None:
            raise error

        limiter.listen(fail)
        for _ in range(30):
            try:
                permit = await limiter.acquire()
            except error:
                continue
            permit.settle()

        assert 0 == limiter.statistics().in_flight

    def test_a_listener_that_would_have_to_be_awaited_is_refused(self) -> None:
        async def listener(_: LimiterEvent) -> None: ...

        with pytest.raises(ConfigurationError, match=r"^listener: .*async def"):
            TokenBucket().listen(listener)  # type: ignore[arg-type]


class OneAtATime:
    """A limiter as a user writes it."""

    def __init__(self) -> None:
        self._free = anyio.Semaphore(1)

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> Permit:
        await self._free.acquire()
        return Permit(self._ended)

    def _ended(self, permit: Permit, outcome: Outcome, retry_after: float | None) -> None:
        self._free.release()

    def statistics(self) -> Budget:
        raise NotImplementedError

    async def aclose(self) -> None: ...


async def test_a_caller_that_loses_a_permit_of_a_limiter_of_ones_own_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limiter: Limiter = OneAtATime()

    with anyio.fail_after(10):
        for _ in range(3):
            await limiter.acquire()

    assert 3 == caplog.text.count("did not end (it was dropped)")


def test_a_permit_that_is_open_when_the_interpreter_ends_is_no_traceback() -> None:
    program = "\n".join(
        (
            "import asyncio",
            "from talkjs_async import TokenBucket",
            "kept = asyncio.run(TokenBucket().acquire())",
        )
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )

    assert (0, "") == (ended.returncode, ended.stdout)
    assert "Traceback" not in ended.stderr
