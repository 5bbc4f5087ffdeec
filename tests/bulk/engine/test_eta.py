from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from talkjs_async import AsyncTalkJS, TokenBucket
from talkjs_async.bulk import Job, Progress, upsert_conversations, upsert_users
from talkjs_async.emulator import Emulator
from talkjs_async.limits import Budget
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


def users(count: int) -> Iterator[dict[str, Any]]:
    return ({"id": f"u{number}", "name": "x"} for number in range(count))


def conversations(count: int) -> Iterator[dict[str, Any]]:
    return ({"id": f"c{number}"} for number in range(count))


async def watch(job: Job) -> list[Progress]:
    async with job:
        return [progress async for progress in job]


class AtRest(TokenBucket):
    """A limiter that says that it lets nothing go for now, as one may whose store is away."""

    def statistics(self) -> Budget:
        return attrs.evolve(super().statistics(), tokens=0.0, effective_rate=0.0)


async def test_the_time_left_is_unknown_while_no_request_may_go(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(limiter=AtRest(clock=emulator.clock))

    seen = await watch(upsert_users(talkjs, users(200), total=200))

    assert {math.inf} == {one.budget_wait for one in seen}
    assert seen[0].eta is None
    assert (200, 0.0) == (seen[-1].done, seen[-1].eta)


async def test_the_time_left_is_computed_from_the_budget(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs()
    job = upsert_conversations(talkjs, conversations(1_000), total=1_000, lane="interactive")
    clock = emulator.clock

    async with job:
        ends = [
            clock.monotonic() + progress.eta
            async for progress in job
            # The burst is used up, and something is left to do.
            if progress.eta and progress.budget_wait
        ]

    mistakes = [end - (1_000 - 600) / 9 for end in ends]
    assert mistakes
    assert max(map(abs, mistakes)) < 1.0
    assert 0.0 == job.progress.eta


async def test_the_time_left_is_unknown_without_a_total(talkjs: AsyncTalkJS) -> None:
    seen = await watch(upsert_users(talkjs, users(300)))

    assert {None} == {progress.eta for progress in seen}
