"""Ctrl-C on trio, which raises KeyboardInterrupt between any two instructions if it may."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio

from talkjs_async import AsyncTalkJS
from talkjs_async.bulk import upsert_users
from talkjs_async.emulator import Emulator, Limits
from tests.bulk.test_stray_cancellation import JOBS, prepared
from tests.fixtures import MakeTalkJS

Prepare = Callable[[int], Awaitable[None]]

on_trio = pytest.mark.parametrize("anyio_backend", ["trio"])


class Watched(httpx.AsyncBaseTransport):
    """Notes whether Ctrl-C would be raised in the middle of what sends requests."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.protected: list[bool] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.protected.append(trio.lowlevel.currently_ki_protected())
        return await self._inner.handle_async_request(request)


@on_trio
@pytest.mark.anyio
@pytest.mark.parametrize("kind", JOBS)
async def test_every_task_of_a_job_lets_ctrl_c_wait_for_an_await(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, tmp_path: Path, kind: str
) -> None:
    other = await prepared(kind, make_talkjs, emulator, chat, tmp_path)
    transport = Watched(emulator.transport)

    async with AsyncTalkJS(**other.options) as target:
        report = await JOBS[kind](make_talkjs(transport=transport), target, tmp_path)

    assert report.ok
    assert transport.protected
    assert all(transport.protected)


def in_loop(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in records:
        signal.raise_signal(signal.SIGINT)
        yield record


async def in_task(records: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for record in in_loop(records):
        yield record


@pytest.mark.parametrize("source", [in_loop, in_task])
def test_ctrl_c_ends_a_job_where_it_waits_and_the_next_run_does_the_rest(
    journal: Path, source: Callable[[list[dict[str, Any]]], Any]
) -> None:
    emulator = Emulator(limits=Limits.off())
    records = [{"id": f"u{number}", "name": "U"} for number in range(30)]

    async def sync(source: Any) -> None:
        async with AsyncTalkJS(**emulator.options) as talkjs:
            assert (await upsert_users(talkjs, source, journal=journal)).ok

    with pytest.raises(KeyboardInterrupt):
        anyio.run(sync, source(records), backend="trio")
    anyio.run(sync, records, backend="trio")

    assert 30 == sum(commit.kind == "user.created" for commit in emulator.commits)
