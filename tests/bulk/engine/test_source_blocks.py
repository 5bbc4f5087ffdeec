from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, Unauthorized
from talkjs_async.bulk import Job, Progress, upsert_users
from talkjs_async.emulator import Emulator
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


def users(count: int) -> Iterator[dict[str, Any]]:
    return ({"id": f"u{number}", "name": "x"} for number in range(count))


async def watch(job: Job) -> list[Progress]:
    async with job:
        return [progress async for progress in job]


async def test_a_list_knows_its_total(talkjs: AsyncTalkJS) -> None:
    seen = await watch(upsert_users(talkjs, list(users(300))))

    assert {300} == {progress.total for progress in seen if progress.done}


async def test_an_async_generator_is_closed_when_the_job_ends_early(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-401", on="PUT /users", nth=1)
    closed = False

    async def source() -> AsyncIterator[dict[str, Any]]:
        nonlocal closed
        try:
            for user in users(100_000):
                yield user
        finally:
            closed = True

    with pytest.raises(Unauthorized):
        await upsert_users(make_talkjs(), source())

    assert closed
