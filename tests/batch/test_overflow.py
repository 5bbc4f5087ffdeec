"""Calls that wait, taken along by batches: faster, and otherwise as if nothing had happened."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import Any, cast

import anyio
import attrs
import pytest

from talkjs_async import (
    AsyncTalkJS,
    Budget,
    DecodeError,
    ImportedMessage,
    LimiterUnavailable,
    NotFound,
    OutcomeUnknown,
    OwnBudgets,
    Permit,
    RateLimitWaitTimeout,
    RetryPolicy,
    SendReceipt,
    TalkJSError,
    TokenBucket,
    Unauthorized,
    UnknownApp,
    User,
    call_of,
)
from talkjs_async.emulator import Emulator, Limits
from talkjs_async.telemetry import RetryScheduled
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


def small(emulator: Emulator) -> TokenBucket:
    """An ordinary budget with a tenth of the real burst, so that few calls use it up."""
    return TokenBucket(burst=60, background_reserve=30, clock=emulator.clock)


@pytest.fixture
async def overflowing(make_talkjs: MakeTalkJS, emulator: Emulator) -> AsyncIterator[AsyncTalkJS]:
    """A client whose calls may overflow, with two people and a conversation: 57 tokens are left."""
    async with make_talkjs(limiter=small(emulator), overflow_to_batch=True) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.users.upsert("bob", name="Bob")
        await talkjs.conversations.upsert("c1", participants=["alice", "bob"])
        yield talkjs


def batches(emulator: Emulator) -> list[Any]:
    return emulator.requests.find("POST /batch")


async def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Start *work* for each number and return what each made of it, in order."""
    results: list[Any] = [None] * count

    async def one(number: int) -> None:
        try:
            results[number] = await work(number)
        except TalkJSError as error:
            results[number] = error

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(one, number)
    return results


@pytest.mark.harness
@pytest.mark.parametrize("engine", ["httpx"])
async def test_ten_thousand_calls_use_both_budgets_to_the_full(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(overflow_to_batch=True)
    await talkjs.users.upsert("alice", name="Alice")
    began = emulator.clock.monotonic()

    users = await at_once(10_000, lambda number: talkjs.users.get("alice"))

    took = emulator.clock.monotonic() - began
    assert {User} == {type(user) for user in users}
    assert pytest.approx((10_000 - 5_600) / 19, rel=0.02) == took
    assert {200} == {exchange.status for exchange in emulator.requests}


async def test_no_batch_is_sent_while_tokens_are_left(
    overflowing: AsyncTalkJS, emulator: Emulator
) -> None:
    await at_once(50, lambda number: overflowing.users.get("alice"))

    assert [] == batches(emulator)


async def test_a_batch_takes_no_more_than_what_waits_for_tokens(
    overflowing: AsyncTalkJS, emulator: Emulator
) -> None:
    await at_once(157, lambda number: overflowing.users.get("alice"))

    assert 10 == len(batches(emulator))


async def test_each_call_keeps_its_own_result_and_error(overflowing: AsyncTalkJS) -> None:
    people = ["alice", "bob", "nobody"]

    results = await at_once(90, lambda number: overflowing.users.get(people[number % 3]))

    for number, result in enumerate(results):
        if people[number % 3] == "nobody":
            assert isinstance(result, NotFound)
            assert "/users/nobody" == result.path
        else:
            assert people[number % 3] == result.id


async def test_no_batch_writes_twice_to_one_conversation(
    overflowing: AsyncTalkJS, emulator: Emulator
) -> None:
    sent = await at_once(
        90, lambda number: overflowing.messages.send("c1", sender="alice", text=str(number))
    )

    assert {SendReceipt} == {type(result) for result in sent}
    assert 90 == len(emulator.commits.of("message.sent"))
    assert batches(emulator)
    for batch in batches(emulator):
        assert 1 == len(batch.operations)


async def test_a_lost_answer_to_a_batch_loses_and_doubles_nothing(
    overflowing: AsyncTalkJS, emulator: Emulator
) -> None:
    for number in range(20):
        await overflowing.conversations.upsert(f"r{number}", participants=["alice"])
    emulator.faults.add("drop-after-commit", on="POST /batch", first=3)

    sent = await at_once(
        120,
        lambda number: overflowing.messages.send(
            f"r{number % 20}", sender="alice", text=str(number)
        ),
    )

    stored = [commit.text for commit in emulator.commits.of("message.sent")]
    assert {SendReceipt} == {type(result) for result in sent}
    assert sorted(map(str, range(120))) == sorted(map(str, stored))


async def test_a_cancelled_call_does_not_disturb_the_others_of_its_batch(
    overflowing: AsyncTalkJS,
) -> None:
    async def one(number: int) -> Any:
        if number % 7:
            return await overflowing.users.get("alice")
        with anyio.move_on_after(0) as scope:
            await overflowing.users.get("alice")
        return scope

    results = await at_once(130, one)

    assert not [result for result in results if isinstance(result, Exception)]
    assert 0 == overflowing.budget.in_flight
    assert 0 == overflowing.budget.waiting_interactive


async def test_background_calls_overflow_too(overflowing: AsyncTalkJS, emulator: Emulator) -> None:
    background = overflowing.with_options(lane="background")

    await at_once(90, lambda number: background.users.get("alice"))

    assert batches(emulator)
    # What background leaves alone is still there.
    assert overflowing.budget.tokens >= 29.0


@pytest.mark.parametrize("engine", ["httpx"])
async def test_it_stops_where_operations_are_charged_to_the_ordinary_budget(
    make_talkjs: MakeTalkJS, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.switches.batch_charges = "each"
    emulator.limits = Limits(burst=60)
    caplog.set_level(logging.WARNING)
    talkjs = make_talkjs(limiter=small(emulator), overflow_to_batch=True)
    await talkjs.users.upsert("alice", name="Alice")

    users = await at_once(150, lambda number: talkjs.users.get("alice"))
    before = len(batches(emulator))
    await at_once(100, lambda number: talkjs.users.get("alice"))

    assert {User} == {type(user) for user in users}
    assert before == len(batches(emulator))
    assert "operations to the ordinary budget" in caplog.text


async def test_a_429_stops_it_only_after_a_batch_was_sent(
    overflowing: AsyncTalkJS,
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    talkjs = make_talkjs(limiter=TokenBucket(clock=emulator.clock), overflow_to_batch=True)
    emulator.faults.add("return-429", on="GET /users/bob", first=1)
    await talkjs.users.get("bob")
    # Pauses, and waits for tokens after the pause.
    await at_once(30, lambda number: talkjs.users.get("alice"))
    before = len(batches(emulator))
    assert not caplog.records
    emulator.faults.add("return-429", on="GET /users/bob", first=1)
    await emulator.clock.sleep(100.0)
    await talkjs.users.get("bob")

    await at_once(30, lambda number: talkjs.users.get("alice"))

    (warning,) = caplog.records
    assert "WARNING" == warning.levelname
    assert warning.getMessage().startswith("A 429 came while calls overflowed into batches, ")
    assert warning.getMessage().endswith(" No more calls are taken into batches.")
    assert before >= 1
    assert before == len(batches(emulator))


async def test_closing_the_limiter_releases_all_who_wait(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(clock=emulator.clock, tokens=0)
    batch_limiter = TokenBucket(1.0, 500, clock=emulator.clock, tokens=0)

    async with make_talkjs(
        limiter=limiter, batch_limiter=batch_limiter, overflow_to_batch=True
    ) as talkjs:

        async def one(number: int) -> Any:
            if number == 49:
                await limiter.aclose()
            return await talkjs.users.get("alice")

        results = await at_once(50, one)

    assert {LimiterUnavailable} == {type(result) for result in results}


async def test_calls_go_alone_when_the_limiter_of_batches_is_closed(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(clock=emulator.clock, tokens=0)
    batch_limiter = TokenBucket(1.0, 500, clock=emulator.clock, tokens=0)

    async with make_talkjs(
        limiter=limiter, batch_limiter=batch_limiter, overflow_to_batch=True
    ) as talkjs:

        async def one(number: int) -> Any:
            if number == 49:
                await batch_limiter.aclose()
            return await talkjs.users.get("alice")

        results = await at_once(50, one)
        later = await talkjs.users.get("alice")

    assert {User} == {type(result) for result in [*results, later]}
    assert [] == batches(emulator)


class Standing(TokenBucket):
    """A limiter that says it grants nothing, as one does whose store is away."""

    def statistics(self) -> Budget:
        return attrs.evolve(super().statistics(), effective_rate=0.0)


async def test_calls_wait_for_a_limiter_that_grants_nothing_for_now(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = Standing(clock=emulator.clock, tokens=0)

    async with make_talkjs(limiter=limiter, overflow_to_batch=True) as talkjs:
        results = await at_once(50, lambda number: talkjs.users.get("alice"))

    assert {User} == {type(result) for result in results}
    assert [] == batches(emulator)


async def test_it_works_without_async_with(make_talkjs: MakeTalkJS, emulator: Emulator) -> None:
    talkjs = make_talkjs(limiter=small(emulator), overflow_to_batch=True)
    await talkjs.users.upsert("alice", name="Alice")

    users = await at_once(90, lambda number: talkjs.users.get("alice"))

    assert {User} == {type(user) for user in users}
    assert batches(emulator)


async def test_a_client_may_be_entered_in_one_task_and_left_in_another(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(limiter=small(emulator), overflow_to_batch=True)
    result: list[Any] = []

    async def use() -> None:
        await talkjs.users.upsert("alice", name="Alice")
        result.extend(await at_once(90, lambda number: talkjs.users.get("alice")))

    for step in (talkjs.__aenter__, use, partial(talkjs.__aexit__, None, None, None)):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(step)

    assert {User} == {type(user) for user in result}
    assert batches(emulator)


@pytest.mark.harness
@pytest.mark.parametrize("status", [400, 403, 404, 405, 413])
async def test_a_batch_that_is_refused_as_such_says_nothing_of_its_calls(
    overflowing: AsyncTalkJS, emulator: Emulator, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults.add(f"return-{status}", on="POST /batch")
    people = ["alice", "nobody"]

    results = await at_once(90, lambda number: overflowing.users.get(people[number % 2]))

    assert [User, NotFound] * 45 == [type(result) for result in results]
    assert 1 == caplog.text.count("A batch was refused as such")


async def test_after_a_batch_was_refused_no_call_of_any_client_overflows(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-403", on="POST /batch")
    limiter = TokenBucket(clock=emulator.clock, tokens=0)
    clients = [make_talkjs(limiter=limiter, overflow_to_batch=True) for _ in range(2)]
    await clients[0].batch(call_of(clients[0].users.get, "alice"))

    results = await at_once(40, lambda number: clients[number % 2].users.get("alice"))

    assert {User} == {type(result) for result in results}
    assert 1 == len(batches(emulator))


async def test_a_batch_with_a_wrong_key_fails_its_calls(
    overflowing: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-401", on="POST /batch")

    results = await at_once(90, lambda number: overflowing.users.get("alice"))

    assert {User, Unauthorized} == {type(result) for result in results}


async def test_closing_the_client_leaves_unknown_what_a_batch_carries(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(0.001, 600, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    emulator.faults.add("latency-20", on="POST /batch")

    async def one(number: int) -> Any:
        if number == 9:
            await emulator.clock.sleep(10.0)
            return await talkjs.aclose()
        return await talkjs.users.upsert(f"user{number}", name="User")

    results = await at_once(10, one)

    assert [OutcomeUnknown] * 9 == [type(result) for result in results[:9]]


async def test_several_tasks_may_close_a_client_while_a_batch_is_under_way(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(0.001, 600, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    emulator.faults.add("latency-20", on="POST /batch")

    async def one(number: int) -> Any:
        if number > 4:
            await emulator.clock.sleep(10.0 + number % 2)
            return await talkjs.aclose()
        return await talkjs.users.upsert(f"user{number}", name="User")

    results = await at_once(9, one)

    assert [OutcomeUnknown] * 5 + [type(None)] * 4 == [type(result) for result in results]
    assert 0 == talkjs.budget.in_flight + talkjs.batch_budget.in_flight


async def test_a_batch_repeats_no_message_whose_key_has_expired(
    make_talkjs: MakeTalkJS, emulator: Emulator, overflowing: AsyncTalkJS
) -> None:
    talkjs = make_talkjs(
        limiter=TokenBucket(1e-7, 600, tokens=0, clock=emulator.clock),
        batch_limiter=TokenBucket(1e-5, 1, clock=emulator.clock),
        overflow_to_batch=True,
        retry=RetryPolicy(max_elapsed=1e9),
    )
    emulator.faults.add("drop-after-commit", on="POST /batch", first=1)

    with pytest.raises(OutcomeUnknown, match="no longer safe") as caught:
        await talkjs.messages.send("c1", sender="alice", text="once", idempotency_key="k1")

    assert 1 == len(emulator.commits.of("message.sent"))
    assert (1, ("k1",)) == (caught.value.attempts, caught.value.idempotency_keys)
    assert 0 == talkjs.budget.in_flight + talkjs.batch_budget.in_flight


@pytest.mark.parametrize("option", ["max_wait", "total_timeout"])
async def test_no_time_is_spent_on_an_earlier_write_beyond_what_a_call_has(
    make_talkjs: MakeTalkJS, emulator: Emulator, overflowing: AsyncTalkJS, option: str
) -> None:
    limiter = TokenBucket(1.0, 600, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    emulator.faults.add("latency-20", on="POST /batch")
    if option == "max_wait":
        hasty = talkjs.with_options(max_wait=2.0)
    else:
        hasty = talkjs.with_options(total_timeout=2.0)
    took = 0.0

    async def send(number: int) -> Any:
        nonlocal took
        await emulator.clock.sleep(0.1 * number)
        began = emulator.clock.monotonic()
        try:
            return await (hasty if number else talkjs).messages.send(
                "c1", sender="alice", text=str(number)
            )
        finally:
            took = took or emulator.clock.monotonic() - began

    results = await at_once(2, send)

    assert [SendReceipt, RateLimitWaitTimeout] == [type(result) for result in results]
    assert {} == turns(talkjs)
    assert pytest.approx(2.0, abs=1e-3) == took
    assert pytest.approx(2.0, abs=1e-3) == results[1].retry_after == results[1].max_wait
    assert ["0"] == [commit.text for commit in emulator.commits.of("message.sent")]
    assert 0 == talkjs.budget.in_flight


async def test_a_batch_takes_no_longer_than_a_call_in_it_has_in_all(
    make_talkjs: MakeTalkJS, emulator: Emulator, overflowing: AsyncTalkJS
) -> None:
    limiter = TokenBucket(0.001, 600, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    emulator.faults.add("latency-20", on="POST /batch")
    began = emulator.clock.monotonic()

    with pytest.raises(OutcomeUnknown) as caught:
        await talkjs.with_options(total_timeout=2.0).messages.send(
            "c1", sender="alice", text="hi", idempotency_key="k1"
        )

    assert pytest.approx(2.0, abs=1e-6) == emulator.clock.monotonic() - began
    assert (True, ("k1",)) == (caught.value.maybe_done, caught.value.idempotency_keys)


async def test_an_odd_answer_to_a_batch_is_the_error_of_its_calls_and_not_asked_for_again(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(0.001, 600, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    emulator.faults.add("truncated-json", on="POST /batch")

    results = await at_once(3, lambda number: talkjs.users.upsert(f"u{number}", name="U"))

    assert [OutcomeUnknown] * 3 == [type(result) for result in results]
    assert [1] * 3 == [result.attempts for result in results]
    assert 1 == len(batches(emulator))


async def test_an_odd_answer_to_a_call_that_left_alone_is_told_with_its_headers(
    overflowing: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("truncated-json", on="GET /users/alice")

    with pytest.raises(DecodeError) as caught:
        await overflowing.users.get("alice")

    assert 200 == caught.value.status
    assert caught.value.headers


async def test_a_call_whose_batch_was_lost_is_announced_and_counted_as_any_other(
    make_talkjs: MakeTalkJS, emulator: Emulator, overflowing: AsyncTalkJS
) -> None:
    heard: list[RetryScheduled] = []

    def listen(event: object) -> None:
        if isinstance(event, RetryScheduled):
            heard.append(event)

    limiter = TokenBucket(0.001, 600, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True, hooks=[listen])
    emulator.faults.add("drop-before-commit", on="POST /batch", first=2)

    await talkjs.users.get("alice")

    told = [(event.method, event.path, event.attempt, event.error) for event in heard]
    assert [("GET", "/users/alice", number, "OutcomeUnknown") for number in (1, 2)] == told
    assert 3 == len(batches(emulator))


async def test_a_404_to_a_delete_whose_first_batch_was_lost_is_a_success(
    make_talkjs: MakeTalkJS, emulator: Emulator, overflowing: AsyncTalkJS
) -> None:
    limiter = TokenBucket(0.001, 600, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    emulator.faults.add("drop-after-commit", on="POST /batch", first=1)

    await talkjs.conversations.delete("c1")
    with pytest.raises(NotFound) as caught:
        await talkjs.conversations.delete("c1")

    assert ("DELETE", "/conversations/c1", 1) == (
        caught.value.method,
        caught.value.path,
        caught.value.attempts,
    )
    assert 3 == len(batches(emulator))


class Failing(TokenBucket):
    """A limiter of a user's own whose statistics fail at times."""

    looks = 0

    def statistics(self) -> Budget:
        self.looks += 1
        # Two calls that join, and the task that collects.
        if self.looks in {1, 2, 31}:
            raise RuntimeError("no statistics")
        return super().statistics()


@pytest.mark.parametrize(("ordinary", "batch"), [(0.1, 0.05), (0.05, 0.1)])
async def test_a_refused_call_is_told_of_its_token_or_its_batch_whichever_comes_first(
    make_talkjs: MakeTalkJS, emulator: Emulator, ordinary: float, batch: float
) -> None:
    buckets = [TokenBucket(rate=rate, burst=1, clock=emulator.clock) for rate in (ordinary, batch)]
    async with make_talkjs(overflow_to_batch=True, budgets=OwnBudgets(*buckets)) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.batch(call_of(talkjs.users.get, "alice"))

        with pytest.raises(RateLimitWaitTimeout) as refused:
            await talkjs.with_options(max_wait=1.0).users.get("alice")

    assert pytest.approx(10.0, rel=0.05) == refused.value.retry_after


async def test_ten_calls_find_room_in_the_next_batch_and_the_eleventh_is_refused(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    buckets = [TokenBucket(rate=rate, burst=1, clock=emulator.clock) for rate in (0.001, 0.1)]
    async with make_talkjs(overflow_to_batch=True, budgets=OwnBudgets(*buckets)) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.batch(call_of(talkjs.users.get, "alice"))
        hurried = talkjs.with_options(max_wait=15.0)

        results = await at_once(11, lambda number: hurried.users.get("alice"))

    (refused,) = [each for each in results if isinstance(each, RateLimitWaitTimeout)]
    assert 10 == sum(isinstance(each, User) for each in results)
    assert pytest.approx(20.0, rel=0.05) == refused.retry_after
    assert 15.0 == refused.max_wait


class OneByOne(TokenBucket):
    """A bucket that counts who waits at the same time."""

    waiting = most = 0

    async def acquire(self, **options: Any) -> Permit:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            return await super().acquire(**options)
        finally:
            self.waiting -= 1


async def test_one_task_waits_for_the_next_batch_however_many_calls_do(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    ordinary = TokenBucket(rate=1.0, burst=1, clock=emulator.clock)
    batch = OneByOne(rate=1.0, burst=1, clock=emulator.clock)
    async with make_talkjs(overflow_to_batch=True, budgets=OwnBudgets(ordinary, batch)) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await at_once(60, lambda number: talkjs.users.get("alice"))

    assert 1 == batch.most


async def test_statistics_that_fail_cost_no_other_call_anything(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    overflowing: AsyncTalkJS,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limiter = Failing(clock=emulator.clock, tokens=0)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)

    async def one(number: int) -> Any:
        try:
            return await talkjs.users.get("alice")
        except RuntimeError:
            return None

    results = await at_once(30, one)

    assert 2 == results.count(None)
    assert 28 == sum(isinstance(result, User) for result in results)
    assert 0 == limiter.statistics().in_flight
    (failed,) = caplog.records
    assert ("ERROR", "A task of the overflow failed") == (failed.levelname, failed.getMessage())
    assert "no statistics" in caplog.text


async def test_writes_about_one_thing_keep_their_order(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(clock=emulator.clock, tokens=0)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    made: list[str] = []

    async def write(number: int) -> Any:
        if number % 3 == 2:
            return await talkjs.users.upsert(f"user{number}", name="other")
        made.append(str(number))
        return await talkjs.messages.send("c1", sender="alice", text=str(number))

    await at_once(90, write)

    assert made == [commit.text for commit in emulator.commits.of("message.sent")]
    assert len(batches(emulator)) >= 6


async def test_writes_that_wait_for_the_answer_of_a_batch_leave_in_their_order(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(clock=emulator.clock, tokens=0)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    emulator.faults.add("latency-2", on="POST /batch")
    made: list[str] = []

    async def write(number: int) -> Any:
        made.append(str(number))
        return await talkjs.messages.send("c1", sender="alice", text=str(number))

    await at_once(60, write)

    assert made == [commit.text for commit in emulator.commits.of("message.sent")]
    assert {} == turns(talkjs)


def turns(talkjs: AsyncTalkJS) -> dict[str, anyio.Semaphore]:
    """Who still waits for the answer of a batch, by what is written to."""
    assert talkjs._dispatchers is not None
    return talkjs._dispatchers.here()._writes._turns


async def test_interactive_writes_about_one_thing_go_before_background_ones(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(clock=emulator.clock, tokens=0)
    talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True)
    background = talkjs.with_options(lane="background")
    made: dict[bool, list[str]] = {True: [], False: []}

    async def write(number: int) -> Any:
        urgent = number % 2 == 1
        made[urgent].append(str(number))
        client = talkjs if urgent else background
        return await client.messages.send("c1", sender="alice", text=str(number))

    await at_once(20, write)

    stored = [commit.text for commit in emulator.commits.of("message.sent")]
    assert made[True] + made[False] == stored


@pytest.mark.parametrize("mode", ["batch", "overflow"])
async def test_a_batch_for_an_unknown_app_fails_its_calls(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator, engine: str, mode: str
) -> None:
    library = import_module(engine)
    tokens = None if mode == "batch" else 0
    talkjs = make_talkjs(
        limiter=TokenBucket(1e-6, 600, clock=emulator.clock, tokens=tokens),
        overflow_to_batch=True,
        transport=library.MockTransport(lambda _: library.Response(404, content=b"Not found.")),
    )

    if mode == "batch":
        calls = [call_of(talkjs.users.get, "alice")] * 5
        results = list(await talkjs.batch(*calls, return_exceptions=True))
    else:
        results = await at_once(5, lambda number: talkjs.users.get("alice"))

    assert [UnknownApp] * 5 == [type(result) for result in results]


async def test_an_interactive_call_waits_for_no_batch_of_background_calls(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    # One batch is there, and the last 25 are not for background calls.
    talkjs = make_talkjs(
        budgets=OwnBudgets(
            TokenBucket(1e-6, 600, clock=emulator.clock, tokens=0),
            TokenBucket(1.0, 500, clock=emulator.clock, tokens=1),
        ),
        overflow_to_batch=True,
    )
    began = emulator.clock.monotonic()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(talkjs.with_options(lane="background").users.get, "alice")
        await emulator.clock.sleep(5.0)
        await talkjs.users.get("bob")
        took = emulator.clock.monotonic() - began

    assert took < 6.0
    # What has room in the batch goes along.
    assert [2] == [len(batch.operations) for batch in batches(emulator)]


@pytest.mark.parametrize("batch_tokens", [0, 1, 12])
async def test_a_background_call_is_told_when_a_batch_is_free_for_it(
    overflowing: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator, batch_tokens: int
) -> None:
    talkjs = make_talkjs(
        budgets=OwnBudgets(
            TokenBucket(1e-6, 600, clock=emulator.clock, tokens=0),
            TokenBucket(1.0, 500, clock=emulator.clock, tokens=batch_tokens),
        ),
        overflow_to_batch=True,
        lane="background",
    )

    with pytest.raises(RateLimitWaitTimeout) as caught:
        await talkjs.with_options(max_wait=1.0).users.get("alice")

    assert pytest.approx(26 - batch_tokens, rel=0.01) == caught.value.retry_after
    await talkjs.with_options(max_wait=1.05 * caught.value.retry_after).users.get("alice")


async def test_the_api_version_of_a_call_travels_with_its_operation(
    overflowing: AsyncTalkJS, emulator: Emulator
) -> None:
    old = overflowing.with_options(api_version="2021-02-09")

    await at_once(90, lambda number: old.users.get("alice"))

    versions = {
        operation.api_version for batch in batches(emulator) for operation in batch.operations
    }
    assert {"2021-02-09"} == versions


async def test_imports_into_several_conversations_share_a_batch(
    overflowing: AsyncTalkJS, emulator: Emulator
) -> None:
    for number in range(10):
        await overflowing.conversations.upsert(f"old{number}", participants=["alice"])
    old = [ImportedMessage(sender="alice", text="hi", sent_at=datetime(2020, 1, 1, tzinfo=UTC))]
    # Uses up what is left of the ordinary budget.
    await at_once(47, lambda number: overflowing.users.get("alice"))

    await at_once(10, lambda number: overflowing.messages.import_many(f"old{number}", old))

    assert [10] == [len(batch.operations) for batch in batches(emulator)]


class TestOptionsOfDerivedClients:
    """A batch carries calls of clients with different options."""

    async def test_a_call_waits_for_its_batch_no_longer_than_for_an_answer_of_its_own(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, overflowing: AsyncTalkJS
    ) -> None:
        limiter = TokenBucket(0.001, 600, tokens=0, clock=emulator.clock)
        talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True, retry=1)
        emulator.faults.add("latency-20", on="POST /batch")
        hasty = talkjs.with_options(attempt_timeout=2.0)
        took: list[float] = []

        async def send(number: int) -> Any:
            try:
                return await (hasty if number else talkjs).users.upsert(f"u{number}", name="U")
            finally:
                took.append(emulator.clock.monotonic() - began)

        began = emulator.clock.monotonic()
        results = await at_once(2, send)

        assert [type(None), OutcomeUnknown] == [type(result) for result in results]
        assert "PUT /users/u1: no answer came in the 2.0 s of attempt_timeout." in str(results[1])
        assert ("PUT", "/users/u1") == (results[1].method, results[1].path)
        assert results[1].maybe_done
        assert 1 == len(batches(emulator))
        assert [pytest.approx(2.0, abs=0.5), pytest.approx(20.0, abs=0.5)] == took

    @pytest.mark.parametrize(
        "option", [{"timeout": 2.0}, {"total_timeout": 2.0}, {"max_answer_bytes": 10}], ids=str
    )
    async def test_a_batch_has_the_widest_limits_of_its_calls(
        self,
        make_talkjs: MakeTalkJS,
        emulator: Emulator,
        overflowing: AsyncTalkJS,
        option: dict[str, Any],
    ) -> None:
        limiter = TokenBucket(0.001, 600, tokens=0, clock=emulator.clock)
        talkjs = make_talkjs(limiter=limiter, overflow_to_batch=True, retry=1, **option)
        emulator.faults.add("latency-20", on="POST /batch")
        patient = talkjs.with_options(
            timeout=None, attempt_timeout=None, total_timeout=None, max_answer_bytes=10**6
        )

        await patient.users.upsert("alice", name="Alice")

        assert 1 == len(batches(emulator))


async def test_a_limiter_of_batches_that_returns_no_permit_is_named_and_costs_no_call_its_result(
    make_talkjs: MakeTalkJS, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(TokenBucket):
        async def acquire(self, **_options: Any) -> Permit:
            return cast("Permit", None)

    limiters = (TokenBucket(1.0, 600, tokens=0, clock=emulator.clock), Broken())
    talkjs = make_talkjs(budgets=OwnBudgets(*limiters), overflow_to_batch=True, retry=1)

    await talkjs.users.upsert("alice", name="Alice")

    assert ["PUT"] == [each.method for each in emulator.requests]
    assert "budgets: has a limiter that returns None where a Permit is due" in caplog.text
