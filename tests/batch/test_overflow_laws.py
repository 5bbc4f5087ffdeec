"""
Whatever calls, cancellations and faults come together: overflow loses and doubles nothing.

Hypothesis makes the traffic. It runs against the emulator on its own clock, with budgets so small
that most calls have to queue.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async import (
    AsyncTalkJS,
    Lane,
    NotFound,
    OwnBudgets,
    SendReceipt,
    TalkJSError,
    TokenBucket,
    User,
    UserInput,
)
from talkjs_async.batch import MOST_OPERATIONS
from talkjs_async.emulator import Emulator, Limits
from talkjs_async.emulator.request_log import Exchange

pytestmark = pytest.mark.harness

SUBJECTS: Final = 3
"""Users and conversations that the calls are about: few, so that many are about the same."""

PATIENCE: Final = 50_000.0
"""Virtual seconds after which a call that has no result was forgotten."""


@attrs.frozen
class OneCall:
    """
    What one caller does.

    Attributes:
        at: When, in seconds.
        kind: What it asks for; "miss" reads what does not exist, "many" writes a collection.
        subject: Number of the user or conversation.
        cancelled_after: Seconds after which it loses patience. None: never.
    """

    at: float
    kind: Literal["read", "miss", "send", "write", "many"]
    subject: int
    lane: Lane
    cancelled_after: float | None


@attrs.frozen
class Traffic:
    """What happens, and what goes wrong with the first batches."""

    calls: list[OneCall]
    fault: str | None
    faults: int
    latency: float


@attrs.define
class History:
    """
    What came of it.

    Attributes:
        outcomes: For each call all that it ended with: results, errors, "cancelled".
        emulator: Where the calls went.
        left: Calls in flight and waiting afterwards, in all budgets.
    """

    outcomes: list[list[Any]]
    emulator: Emulator
    left: int = -1


SECONDS = st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.5, 1.0, 3.0, 10.0])

CALLS = st.builds(
    OneCall,
    SECONDS,
    st.sampled_from(["read", "miss", "send", "send", "write", "many"]),
    st.integers(0, SUBJECTS - 1),
    st.sampled_from(["interactive", "background"]),
    st.one_of(st.none(), st.none(), SECONDS),
)

TRAFFIC = st.builds(
    Traffic,
    st.lists(CALLS, min_size=15, max_size=60),
    st.sampled_from([None, "drop-before-commit", "drop-after-commit", "return-503"]),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.05, 1.5]),
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(traffic=TRAFFIC)
@settings(deadline=None, max_examples=40)
def test_any_traffic_keeps_the_laws(backend: str, traffic: Traffic) -> None:
    history = anyio.run(carry_out, traffic, backend=backend)

    batches = history.emulator.requests.find("POST /batch")
    every_call_has_one_outcome(history, traffic)
    every_message_is_there_once(history, traffic)
    for batch in batches:
        no_two_writes_have_one_subject(batch)
    assert 0 == history.left
    assert 429 not in {exchange.status for exchange in history.emulator.requests}


def every_call_has_one_outcome(history: History, traffic: Traffic) -> None:
    """And it is the one of that very call."""
    for number, (call, outcomes) in enumerate(zip(traffic.calls, history.outcomes, strict=True)):
        assert 1 == len(outcomes), number
        outcome = outcomes[0]
        if outcome == "cancelled":
            assert call.cancelled_after is not None
        elif call.kind == "read":
            assert isinstance(outcome, User)
            assert f"u{call.subject}" == outcome.id
        elif call.kind == "miss":
            assert isinstance(outcome, NotFound)
            assert f"/users/nobody{number}" == outcome.path
        elif call.kind == "send":
            assert isinstance(outcome, SendReceipt)
        else:
            assert outcome is None


def every_message_is_there_once(history: History, traffic: Traffic) -> None:
    """Except that one whose call was cancelled need not be there."""
    stored = [commit.text for commit in history.emulator.commits.of("message.sent")]
    assert len(stored) == len(set(stored))
    for number, call in enumerate(traffic.calls):
        if call.kind == "send" and history.outcomes[number] != ["cancelled"]:
            assert str(number) in stored


def no_two_writes_have_one_subject(batch: Exchange) -> None:
    """The order inside a batch is undefined."""
    writes = [each.path.split("/")[1:3] for each in batch.operations if each.method != "GET"]
    subjects = {tuple(subject) for subject in writes}
    assert len(writes) == len(subjects)
    assert {2} >= {len(subject) for subject in subjects}, "A collection was written."
    assert len(batch.operations) <= MOST_OPERATIONS


async def carry_out(traffic: Traffic) -> History:
    """Let it all happen."""
    emulator = Emulator(limits=Limits(enabled=False, initial_tokens=0, initial_batch_tokens=4))
    clock = emulator.clock
    history = History([[] for _ in traffic.calls], emulator)
    limiter = TokenBucket(9.0, 20, tokens=0, background_reserve=1, clock=clock)
    batch_limiter = TokenBucket(1.0, 20, tokens=4, clock=clock)
    secrets = emulator.app_id, emulator.secret_key
    async with AsyncTalkJS(*secrets, transport=emulator.transport, clock=clock) as talkjs:
        for number in range(SUBJECTS):
            await talkjs.users.upsert(f"u{number}", name="Somebody")
            await talkjs.conversations.upsert(f"c{number}", participants=[f"u{number}"])
    emulator.limits = Limits(burst=20, batch_burst=20)
    emulator.latency = lambda _: (traffic.latency, traffic.latency)
    if traffic.fault is not None:
        emulator.faults.add(traffic.fault, on="POST /batch", first=traffic.faults)

    async with (
        AsyncTalkJS(
            *secrets,
            transport=emulator.transport,
            clock=clock,
            budgets=OwnBudgets(limiter, batch_limiter),
            overflow_to_batch=True,
        ) as talkjs,
        anyio.create_task_group() as guards,
    ):
        guards.start_soon(_give_up, emulator, guards)
        async with anyio.create_task_group() as tasks:
            for number, call in enumerate(traffic.calls):
                tasks.start_soon(_make, talkjs, emulator, number, call, history.outcomes[number])
        guards.cancel_scope.cancel()
    budgets = [limiter.statistics(), batch_limiter.statistics()]
    history.left = sum(
        budget.in_flight + budget.waiting_interactive + budget.waiting_background
        for budget in budgets
    )
    return history


async def _give_up(emulator: Emulator, everybody: anyio.abc.TaskGroup) -> None:
    await emulator.clock.sleep(PATIENCE)
    everybody.cancel_scope.cancel()


async def _make(
    talkjs: AsyncTalkJS, emulator: Emulator, number: int, call: OneCall, outcomes: list[Any]
) -> None:
    await emulator.clock.sleep(call.at)
    ask = _request(talkjs.with_options(lane=call.lane), number, call)
    async with anyio.create_task_group() as tasks:
        if call.cancelled_after is not None:
            tasks.start_soon(_cancel_after, call.cancelled_after, emulator, tasks)
        try:
            outcomes.append(await ask())
        except TalkJSError as error:
            outcomes.append(error)
        tasks.cancel_scope.cancel()
    if not outcomes:
        outcomes.append("cancelled")


async def _cancel_after(seconds: float, emulator: Emulator, tasks: anyio.abc.TaskGroup) -> None:
    await emulator.clock.sleep(seconds)
    tasks.cancel_scope.cancel()


def _request(talkjs: AsyncTalkJS, number: int, call: OneCall) -> Callable[[], Awaitable[object]]:
    async def ask() -> object:
        match call.kind:
            case "read":
                return await talkjs.users.get(f"u{call.subject}")
            case "miss":
                return await talkjs.users.get(f"nobody{number}")
            case "send":
                return await talkjs.messages.send(
                    f"c{call.subject}", sender=f"u{call.subject}", text=str(number)
                )
            case "write":
                await talkjs.users.upsert(f"u{call.subject}", name=str(number))
            case "many":
                await talkjs.users.upsert_many({f"u{call.subject}": UserInput(name="x")})
        return None

    return ask
