"""Whether operations of a batch cost a token of the ordinary budget each, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import pytest

from talkjs_async import (
    AsyncTalkJS,
    Forbidden,
    Lane,
    OwnBudgets,
    Permit,
    RateLimitWaitTimeout,
    TokenBucket,
    User,
    call_of,
)
from talkjs_async.batch._charges import Charges, both, charges_of, pay_for_each
from talkjs_async.emulator import Emulator
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.emulator.request_log import Exchange
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


@pytest.fixture
def engine() -> str:
    """One library is enough: the budget does not know who sends."""
    return "httpx"


@pytest.fixture
async def greedy(emulator: Emulator, talkjs: AsyncTalkJS) -> Emulator:
    """A TalkJS that knows Alice and charges operations to the ordinary budget."""
    await talkjs.users.upsert("alice", name="Alice")
    emulator.switches.batch_charges = "each"
    return emulator


def refused(exchanges: Sequence[Exchange]) -> int:
    """Count the 429s, of requests and of operations."""
    return sum(exchange.status == 429 for exchange in exchanges) + sum(
        operation.status == 429 for exchange in exchanges for operation in exchange.operations
    )


async def test_a_batch_that_costs_a_token_per_operation_succeeds_all_the_same(
    talkjs: AsyncTalkJS, greedy: Emulator
) -> None:
    began = greedy.clock.monotonic()

    users = await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * 1_000)

    took = greedy.clock.monotonic() - began
    assert {User} == {type(user) for user in users}
    # 599 tokens were left; the herd that found out costs a pause.
    assert pytest.approx(401 / 9, rel=0.1) == took


async def test_what_was_learned_prevents_further_429s(
    talkjs: AsyncTalkJS, greedy: Emulator
) -> None:
    await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * 700)
    assert refused(list(greedy.requests))
    greedy.requests.clear()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(talkjs.batch, *[call_of(talkjs.users.get, "alice")] * 100)
        for _ in range(100):
            tasks.start_soon(talkjs.users.get, "alice")

    assert 0 == refused(list(greedy.requests))


async def test_ordinary_calls_pause_when_an_operation_was_refused(
    talkjs: AsyncTalkJS, greedy: Emulator
) -> None:
    await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * 590, return_exceptions=True)
    greedy.requests.clear()
    await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * 20, return_exceptions=True)

    assert talkjs.budget.tokens < 10
    assert 1 == talkjs.budget.throttled


async def test_clients_that_share_a_bucket_share_what_was_learned(
    make_talkjs: MakeTalkJS, greedy: Emulator
) -> None:
    limiter = TokenBucket(clock=greedy.clock)
    first, second = make_talkjs(limiter=limiter), make_talkjs(limiter=limiter)
    await first.batch(*[call_of(first.users.get, "alice")] * 700)
    greedy.requests.clear()

    async with make_talkjs(limiter=limiter, overflow_to_batch=True) as third:
        await second.batch(*[call_of(second.users.get, "alice")] * 100)
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(third.users.get, "alice")

    assert 0 == refused(list(greedy.requests))
    assert 10 == len(greedy.requests.find("POST /batch"))


async def test_batches_that_share_a_limiter_with_their_operations_do_not_wait_for_each_other(
    make_talkjs: MakeTalkJS, greedy: Emulator
) -> None:
    one_for_all = TokenBucket(100.0, 50, max_in_flight=5, clock=greedy.clock)
    talkjs = make_talkjs(budgets=OwnBudgets(one_for_all, one_for_all))
    charges_of(one_for_all).each = True
    began = greedy.clock.monotonic()

    await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * 120)

    assert greedy.clock.monotonic() - began < 10.0
    assert (0, 12 * 11) == (talkjs.budget.in_flight, talkjs.budget.granted)


async def test_batches_cost_nothing_of_the_ordinary_budget_where_they_need_not(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await talkjs.users.upsert("alice", name="Alice")
    before = talkjs.budget.granted

    await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * 1_000)

    assert before == talkjs.budget.granted


async def test_what_is_learned_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    charges = Charges()
    ordinary = TokenBucket(clock=VirtualClock())

    for _ in range(2):
        charges.warn_of_refusal(Forbidden(status=403, method="POST", path="/batch"))
        await charges.refused(ordinary)

    refusal, each = (record.getMessage() for record in caplog.records)
    assert (
        "A batch was refused as such, so its calls are sent alone, and no more calls overflow: "
        "POST /batch: 403"
    ) == refusal
    assert (
        "An operation of a batch got a 429, so TalkJS charges operations to the ordinary budget. "
        "From now on each of them waits for it, and no more calls overflow."
    ) == each
    assert (True, True) == (charges.each, charges.warned)
    assert (1, 0) == (ordinary.statistics().throttled, ordinary.statistics().in_flight)


class TestPayingForEach:
    async def test_it_holds_one_slot_in_flight_however_much_it_pays(self) -> None:
        clock = VirtualClock()
        ordinary = TokenBucket(9.0, 600, clock=clock)

        permit = await pay_for_each(ordinary, 10, lane="interactive", left=lambda: None)
        during = ordinary.statistics()
        permit.settle()

        assert (1, 10) == (during.in_flight, during.granted)
        assert 0 == ordinary.statistics().in_flight

    async def test_it_holds_nothing_when_the_wait_is_too_long(self) -> None:
        clock = VirtualClock()
        ordinary = TokenBucket(9.0, 600, tokens=5, clock=clock)

        def left() -> float:
            return max(0.3 - clock.monotonic(), 0.0)

        with pytest.raises(RateLimitWaitTimeout):
            await pay_for_each(ordinary, 10, lane="interactive", left=left)

        assert 0 == ordinary.statistics().in_flight

    @pytest.mark.parametrize(
        ("end", "batch_tokens", "ordinary_tokens", "throttled"),
        [
            (Permit.settle, 499.0, 599.0, (0, 0)),
            (Permit.refund, 500.0, 600.0, (0, 0)),
            # What the batch was refused for was not its operations.
            (Permit.throttled, -0.5, 600.0, (1, 0)),
        ],
    )
    async def test_one_permit_ends_those_of_both_budgets(
        self,
        end: Callable[[Permit], None],
        batch_tokens: float,
        ordinary_tokens: float,
        throttled: tuple[int, int],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        clock = VirtualClock()
        ordinary, batch = TokenBucket(9.0, 600, clock=clock), TokenBucket(1.0, 500, clock=clock)

        end(both(await batch.acquire(), await ordinary.acquire()))

        budgets = batch.statistics(), ordinary.statistics()
        assert (0, 0) == tuple(budget.in_flight for budget in budgets)
        assert throttled == tuple(budget.throttled for budget in budgets)
        assert (batch_tokens, ordinary_tokens) == pytest.approx(
            tuple(budget.tokens for budget in budgets), abs=0.01
        )
        # Not because one of them was lost.
        assert "" == caplog.text

    async def test_a_batch_that_is_refused_pauses_batches_for_as_long_as_the_server_asks(
        self,
    ) -> None:
        clock = VirtualClock()
        ordinary, batch = TokenBucket(9.0, 600, clock=clock), TokenBucket(1.0, 500, clock=clock)

        both(await batch.acquire(), await ordinary.acquire()).throttled(7.0)

        assert pytest.approx(7.0) == batch.statistics().paused_for
        assert 0.0 == ordinary.statistics().paused_for

    async def test_each_token_may_take_what_is_left_of_the_wait(self) -> None:
        asked: list[tuple[Lane, float | None]] = []

        class Asked(TokenBucket):
            async def acquire(
                self, *, lane: Lane = "interactive", max_wait: float | None = None
            ) -> Permit:
                asked.append((lane, max_wait))
                return await super().acquire(lane=lane, max_wait=max_wait)

        left = iter((3.0, 2.0, 1.0))
        permit = await pay_for_each(
            Asked(clock=VirtualClock()), 3, lane="background", left=lambda: next(left)
        )
        permit.settle()

        assert [("background", 3.0), ("background", 2.0), ("background", 1.0)] == asked

    async def test_a_batch_that_cannot_pay_gives_its_own_token_back(
        self, make_talkjs: MakeTalkJS, emulator: Emulator
    ) -> None:
        ordinary = TokenBucket(9.0, 600, tokens=0, clock=emulator.clock)
        batch = TokenBucket(1.0, 500, clock=emulator.clock)
        charges_of(ordinary).each = True
        talkjs = make_talkjs(limiter=ordinary, batch_limiter=batch, max_wait=0.3)

        calls = [call_of(talkjs.users.get, "alice")] * 10
        outcomes = await talkjs.batch(*calls, return_exceptions=True)

        assert {RateLimitWaitTimeout} == {type(outcome) for outcome in outcomes}
        assert (0, 500) == (batch.statistics().in_flight, round(batch.statistics().tokens))
        assert 0 == ordinary.statistics().in_flight
