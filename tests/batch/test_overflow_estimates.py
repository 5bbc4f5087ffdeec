"""With overflow on, what a call is told to wait counts the batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from talkjs_async import AsyncTalkJS, Lane, OwnBudgets, RateLimitWaitTimeout, TokenBucket
from talkjs_async._core.clock import Clock
from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.harness


@asynccontextmanager
async def overflowing(
    ordinary_tokens: int, batch_tokens: int, **options: Any
) -> AsyncIterator[tuple[AsyncTalkJS, Clock]]:
    """A client with overflow and so many tokens, whose *options* both buckets have; and alice."""
    emulator = Emulator()
    clock = emulator.clock
    budgets = OwnBudgets(
        TokenBucket(clock=clock, tokens=ordinary_tokens, **options),
        TokenBucket(1.0, 500, clock=clock, tokens=batch_tokens, **options),
    )
    async with AsyncTalkJS(
        emulator.app_id,
        emulator.secret_key,
        clock=clock,
        transport=emulator.transport,
        budgets=budgets,
        overflow_to_batch=True,
    ) as talkjs:
        await AsyncTalkJS(
            emulator.app_id, emulator.secret_key, clock=clock, transport=emulator.transport
        ).users.upsert("alice", name="Alice")
        yield talkjs, clock


async def ask(
    waiting: int, batch_tokens: int, ordinary_tokens: int, max_wait: float | None
) -> tuple[Any, float]:
    """Let *waiting* calls wait, then one more; what came of it, and after how many seconds."""
    result: Any = None
    async with (
        overflowing(ordinary_tokens, batch_tokens) as (talkjs, clock),
        anyio.create_task_group() as tasks,
    ):
        for _ in range(waiting):
            tasks.start_soon(talkjs.users.get, "alice")
        await clock.sleep(2**-14)
        asked = clock.monotonic()
        try:
            result = await talkjs.with_options(max_wait=max_wait).users.get("alice")
        except RateLimitWaitTimeout as error:
            result = error
        took = clock.monotonic() - asked
    return result, took


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_that_a_batch_takes_in_time_is_not_refused(backend: str) -> None:
    result, took = anyio.run(ask, 99, 500, 0, 2.0, backend=backend)

    assert "alice" == result.id
    assert took < 0.3


@pytest.mark.parametrize("lane", ["interactive", "background"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_snapshot_says_what_a_refused_call_is_told(backend: str, lane: Lane) -> None:
    async def look() -> tuple[float, float]:
        emulator = Emulator()
        clock = emulator.clock
        budgets = OwnBudgets(
            TokenBucket(clock=clock, tokens=0), TokenBucket(1.0, 500, clock=clock, tokens=-2)
        )
        async with (
            AsyncTalkJS(
                emulator.app_id,
                emulator.secret_key,
                clock=clock,
                transport=emulator.transport,
                budgets=budgets,
                overflow_to_batch=True,
            ) as talkjs,
            anyio.create_task_group() as tasks,
        ):
            for number in range(80):
                tasks.start_soon(partial(talkjs.users.upsert, f"user{number}", name="User"))
            await clock.sleep(2**-14)
            hasty = talkjs.with_options(max_wait=0.0, lane=lane)
            budget = talkjs.budget
            with pytest.raises(RateLimitWaitTimeout) as caught:
                await hasty.users.get("user1")
        told = caught.value.retry_after
        if lane == "interactive":
            return budget.estimated_wait, told
        return budget.estimated_wait_background, told

    said, told = anyio.run(look, backend=backend)

    # Three batches, instead of 81 tokens at nine per second.
    assert pytest.approx(told) == said
    assert 2.5 <= said <= 6.0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(
    waiting=st.integers(20, 400),
    batch_tokens=st.integers(0, 12),
    ordinary_tokens=st.sampled_from([0, 15]),
)
@settings(deadline=None, max_examples=15)
def test_the_wait_that_a_refused_call_is_told_is_the_one_it_would_have_had(
    backend: str, waiting: int, batch_tokens: int, ordinary_tokens: int
) -> None:
    refused, _ = anyio.run(ask, waiting, batch_tokens, ordinary_tokens, 0.0, backend=backend)
    _, took = anyio.run(ask, waiting, batch_tokens, ordinary_tokens, None, backend=backend)

    # A batch is the grain in which calls are served.
    if isinstance(refused, RateLimitWaitTimeout):
        assert abs(refused.retry_after - took) <= 0.1 * took + 1.0
    else:
        assert took <= 1.0


async def ask_among(
    waiting: dict[Lane, int], lane: Lane, tokens: tuple[int, int], cap: int, max_wait: float | None
) -> float | None:
    """Let calls wait in both lanes, then one more; the wait that it was refused with, if it was."""
    async with (
        overflowing(*tokens, max_in_flight=cap) as (talkjs, clock),
        anyio.create_task_group() as tasks,
    ):
        for each, count in waiting.items():
            for _ in range(count):
                tasks.start_soon(talkjs.with_options(lane=each).users.get, "alice")
        await clock.sleep(2**-14)
        try:
            await talkjs.with_options(lane=lane, max_wait=max_wait).users.get("alice")
        except RateLimitWaitTimeout as error:
            return error.retry_after
        finally:
            tasks.cancel_scope.cancel()
    return None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(
    interactive=st.integers(0, 80),
    background=st.integers(0, 80),
    lane=st.sampled_from(["interactive", "background"]),
    ordinary_tokens=st.sampled_from([0, 15, 45]),
    batch_tokens=st.sampled_from([0, 1, 12, 27, 40]),
    cap=st.sampled_from([5, 20]),
)
@settings(deadline=None, max_examples=25)
# Background calls get tokens that an interactive one had before it when it joined the queue.
@example(
    interactive=53,
    background=3,
    lane="background",
    ordinary_tokens=45,
    batch_tokens=12,
    cap=5,
)
def test_a_call_that_waits_as_long_as_it_was_told_is_not_refused_again(
    backend: str,
    interactive: int,
    background: int,
    lane: Lane,
    ordinary_tokens: int,
    batch_tokens: int,
    cap: int,
) -> None:
    waiting: dict[Lane, int] = {"interactive": interactive, "background": background}
    world = (waiting, lane, (ordinary_tokens, batch_tokens), cap)

    told = anyio.run(ask_among, *world, 0.0, backend=backend)

    if told is not None:
        assert told > 0
        assert anyio.run(ask_among, *world, 1.1 * told + 1.0, backend=backend) is None
