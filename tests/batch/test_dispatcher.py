"""When a batch leaves, what it takes along, and what is told of the wait for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from talkjs_async import (
    AsyncTalkJS,
    LimiterUnavailable,
    OutcomeUnknown,
    OwnBudgets,
    Permit,
    TokenBucket,
    User,
    call_of,
)
from talkjs_async.batch._dispatcher import Dispatcher
from talkjs_async.batch._overflow import Dispatchers, Overflow
from talkjs_async.emulator import Emulator
from tests.batch.test_overflow import at_once, batches
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


class Filling:
    """
    Reads users through a dispatcher of its own, as a job does.

    The ordinary budget grants its first token after 51 s: until then only batches leave. Ten calls
    would take 10 s to leave one by one.
    """

    def __init__(
        self,
        make_talkjs: MakeTalkJS,
        emulator: Emulator,
        batch: TokenBucket | None = None,
        **options: bool,
    ) -> None:
        ordinary = TokenBucket(1.0, 600, tokens=-50, clock=emulator.clock)
        batch = batch or TokenBucket(1.0, 500, clock=emulator.clock)
        self.emulator = emulator
        self.talkjs = make_talkjs(budgets=OwnBudgets(ordinary, batch))
        self.dispatchers = Dispatchers(self.talkjs._pipeline, **options)
        self.run = Overflow(self.talkjs._pipeline, self.dispatchers).run
        self.began = emulator.clock.time()

    async def read(self, count: int, *, after: float = 0.0) -> None:
        await self.emulator.clock.sleep(after)
        calls = await at_once(
            count, lambda number: self.run(call_of(self.talkjs.users.get, "alice"))
        )
        assert {User} == {type(each) for each in calls}

    async def fill(self, wanted: bool, *, after: float) -> None:
        await self.emulator.clock.sleep(after)
        self.dispatchers.here().fill_batches(wanted)

    @property
    def sent(self) -> list[tuple[int, float]]:
        """For each batch how many calls it had, and when it left."""
        return [(len(each.operations), round(each.at - self.began, 1)) for each in self.batches]

    @property
    def batches(self) -> list[Any]:
        return batches(self.emulator)


async def together(*work: Callable[[], Any]) -> None:
    async with anyio.create_task_group() as tasks:
        for each in work:
            tasks.start_soon(each)


class TestFilling:
    """Calls of one job, whose budget is the limit."""

    async def test_calls_that_fill_no_batch_wait_for_others(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
    ) -> None:
        job = Filling(make_talkjs, emulator, for_job=True)

        await together(partial(job.read, 5), partial(job.read, 5, after=3.0))

        assert [(10, 3.0)] == job.sent

    async def test_calls_that_fill_a_batch_do_not_wait(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
    ) -> None:
        job = Filling(make_talkjs, emulator, for_job=True)

        await job.read(20)

        assert [(10, 0.0), (10, 0.0)] == job.sent

    async def test_they_wait_no_longer_than_they_would_for_tokens(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
    ) -> None:
        job = Filling(make_talkjs, emulator, for_job=True)

        await job.read(5)

        assert [(5, 10.0)] == job.sent

    async def test_they_are_not_held_up_where_batches_need_not_be_full(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
    ) -> None:
        job = Filling(make_talkjs, emulator)

        await job.read(5)

        assert [(5, 0.0)] == job.sent

    async def test_they_leave_when_it_is_said_that_no_others_will_come(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
    ) -> None:
        job = Filling(make_talkjs, emulator, for_job=True)

        await together(partial(job.read, 5), partial(job.fill, False, after=3.0))

        assert [(5, 3.0)] == job.sent

    async def test_they_wait_when_it_is_said_that_others_will_come(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
    ) -> None:
        job = Filling(make_talkjs, emulator)
        await job.fill(True, after=0.0)

        await together(partial(job.read, 5), partial(job.read, 5, after=3.0))

        assert [(10, 3.0)] == job.sent

    async def test_a_batch_whose_calls_left_while_it_waited_for_its_token_waits_for_others(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
    ) -> None:
        batch = TokenBucket(0.2, 500, tokens=0, clock=emulator.clock)
        job = Filling(make_talkjs, emulator, batch, for_job=True)

        async def impatient() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(job.read, 3)
                await emulator.clock.sleep(1.0)
                tasks.cancel_scope.cancel()

        await together(partial(job.read, 7), impatient, partial(job.read, 3, after=8.0))

        assert [(10, 8.0)] == job.sent


class Refusing(TokenBucket):
    """A limiter whose store is away for three attempts."""

    refusals = 3

    async def acquire(self, **options: Any) -> Permit:
        if self.refusals:
            self.refusals -= 1
            raise LimiterUnavailable("The store is away.")
        return await super().acquire(**options)


async def test_a_limiter_of_batches_that_refuses_is_asked_again_every_second(
    make_talkjs: MakeTalkJS, emulator: Emulator, alice: None, caplog: pytest.LogCaptureFixture
) -> None:
    job = Filling(make_talkjs, emulator, Refusing(1.0, 500, clock=emulator.clock))

    await job.read(10)

    assert [(10, 3.0)] == job.sent
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("interactive", "background", "waits"),
    [(9, 0, (10, 10)), (10, 0, (20, 20)), (4, 5, (10, 10)), (4, 6, (10, 20)), (19, 10, (20, 30))],
)
async def test_who_looks_is_told_of_the_batch_behind_those_who_wait(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    interactive: int,
    background: int,
    waits: tuple[float, float],
) -> None:
    buckets = (
        TokenBucket(rate, 600, tokens=0, background_reserve=0, clock=emulator.clock)
        for rate in (1e-6, 0.1)
    )
    talkjs = make_talkjs(budgets=OwnBudgets(*buckets), overflow_to_batch=True)
    clients = [talkjs] * interactive + [talkjs.with_options(lane="background")] * background

    async with anyio.create_task_group() as tasks:
        for client in clients:
            tasks.start_soon(client.users.get, "alice")
        await emulator.clock.sleep(2**-10)
        budget = talkjs.budget
        tasks.cancel_scope.cancel()

    told = (budget.estimated_wait, budget.estimated_wait_background)
    assert pytest.approx(waits, rel=0.01) == told


async def test_who_looks_is_told_of_tokens_where_they_come_sooner_than_a_batch(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    ordinary = TokenBucket(1.0, 600, tokens=0, background_reserve=1, clock=emulator.clock)
    batch = TokenBucket(0.01, 500, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(budgets=OwnBudgets(ordinary, batch), overflow_to_batch=True)

    budget = talkjs.budget

    told = (budget.estimated_wait, budget.estimated_wait_background)
    assert pytest.approx((1.0, 2.0), rel=0.01) == told


@pytest.mark.parametrize("first", ["alice", "c1"])
async def test_no_batch_overtakes_a_write_that_left_alone_whichever_others_end_before(
    make_talkjs: MakeTalkJS, emulator: Emulator, alice: None, first: str
) -> None:
    ordinary = TokenBucket(1e-3, 600, tokens=2, background_reserve=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=ordinary, overflow_to_batch=True)
    # The two that leave alone at the same time; the second takes longer.
    ways = [1.0, 5.0]
    emulator.latency = lambda _: (ways.pop(0) if ways else 0.0, 0.0)

    async def write(number: int) -> Any:
        await emulator.clock.sleep(0.1 * number)
        if not number and first == "alice":
            return await talkjs.users.upsert("alice", name="Alice A.")
        return await talkjs.messages.send("c1", sender="alice", text=str(number))

    await at_once(3, write)

    sent = [commit.text for commit in emulator.commits.of("message.sent")]
    assert (["1", "2"] if first == "alice" else ["0", "1", "2"]) == sent
    assert 1 == len(batches(emulator))
    nothing_is_kept(talkjs)


def nothing_is_kept(talkjs: AsyncTalkJS) -> None:
    """No user and no conversation is remembered of whom no write is under way."""
    dispatcher = dispatcher_of(talkjs)
    assert {} == dispatcher._writes._turns
    assert {} == dict(dispatcher._writes._alone)


def dispatcher_of(talkjs: AsyncTalkJS) -> Dispatcher:
    assert talkjs._dispatchers is not None
    return talkjs._dispatchers.here()


async def test_closing_waits_for_the_permits_of_batches_also_where_it_is_cancelled(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    ordinary = TokenBucket(1e-3, 600, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=ordinary, overflow_to_batch=True, retry=1)
    emulator.faults.add("latency-20", on="POST /batch")
    in_flight: list[int] = []

    async def close() -> None:
        await emulator.clock.sleep(10.0)
        in_flight.append(talkjs.batch_budget.in_flight)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await dispatcher_of(talkjs).aclose()
        in_flight.append(talkjs.batch_budget.in_flight)

    async def write(number: int) -> Any:
        return await (talkjs.users.upsert(f"u{number}", name="U") if number else close())

    results = await at_once(3, write)

    assert [1, 0] == in_flight
    assert [type(None), OutcomeUnknown, OutcomeUnknown] == [type(each) for each in results]
    assert ("PUT", "/users/u1") == (results[1].method, results[1].path)
    assert "PUT /users/u1: the batch that carried it has no answer for it." == str(results[1])
