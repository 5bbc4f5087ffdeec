"""What happens to a budget reaches the hooks of the clients that use it."""

from __future__ import annotations

import contextlib
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from talkjs_async import AnonymousProjects, AsyncTalkJS, NotFound, OwnBudgets, TokenBucket, call_of
from talkjs_async._core.forwarder import Forwarder
from talkjs_async.emulator import Emulator
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.limits import Limiter
from talkjs_async.telemetry import (
    AttemptEnded,
    Drained,
    Paused,
    StoreAway,
    StoreBack,
    StoreLostData,
    TelemetryEvent,
    Waited,
    log_events,
)
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


@pytest.fixture
def engine() -> str:
    """One library is enough: the budget does not know who sends."""
    return "httpx"


def of_the_budget(events: list[TelemetryEvent]) -> list[Any]:
    """Those that a limiter told."""
    return [event for event in events if isinstance(event, Waited | Drained | Paused)]


async def surprise(limiter: TokenBucket) -> None:
    """Let *limiter* see a 429, which it tells everybody who listens."""
    (await limiter.acquire()).throttled()


async def test_a_hook_hears_that_a_call_waited(make_talkjs: MakeTalkJS, emulator: Emulator) -> None:
    events: list[TelemetryEvent] = []
    limiter = TokenBucket(9.0, 1, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, hooks=[events.append])

    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.users.get("alice")

    waited, ended = events[-2:]
    assert isinstance(ended, AttemptEnded)
    assert isinstance(waited, Waited)
    assert Waited(lane="interactive", seconds=waited.seconds, bucket="ordinary") == waited
    assert pytest.approx(1 / 9, rel=0.01) == waited.seconds


async def test_a_hook_hears_of_a_429_once_per_herd(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    events: list[TelemetryEvent] = []
    talkjs = make_talkjs(hooks=[events.append])
    await talkjs.users.upsert("alice", name="Alice")
    emulator.faults.add("return-429", first=5)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(talkjs.users.get, "alice")

    drained = [event for event in events if isinstance(event, Drained)]
    paused = [event for event in events if isinstance(event, Paused)]
    assert [("ordinary", 1)] == [(event.bucket, event.generation) for event in drained]
    assert ["ordinary"] == [event.bucket for event in paused]


async def test_a_hook_hears_of_both_budgets(make_talkjs: MakeTalkJS, emulator: Emulator) -> None:
    events: list[TelemetryEvent] = []
    batch_limiter = TokenBucket(1.0, 1, clock=emulator.clock)
    talkjs = make_talkjs(batch_limiter=batch_limiter, hooks=[events.append])

    await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * 11, return_exceptions=True)

    assert ["batch"] == [event.bucket for event in of_the_budget(events)]


async def test_the_hooks_of_an_overflowing_client_hear_of_the_budget_too(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    events: list[TelemetryEvent] = []
    limiter = TokenBucket(9.0, 4, clock=emulator.clock)
    batch_limiter = TokenBucket(1.0, 1, clock=emulator.clock)
    async with make_talkjs(
        limiter=limiter, batch_limiter=batch_limiter, overflow_to_batch=True, hooks=[events.append]
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")

        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(talkjs.users.get, "alice")

    assert {"ordinary", "batch"} == {event.bucket for event in of_the_budget(events)}


async def test_the_hooks_of_a_maker_of_anonymous_projects_hear_of_its_budget(
    emulator: Emulator,
) -> None:
    events: list[TelemetryEvent] = []
    async with AnonymousProjects(
        transport=emulator.transport, clock=emulator.clock, hooks=[events.append]
    ) as anonymous:
        await anonymous.create()
        await anonymous.create()

    assert ["anonymous"] == [event.bucket for event in of_the_budget(events)]


async def test_a_limiter_that_tells_nothing_works(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    events: list[TelemetryEvent] = []
    talkjs = make_talkjs(limiter=Silent(TokenBucket()), hooks=[events.append])

    await talkjs.users.upsert("alice", name="Alice")

    assert [AttemptEnded] == [type(event) for event in events]


class Silent:
    """A limiter with the methods of the protocol and no other."""

    def __init__(self, limiter: Limiter) -> None:
        self.acquire = limiter.acquire
        self.statistics = limiter.statistics
        self.aclose = limiter.aclose


async def test_a_client_with_other_hooks_tells_those(make_talkjs: MakeTalkJS) -> None:
    first: list[TelemetryEvent] = []
    second: list[TelemetryEvent] = []
    limiter = TokenBucket()
    talkjs = make_talkjs(limiter=limiter, hooks=[first.append])
    derived = talkjs.with_options(hooks=[second.append])

    await surprise(limiter)

    assert 2 == len(first)
    assert first == second
    assert derived is not talkjs


async def test_a_client_that_was_derived_keeps_the_hooks_after_the_first_is_gone(
    emulator: Emulator,
) -> None:
    events: list[TelemetryEvent] = []
    limiter = TokenBucket()
    derived = client(emulator, limiter, events.append).with_options(lane="background")
    gc.collect()

    await surprise(limiter)

    assert 2 == len(events)
    await derived.aclose()


async def test_a_client_that_was_dropped_goes_though_its_hook_knows_it(emulator: Emulator) -> None:
    limiter = TokenBucket()

    class Owner:
        def __init__(self) -> None:
            self.talkjs = client(emulator, limiter, self.hook)

        def hook(self, event: TelemetryEvent) -> None:
            raise AssertionError(event)

    owner = Owner()
    gone = weakref.ref(owner)
    del owner
    gc.collect()

    await surprise(limiter)

    assert gone() is None


async def test_a_closed_client_tells_nothing_until_it_is_opened_again(
    make_talkjs: MakeTalkJS,
) -> None:
    events: list[TelemetryEvent] = []
    limiter = TokenBucket()
    talkjs = make_talkjs(limiter=limiter, hooks=[events.append])

    await talkjs.aclose()
    await talkjs.aclose()
    await surprise(limiter)
    after_close = len(events)
    async with talkjs:
        await surprise(limiter)

    assert 0 == after_close
    assert [Drained, Paused] == [type(event) for event in events if not isinstance(event, Waited)]


def test_nothing_is_left_in_a_bucket_by_clients_that_were_dropped() -> None:
    stopped: list[int] = []

    class Told:
        def listen(self, listener: object) -> Callable[[], None]:
            return lambda: stopped.append(1)

    for _ in range(100):
        Forwarder({"ordinary": Told()}, [print])
    gc.collect()

    assert 100 == len(stopped)


async def test_a_hook_that_fails_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: TelemetryEvent) -> None:
        raise RuntimeError("no disk")

    limiter = TokenBucket(clock=VirtualClock())
    forwarder = Forwarder({"ordinary": limiter}, [fail])

    await surprise(limiter)

    assert "A hook failed on Drained" in caplog.text
    forwarder.stop()


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (Waited(lane="background", seconds=2.0), logging.DEBUG),
        (Drained(generation=1, tokens=3.0, in_flight=2, effective_rate=9.0), logging.WARNING),
        (Paused(seconds=1.0, retry_after=None), logging.WARNING),
        (StoreAway(reason="refused", effective_rate=3.0), logging.WARNING),
        (StoreBack(spent=7), logging.DEBUG),
        (StoreLostData(reason="the data is gone"), logging.WARNING),
    ],
    ids=lambda value: type(value).__name__,
)
def test_surprises_are_logged_louder_than_waits(
    event: TelemetryEvent, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="talkjs_async")

    log_events(event)

    assert [("talkjs_async", level, str(event))] == caplog.record_tuples


def client(
    emulator: Emulator, limiter: TokenBucket, *hooks: Callable[[TelemetryEvent], None]
) -> AsyncTalkJS:
    """A client that the test can drop."""
    return AsyncTalkJS(
        emulator.app_id,
        emulator.secret_key,
        transport=emulator.transport,
        budgets=OwnBudgets(limiter),
        hooks=hooks,
    )


async def test_a_client_that_is_derived_for_one_call_hears_of_its_own_wait(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    events: list[TelemetryEvent] = []
    talkjs = make_talkjs(limiter=TokenBucket(9.0, 1, tokens=0, clock=emulator.clock))

    with contextlib.suppress(NotFound):
        await talkjs.with_options(hooks=[events.append]).users.get("alice")

    assert [Waited] == [type(event) for event in of_the_budget(events)]


async def test_closing_a_client_ends_what_the_hooks_of_derived_clients_hear(
    make_talkjs: MakeTalkJS,
) -> None:
    events: list[TelemetryEvent] = []
    limiter = TokenBucket()
    talkjs = make_talkjs(limiter=limiter)
    derived = talkjs.with_options(hooks=[events.append])

    await talkjs.aclose()
    await surprise(limiter)

    assert derived is not None
    assert [] == events
