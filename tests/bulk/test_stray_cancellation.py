"""CancelledError that comes out of what a job awaits, while nothing cancels the job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async import AsyncTalkJS, Lane, TokenBucket, call_of
from talkjs_async.bulk import (
    Job,
    anonymise_user,
    export,
    import_messages,
    restore,
    send_messages,
    transfer,
    upsert_users,
)
from talkjs_async.emulator import Emulator
from talkjs_async.limits import Permit
from tests.fixtures import MakeTalkJS

# trio has no such error: what is cancelled there is a scope, and never what is awaited.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

Prepare = Callable[[int], Awaitable[None]]


async def await_something_cancelled() -> None:
    """As a connection of a database does whose pool has been closed."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


def user(number: int) -> dict[str, Any]:
    return {"id": f"u{number}", "name": "U"}


async def generator() -> AsyncIterator[dict[str, Any]]:
    for number in range(1_000):
        if number == 500:
            await await_something_cancelled()
        yield user(number)


class Rows:
    """An iterator that is no generator."""

    def __init__(self) -> None:
        self._number = 0

    def __aiter__(self) -> Rows:
        return self

    async def __anext__(self) -> dict[str, Any]:
        self._number += 1
        if self._number == 500:
            await await_something_cancelled()
        return user(self._number)


def plain_generator() -> Iterator[dict[str, Any]]:
    yield from map(user, range(500))
    raise asyncio.CancelledError


@pytest.mark.parametrize("source", [generator, Rows, plain_generator])
@pytest.mark.parametrize("way", ["awaited", "watched", "in a task group"])
async def test_a_source_that_meets_a_cancellation_of_something_else_does_not_end_well(
    talkjs: AsyncTalkJS, journal: Path, source: Callable[[], Any], way: str
) -> None:
    job = upsert_users(talkjs, source(), journal=journal)

    with pytest.raises(RuntimeError, match="raised CancelledError, and was not cancelled"):
        await run(job, way)

    assert not job.report.complete
    assert (await upsert_users(talkjs, map(user, range(1_001)), journal=journal)).ok


async def run(job: Job, way: str) -> None:
    if way == "awaited":
        await job
    elif way == "watched":
        async with job:
            pass
    else:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(job.run)
        except ExceptionGroup as several:
            raise several.exceptions[0] from None


class Cancelled(httpx.AsyncBaseTransport):
    """Meets a cancellation once, before a request or behind it."""

    def __init__(self, inner: httpx.AsyncBaseTransport, at: int, *, behind: bool) -> None:
        self._inner = inner
        self._left = at
        self._behind = behind

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._left -= 1
        if self._left:
            return await self._inner.handle_async_request(request)
        if self._behind:
            await self._inner.handle_async_request(request)
        await await_something_cancelled()
        raise AssertionError


def texts(**more: Any) -> list[dict[str, Any]]:
    chats = [f"c{number % 12}" for number in range(120)]
    return [{"conversation_id": chat, "sender": "alice", "text": "Hi", **more} for chat in chats]


JOBS: dict[str, Callable[[AsyncTalkJS, AsyncTalkJS, Path], Job]] = {
    "upsert": lambda talkjs, _, __: upsert_users(talkjs, map(user, range(400))),
    "send": lambda talkjs, _, __: send_messages(talkjs, texts()),
    "import": lambda talkjs, _, __: import_messages(talkjs, texts(sent_at=1_600_000_000_000)),
    "export": lambda talkjs, _, folder: export(talkjs, folder / "export", reactions=True),
    "anonymise": lambda talkjs, _, __: anonymise_user(talkjs, "alice"),
    "transfer": lambda talkjs, other, _: transfer(talkjs, other),
    "restore": lambda talkjs, _, folder: restore(talkjs, folder / "backup", into_existing=True),
}


async def prepared(
    kind: str, make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, folder: Path
) -> Emulator:
    """Make what a job needs; return another app."""
    await chat(12)
    if kind in {"export", "anonymise", "transfer", "restore"}:
        await send_messages(make_talkjs(), texts())
    if kind == "restore":
        await export(make_talkjs(), folder / "backup")
    return Emulator(app_id="other", clock=emulator.clock)


@pytest.mark.parametrize(("at", "behind"), [(1, False), (2, True), (8, True)])
@pytest.mark.parametrize("kind", JOBS)
async def test_a_transport_that_meets_a_cancellation_of_something_else_is_one_that_failed(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    chat: Prepare,
    tmp_path: Path,
    kind: str,
    at: int,
    behind: bool,
) -> None:
    other = await prepared(kind, make_talkjs, emulator, chat, tmp_path)
    transport = Cancelled(emulator.transport, at, behind=behind)

    async with AsyncTalkJS(**other.options) as target:
        report = await JOBS[kind](make_talkjs(transport=transport), target, tmp_path)

    assert report.ok
    assert report.done > (100 if kind != "anonymise" else 0)
    stored = sum(commit.kind == "message.sent" for commit in emulator.commits)
    assert stored in {0, 120}


class CancelledLimiter(TokenBucket):
    """One of a user's own, which meets a cancellation once."""

    left = 0

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> Permit:
        self.left -= 1
        if self.left == 0:
            await await_something_cancelled()
        return await super().acquire(lane=lane, max_wait=max_wait)


@pytest.mark.parametrize("at", [1, 2, 4])
@pytest.mark.parametrize("kind", JOBS)
async def test_whatever_meets_a_cancellation_of_something_else_no_job_ends_well(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, tmp_path: Path, kind: str, at: int
) -> None:
    other = await prepared(kind, make_talkjs, emulator, chat, tmp_path)
    limiter, batches = (CancelledLimiter(clock=emulator.clock) for _ in range(2))
    limiter.left, batches.left = at, 1
    talkjs = make_talkjs(limiter=limiter, batch_limiter=batches)

    async with AsyncTalkJS(**other.options) as target:
        job = JOBS[kind](talkjs, target, tmp_path)
        with pytest.raises(RuntimeError, match="raised CancelledError, and was not cancelled"):
            await job

    assert not job.report.complete


@pytest.mark.parametrize("count", [5, 50])
async def test_a_batch_whose_limiter_meets_a_cancellation_has_no_result_of_nothing(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, count: int
) -> None:
    await chat(1)
    batches = CancelledLimiter(clock=emulator.clock)
    batches.left = 1
    talkjs = make_talkjs(batch_limiter=batches)

    with pytest.raises(RuntimeError, match="raised CancelledError, and was not cancelled"):
        await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * count)


async def slow_to_end() -> AsyncIterator[dict[str, Any]]:
    try:
        yield user(1)
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("way", ["awaited", "watched"])
async def test_a_job_whose_source_ends_after_it_was_cancelled_is_cancelled_all_the_same(
    talkjs: AsyncTalkJS, way: str
) -> None:
    task = asyncio.create_task(run(upsert_users(talkjs, slow_to_end()), way))
    await asyncio.sleep(0.05)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
