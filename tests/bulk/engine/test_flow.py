from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest

from talkjs_async import AsyncTalkJS, OwnBudgets, TokenBucket
from talkjs_async.bulk import import_messages, upsert_conversations, upsert_users
from talkjs_async.emulator import Emulator, Limits, RealClock
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

Prepare = Callable[[int], Awaitable[None]]


def users(count: int) -> Iterator[dict[str, Any]]:
    return ({"id": f"u{number}", "name": "x"} for number in range(count))


def conversations(count: int) -> Iterator[dict[str, Any]]:
    return ({"id": f"c{number}"} for number in range(count))


@pytest.mark.parametrize(("lane", "burst"), [("interactive", 600), ("background", 570)])
async def test_a_job_takes_what_the_budget_says_and_meets_no_429(
    make_talkjs: MakeTalkJS, emulator: Emulator, lane: Any, burst: int
) -> None:
    report = await upsert_conversations(make_talkjs(), conversations(1_000), lane=lane)

    assert pytest.approx((1_000 - burst) / 9, rel=0.02) == report.seconds
    assert {200} == {exchange.status for exchange in emulator.requests}


async def test_interactive_calls_go_ahead_of_a_job(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs()
    await talkjs.users.upsert("alice", name="Alice")
    clock = emulator.clock
    waits = []

    async with upsert_conversations(talkjs, conversations(1_000)) as job:
        for _ in range(20):
            await clock.sleep(1.0)
            asked = clock.monotonic()
            await talkjs.users.get("alice")
            waits.append(clock.monotonic() - asked)

    assert job.report.ok
    assert max(waits) < 0.2


@pytest.mark.harness
async def test_overflow_makes_a_job_faster_by_itself(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    emulator.limits = Limits.off()
    await chat(0)
    emulator.limits = Limits()
    async with make_talkjs(overflow_to_batch=True) as talkjs:
        job = upsert_conversations(talkjs, conversations(7_000), total=7_000, lane="interactive")
        clock = emulator.clock

        async with job:
            etas = [(clock.monotonic(), progress.eta) async for progress in job]

    assert pytest.approx((7_000 - 5_600) / 19, rel=0.05) == job.report.seconds
    half_way = [now + eta for now, eta in etas if eta is not None and 20 < now < 50]
    assert max(abs(end - job.report.seconds) for end in half_way) < 3.0


async def test_the_source_is_read_no_faster_than_the_budget_lets_records_go(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    read = 0

    async def source() -> AsyncIterator[dict[str, Any]]:
        nonlocal read
        for user in users(20_000):
            read += 1
            yield user

    bucket = TokenBucket(rate=9.0, burst=5, clock=emulator.clock)
    job = upsert_users(make_talkjs(limiter=bucket), source())
    most = 0

    async with job:
        async for progress in job:
            most = max(most, read - progress.done)

    assert 20_000 == job.report.done
    assert most <= 5_000 + 1_000 + 200


class UncancellableClock(RealClock):
    """A clock whose sleepers sleep to the end, as those do who are woken at that very moment."""

    async def sleep(self, seconds: float) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(min(seconds, 0.2))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_job_that_is_cancelled_sends_nothing_when_its_timer_ends_late() -> None:
    clock = UncancellableClock()
    emulator = Emulator(clock=clock, limits=Limits.off())

    async def source() -> AsyncIterator[dict[str, Any]]:
        for text in ("hi", "ho"):
            yield {"conversation_id": "c1", "sender": "alice", "text": text, "timestamp": 1.7e12}
        await anyio.sleep_forever()

    # Two messages are no full request, so the job looks at them again after a quarter of a second.
    bucket = TokenBucket(rate=2.0, burst=2, background_reserve=0, clock=clock)
    async with AsyncTalkJS(**emulator.options, budgets=OwnBudgets(bucket)) as talkjs:
        job = asyncio.create_task(import_messages(talkjs, source()).run())
        await asyncio.sleep(0.05)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    assert not emulator.requests
