"""Permits and what runs around a call: log handlers, hooks and uploads that fail cost nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from talkjs_async import (
    AsyncTalkJS,
    ConfigurationError,
    OutcomeUnknown,
    OwnBudgets,
    ProcessBudgets,
    TokenBucket,
    call_of,
)
from talkjs_async.emulator import Emulator
from talkjs_async.telemetry import TelemetryEvent, log_events
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


@pytest.fixture
def engine() -> str:
    """One library is enough: the budget does not know who sends."""
    return "httpx"


@pytest.mark.usefixtures("failing_log")
async def test_a_log_handler_that_fails_costs_neither_a_call_nor_a_permit(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(tokens=0, clock=emulator.clock)
    make_talkjs(limiter=limiter, hooks=[log_events])
    talkjs = make_talkjs(limiter=limiter)

    for number in range(20):
        await talkjs.users.upsert(f"user{number}", name="User")

    assert (20, 0) == (limiter.statistics().granted, limiter.statistics().in_flight)


@pytest.mark.usefixtures("failing_log")
async def test_a_message_that_was_stored_is_reported_although_a_hook_and_its_log_fail(
    make_talkjs: MakeTalkJS,
) -> None:
    def fail(_: TelemetryEvent) -> None:
        raise RuntimeError("no disk")

    talkjs = make_talkjs(hooks=[fail])
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.conversations.upsert("c", participants=["alice"])

    receipt = await talkjs.messages.send("c", text="hi", sender="alice")

    assert receipt.id == (await talkjs.messages.list("c").collect(max_items=9))[0].id


@pytest.mark.parametrize("stage", ["iter", "next", "close"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
async def test_an_upload_that_fails_costs_no_permit(
    make_talkjs: MakeTalkJS, emulator: Emulator, stage: str, error: type[BaseException]
) -> None:
    limiter = TokenBucket(clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter)

    class Broken:
        def __aiter__(self) -> AsyncIterator[bytes]:
            if stage == "iter":
                raise error
            return self

        async def __anext__(self) -> bytes:
            if stage == "next":
                raise error
            raise StopAsyncIteration

        async def aclose(self) -> None:
            raise error

    # What the network may raise, too, tells nothing of how far the request came.
    told = OutcomeUnknown if error is OSError and stage != "iter" else error
    with anyio.fail_after(30):
        for _ in range(21):
            with pytest.raises(told):
                await talkjs.files.upload(Broken(), filename="a.txt")

    assert 0 == limiter.statistics().in_flight


async def test_a_hook_that_ends_the_program_costs_no_permit(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    def leave(_: TelemetryEvent) -> None:
        raise SystemExit

    limiter = TokenBucket(tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, hooks=[leave])

    for _ in range(21):
        with pytest.raises(SystemExit):
            await talkjs.users.get("alice")

    assert 0 == limiter.statistics().in_flight


@pytest.mark.parametrize("count", [1, 10, 11, 250])
async def test_what_a_hook_ends_a_call_with_comes_out_of_a_batch_of_any_size(
    make_talkjs: MakeTalkJS, emulator: Emulator, count: int
) -> None:
    class Leave(BaseException): ...

    def leave(_: TelemetryEvent) -> None:
        raise Leave

    batch = TokenBucket(1.0, 500, clock=emulator.clock)
    talkjs = make_talkjs(batch_limiter=batch, hooks=[leave])

    with pytest.raises(Leave):
        await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * count)

    assert 0 == batch.statistics().in_flight


async def test_hooks_that_would_have_to_be_awaited_are_refused(make_talkjs: MakeTalkJS) -> None:
    async def hook(_: TelemetryEvent) -> None: ...

    with pytest.raises(ConfigurationError, match=r"^hooks: .*async def"):
        make_talkjs(hooks=[hook])
    with pytest.raises(ConfigurationError, match=r"^hooks: must be a list of functions"):
        make_talkjs(hooks=print)
    with pytest.raises(ConfigurationError, match=r"^hooks: "):
        make_talkjs().with_options(hooks=["log"])  # type: ignore[list-item]


class Stuck(httpx.AsyncBaseTransport):
    """Takes requests and never answers."""

    def __init__(self) -> None:
        self.under_way = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.under_way += 1
        await anyio.sleep_forever()
        raise AssertionError("never reached")


@pytest.mark.parametrize(
    ("max_in_flight", "in_flight", "under_way"),
    [(None, 40, 40), (10, 20, 20), (100, 120, 40)],
    ids=["default", "fewer", "more"],
)
async def test_a_call_holds_a_permit_while_it_waits_for_a_connection_only_beyond_forty(
    max_in_flight: int | None, in_flight: int, under_way: int
) -> None:
    stuck = Stuck()
    budgets = (
        ProcessBudgets()
        if max_in_flight is None
        else OwnBudgets(
            TokenBucket(max_in_flight=max_in_flight),
            TokenBucket(1.0, 500, max_in_flight=min(max_in_flight, 20)),
        )
    )
    talkjs = AsyncTalkJS("app", "sk_test_stuck", transport=stuck, budgets=budgets)

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(talkjs.users.get, f"user{number}")
        tasks.start_soon(talkjs.batch, *[call_of(talkjs.users.get, "alice")] * 300)
        await anyio.wait_all_tasks_blocked()
        found = talkjs.budget.in_flight + talkjs.batch_budget.in_flight, stuck.under_way
        tasks.cancel_scope.cancel()

    assert (in_flight, under_way) == found
    assert 0 == talkjs.budget.in_flight + talkjs.batch_budget.in_flight
