"""A queued call: what it is about, how long it waits, and what it tells if that was in vain."""

from __future__ import annotations

import pytest

from talkjs_async import (
    Call,
    OutcomeUnknown,
    OwnBudgets,
    RateLimitWaitTimeout,
    RetryPolicy,
    TokenBucket,
)
from talkjs_async._core.call import nothing
from talkjs_async.batch._ticket import subject_of
from talkjs_async.emulator import Emulator
from tests.batch.test_overflow import at_once, batches
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "path",
    [
        "/conversations/c1",
        "/conversations/c1/messages",
        "/conversations/c1/messages/m1",
        "/conversations/c1/messages/m1/reactions/%3A",
        "/conversations/c1/participants/alice",
        "/import/conversations/c1/messages",
        "/import/conversations/c1/messages/m1",
    ],
)
def test_all_that_is_written_to_one_conversation_has_one_subject(path: str) -> None:
    call = Call(method="PUT", path=path, decode=nothing)

    assert "/conversations/c1" == subject_of(call)


@pytest.mark.parametrize("path", ["/users/c1", "/conversations/c2", "/conversations/c11"])
def test_other_users_and_conversations_are_other_subjects(path: str) -> None:
    assert path == subject_of(Call(method="PUT", path=path, decode=nothing))


async def test_a_call_that_waited_for_a_batch_in_vain_is_told_when_its_own_token_comes(
    make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
) -> None:
    ordinary = TokenBucket(0.1, 600, tokens=0, clock=emulator.clock)
    batch = TokenBucket(0.25, 500, tokens=1, clock=emulator.clock)
    talkjs = make_talkjs(budgets=OwnBudgets(ordinary, batch), overflow_to_batch=True, retry=1)
    # The first batch is refused when the eleventh call waits for the second one.
    emulator.faults.add("return-403", on="POST /batch")
    emulator.latency = lambda _: (0.5, 0.5)
    hurried = talkjs.with_options(max_wait=5.0)

    results = await at_once(11, lambda number: hurried.users.get("alice"))

    assert [RateLimitWaitTimeout] * 11 == [type(each) for each in results]
    # Ten hear at once that their batch was refused, after a second.
    assert pytest.approx([5.0] + [9.0] * 10, rel=0.01) == sorted(
        each.retry_after for each in results
    )
    assert 1 == len(batches(emulator))


async def test_the_wait_for_a_batch_is_no_time_that_a_call_is_tried(
    make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
) -> None:
    ordinary = TokenBucket(1e-6, 600, tokens=0, clock=emulator.clock)
    batch = TokenBucket(0.1, 1, clock=emulator.clock)
    policy = RetryPolicy(max_elapsed=5.0)
    await emulator.clock.sleep(1_000.0)
    talkjs = make_talkjs(budgets=OwnBudgets(ordinary, batch), overflow_to_batch=True, retry=policy)
    emulator.faults.add("drop-before-commit", on="POST /batch")
    emulator.latency = lambda _: (1.75, 0.0)

    with pytest.raises(OutcomeUnknown) as caught:
        await talkjs.users.get("alice")

    # Each takes 1.75 s, pauses of up to 0.5 and 1.0 s, and 10 s between two of them in the queue.
    assert 3 == caught.value.attempts
    assert 3 == len(batches(emulator))


async def test_a_call_that_may_not_wait_goes_in_a_batch_that_leaves_at_once_or_not_at_all(
    make_talkjs: MakeTalkJS, emulator: Emulator, alice: None
) -> None:
    ordinary = TokenBucket(0.1, 600, tokens=0, clock=emulator.clock)
    batch = TokenBucket(2.0, 500, tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(budgets=OwnBudgets(ordinary, batch), overflow_to_batch=True)
    began = emulator.clock.monotonic()

    with pytest.raises(RateLimitWaitTimeout) as refused:
        await talkjs.with_options(max_wait=0.0).users.get("alice")

    assert pytest.approx(0.5, rel=0.01) == refused.value.retry_after
    assert began == emulator.clock.monotonic()
