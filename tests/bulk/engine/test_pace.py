"""When records leave: with a slow source, with slow answers, with a budget that is the limit."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from talkjs_async import AsyncTalkJS, OwnBudgets, RetryPolicy, TokenBucket, call_of
from talkjs_async.bulk import send_messages, upsert_conversations, upsert_users
from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.emulator import Emulator, Limits, RealClock
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

Prepare = Callable[[int], Awaitable[None]]


def message(number: int, conversations: int) -> dict[str, Any]:
    return {"conversation_id": f"c{number % conversations}", "sender": "alice", "text": f"{number}"}


async def test_records_of_a_slow_source_leave_while_tokens_wait(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    emulator.limits = Limits.off()
    await chat(300)
    clock = emulator.clock

    async def source() -> AsyncIterator[dict[str, Any]]:
        for number in range(600):
            await clock.sleep(1 / 50)
            yield message(number, 300)

    sent = len(emulator.requests)
    began = clock.time()
    report = await send_messages(make_talkjs(), source())

    moments = [exchange.at - began for exchange in list(emulator.requests)[sent:]]
    assert report.ok
    assert moments[0] < 0.2
    # And so do the others: at half time, about half of them have left.
    assert sum(moment < 6.5 for moment in moments) > 0.4 * len(moments)
    assert report.seconds < 13.5


async def test_requests_are_full_where_the_budget_is_the_limit(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    emulator.limits = Limits.off()
    await chat(100)
    bucket = TokenBucket(rate=9.0, burst=10, background_reserve=0, clock=emulator.clock)
    before = emulator.requests.total

    report = await send_messages(
        make_talkjs(limiter=bucket), [message(number, 100) for number in range(5_000)]
    )

    assert report.ok
    assert 500 == emulator.requests.total - before


async def test_a_batch_waits_for_more_calls_while_any_part_of_a_job_makes_them(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    await chat(20)

    async def seconds_of_a_batch(*parts: object) -> float:
        ordinary, batch = (TokenBucket(1.0, 1, clock=emulator.clock) for _ in range(2))
        talkjs = make_talkjs(budgets=OwnBudgets(ordinary, batch), overflow_to_batch=True)
        job = JobClient(talkjs, "interactive")
        for part in "users", "messages":
            job.more_will_come(part, True)
            job.more_will_come(part, part in parts)
        began = emulator.clock.monotonic()
        async with anyio.create_task_group() as tasks:
            # One with the token, one in a batch.
            for number in range(2):
                tasks.start_soon(job.write, call_of(job.talkjs.users.get, f"u{number}"))
        await job.aclose()
        return emulator.clock.monotonic() - began

    await make_talkjs().users.upsert_many({f"u{number}": {"name": "x"} for number in range(2)})
    assert 0.0 == await seconds_of_a_batch()
    for parts in (["users"], ["messages"], ["users", "messages"]):
        assert 1.0 == pytest.approx(await seconds_of_a_batch(*parts), abs=0.01)


async def test_a_slow_source_does_not_spend_the_burst_on_single_records(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    emulator.limits = Limits.off()
    await chat(30)
    clock = emulator.clock

    async def source() -> AsyncIterator[dict[str, Any]]:
        for number in range(3_000):
            await clock.sleep(1 / 100)
            yield message(number, 30)

    bucket = TokenBucket(rate=9.0, burst=20, background_reserve=0, clock=clock)
    before = emulator.requests.total
    report = await send_messages(make_talkjs(limiter=bucket), source())

    assert report.ok
    # 9 per second of 30 s, and the burst; at the end what is left in 30 conversations.
    assert emulator.requests.total - before <= 9 * 36 + 20
    assert report.seconds < 36


def real(emulator: Emulator) -> AsyncTalkJS:
    """A client in real time."""
    return AsyncTalkJS(emulator.app_id, emulator.secret_key, transport=emulator.transport)


async def test_a_slow_source_does_not_hold_up_the_event_loop() -> None:
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    longest = 0.0

    def source() -> Iterator[dict[str, Any]]:
        for number in range(150):
            time.sleep(0.005)
            yield {"id": f"u{number}", "name": "x"}

    async def feel() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await anyio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    talkjs = real(emulator)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(feel)
        report = await upsert_users(talkjs, source())
        tasks.cancel_scope.cancel()

    assert report.ok
    # Without turns for the loop it would be all of the 0.75 s.
    assert longest < 0.4


async def test_the_source_of_an_idle_loop_gives_way_every_few_milliseconds() -> None:
    """An async generator that never waits for anything is no different."""
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    turns = 0

    async def source() -> AsyncIterator[dict[str, Any]]:
        for number in range(100):
            time.sleep(0.005)  # noqa: ASYNC251 - it is what is tested
            yield {"id": f"u{number}", "name": "x"}

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    talkjs = real(emulator)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        assert (await upsert_users(talkjs, source())).ok
        tasks.cancel_scope.cancel()

    assert turns >= 15


async def test_the_time_left_comes_from_what_is_seen(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.latency = lambda _: (2.0, 2.0)
    emulator.faults.add("return-503", on="PUT /conversations/*", p=0.3)
    job = upsert_conversations(
        make_talkjs(retry=RetryPolicy(attempts=20, base_delay=0.1, max_delay=0.1)),
        ({"id": f"c{number}"} for number in range(120)),
        total=120,
    )
    clock = emulator.clock

    async with job:
        seen = [(clock.monotonic(), p.done, p.eta) async for p in job]

    end = seen[-1][0]
    factors = [eta / (end - now) for now, done, eta in seen if eta is not None and 12 <= done <= 80]
    assert factors
    assert 0.5 <= min(factors)
    assert max(factors) <= 2.0


async def test_the_time_left_knows_what_the_lane_leaves_alone(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    job = upsert_conversations(
        make_talkjs(), ({"id": f"c{n}"} for n in range(1_000)), total=1_000, lane="background"
    )
    clock = emulator.clock

    async with job:
        ends = [clock.monotonic() + p.eta async for p in job if p.eta and p.budget_wait]

    assert max(abs(end - job.report.seconds) for end in ends) < 1.5
