"""
Makes one thing go wrong in one place of a call, and looks at what is left behind.

A place is the n-th time that a call waits, or the n-th time that foreign code runs for it: a hook,
a log handler, the signer, an upload, the transport. Knows nothing of what calls do.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final

import anyio
import anyio.lowlevel
import attrs
import httpx

from talkjs_async import AsyncTalkJS, OwnBudgets, RetryPolicy, TokenBucket
from talkjs_async.emulator import Emulator
from talkjs_async.telemetry import TelemetryEvent, log_events

Work = Callable[[AsyncTalkJS], Coroutine[Any, Any, object]]


class Injected(Exception):
    """What went wrong, as an ordinary exception."""


class InjectedBase(BaseException):
    """The same, as one that `except Exception` does not see."""


@attrs.define
class Foreign:
    """
    Foreign code that fails at the n-th use of it.

    Attributes:
        at: Which use. 0: none.
        error: What it raises then.
        used: How often it ran.
        places: Which code ran, in order.
    """

    at: int = 0
    error: type[BaseException] = Injected
    used: int = 0
    places: list[str] = attrs.field(factory=list[str])

    def touch(self, place: str) -> None:
        self.used += 1
        self.places.append(place)
        if self.used == self.at:
            raise self.error(place)


@attrs.define
class ForeignClock:
    """The emulator's clock. It does not fail: a clock that does ends everything."""

    emulator: Emulator

    def time(self) -> float:
        return self.emulator.clock.time()

    def monotonic(self) -> float:
        return self.emulator.clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.emulator.clock.sleep(seconds)


@attrs.define
class ForeignAuth:
    """Signs as the client would."""

    foreign: Foreign
    auth: Any

    def bearer(self, now: float) -> str:
        self.foreign.touch("auth")
        return str(self.auth.bearer(now))


@attrs.define
class ForeignTransport(httpx.AsyncBaseTransport):
    """The emulator."""

    foreign: Foreign
    emulator: Emulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.foreign.touch("transport")
        answer = await self.emulator.transport.handle_async_request(request)
        self.foreign.touch("transport, answer")
        return answer


class ForeignLog(logging.Handler):
    """A log handler."""

    def __init__(self, foreign: Foreign) -> None:
        super().__init__()
        self.foreign = foreign

    def emit(self, record: logging.LogRecord) -> None:
        self.foreign.touch("log")


@attrs.define
class ForeignStream:
    """The source of an upload."""

    foreign: Foreign
    left: int = 2

    def __aiter__(self) -> ForeignStream:
        self.foreign.touch("stream, iter")
        return self

    async def __anext__(self) -> bytes:
        self.foreign.touch("stream, next")
        await anyio.lowlevel.checkpoint()
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return b"piece"

    async def aclose(self) -> None:
        self.foreign.touch("stream, close")


@attrs.define
class Interrupted:
    """
    Awaits *work*, and cancels it at the n-th time that it waits.

    Attributes:
        at: Which time. 0: never.
        waits: How often it waited.
    """

    work: Awaitable[object]
    at: int
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    waits: int = 0

    def __await__(self) -> Generator[Any, Any, object]:
        steps = self.work.__await__()
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                waits_for = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            self.waits += 1
            if self.waits == self.at:
                self.scope.cancel()
            try:
                value, error = (yield waits_for), None
            except BaseException as thrown:  # noqa: BLE001 - it is the work's
                error = thrown


@attrs.define
class Remains:
    """
    What is left when a call is over.

    Attributes:
        waits, used: How often it waited, and how often foreign code ran.
        ended: How it ended: the exception, if there was one.
        places: Which foreign code ran.
        left: In words, all that should not be there.
    """

    waits: int
    used: int
    ended: BaseException | None
    places: list[str]
    left: list[str]


NOTHING: Final[list[str]] = []


async def inject(
    work: Work, *, wait: int = 0, use: int = 0, error: type[BaseException] = Injected
) -> Remains:
    """
    Do *work* with a client of its own, have one thing go wrong, and look around.

    Args:
        work: What to do.
        wait: Cancel it when it waits for so many times.
        use: Have foreign code fail when it runs for so many times.
        error: With what.
    """
    emulator = Emulator()
    await arrange(emulator)
    foreign = Foreign(use, error)
    ordinary = TokenBucket(tokens=2, clock=emulator.clock)
    batch = TokenBucket(1.0, 500, tokens=1, clock=emulator.clock)
    handler = ForeignLog(foreign)
    lost = Collected()
    logger = logging.getLogger("talkjs_async")
    level = logger.level
    talkjs = AsyncTalkJS(
        emulator.app_id,
        emulator.secret_key,
        clock=ForeignClock(emulator),
        transport=ForeignTransport(foreign, emulator),
        budgets=OwnBudgets(ordinary, batch),
        overflow_to_batch=True,
        retry=RetryPolicy(attempts=2, base_delay=0.1),
        hooks=[hook_of(foreign), log_events],
    )
    object.__setattr__(talkjs._pipeline, "auth", ForeignAuth(foreign, talkjs._pipeline.auth))
    talkjs._foreign = foreign  # type: ignore[attr-defined]  # for the streams of uploads
    logger.setLevel(logging.DEBUG)
    logger.addHandler(lost)
    logger.addHandler(handler)
    interrupted = Interrupted(work(talkjs), wait)
    ended: BaseException | None = None
    try:
        with interrupted.scope:
            try:
                await interrupted
            except (Exception, InjectedBase, BaseExceptionGroup) as failure:  # noqa: BLE001 - any end will do
                ended = failure
        foreign.at = 0
        waits, used = interrupted.waits, foreign.used
        left = await look_around(talkjs, emulator, ordinary, batch)
    finally:
        logger.removeHandler(lost)
        logger.removeHandler(handler)
        logger.setLevel(level)
    left += [f"logged: {line}" for line in lost.lines if "did not end" in line]
    return Remains(waits, used, ended, foreign.places, left)


async def look_around(
    talkjs: AsyncTalkJS, emulator: Emulator, ordinary: TokenBucket, batch: TokenBucket
) -> list[str]:
    """Say what is left that should not be."""
    # What runs on for the others of a batch may do so for as long as an attempt lasts.
    await emulator.clock.sleep(120.0)
    left = []
    for name, limiter in (("ordinary", ordinary), ("batch", batch)):
        budget = limiter.statistics()
        if budget.in_flight:
            left.append(f"{budget.in_flight} permits of the {name} budget")
        if budget.waiting_interactive or budget.waiting_background:
            left.append(f"calls that wait for the {name} budget")
    gate: Any = await talkjs._pipeline.connections.pools.get()
    if not gate._semaphore.all_free:
        left.append("slots")
    dispatchers = talkjs._dispatchers
    if dispatchers is not None and dispatchers.here()._tasks:
        left.append("tasks of the overflow")
    if (await talkjs.users.get("alice")).id != "alice":
        left.append("a client that does not work")
    await talkjs.aclose()
    return left


async def arrange(emulator: Emulator) -> None:
    """Have a user and a conversation."""
    async with AsyncTalkJS(
        emulator.app_id, emulator.secret_key, clock=emulator.clock, transport=emulator.transport
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.conversations.upsert("c1", participants=["alice"])
        await talkjs.messages.send("c1", sender="alice", text="hi")


class Collected(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def hook_of(foreign: Foreign) -> Callable[[TelemetryEvent], None]:
    def hook(event: TelemetryEvent) -> None:
        foreign.touch(f"hook, {type(event).__name__}")

    return hook
