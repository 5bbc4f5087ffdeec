from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import attrs
import pytest

from talkjs_async import AsyncTalkJS, Lane, RetryPolicy, TokenBucket
from talkjs_async.bulk import Job, Progress, import_messages, upsert_conversations, upsert_users
from talkjs_async.emulator import Emulator, Limits
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


@pytest.fixture
async def chats(make_talkjs: MakeTalkJS, emulator: Emulator) -> int:
    """Make conversations of alice, without limits."""
    count = 300
    limits, emulator.limits = emulator.limits, Limits.off()
    talkjs = make_talkjs(limiter=TokenBucket(1e6, 10**6, clock=emulator.clock))
    await talkjs.users.upsert("alice", name="Alice")
    await upsert_conversations(
        talkjs, ({"id": f"c{n}", "participants": ["alice"]} for n in range(count))
    )
    emulator.limits = limits
    return count


def old_messages(count: int, chats: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        conversation = f"c{number * chats // count}"
        yield {"conversation_id": conversation, "sender": "alice", "text": "x",
               "sent_at": 1_600_000_000_000 + number}  # fmt: skip


@pytest.mark.harness
@pytest.mark.parametrize("rules", ["current", "older"])
async def test_the_time_left_knows_how_many_records_requests_turn_out_to_carry(
    make_talkjs: MakeTalkJS, emulator: Emulator, chats: int, rules: Any
) -> None:
    emulator.switches.import_rules = rules
    clock = emulator.clock
    bucket = TokenBucket(rate=9.0, burst=10, background_reserve=0, clock=clock)
    job = import_messages(
        make_talkjs(limiter=bucket), old_messages(9_000, chats), total=9_000, lane="interactive"
    )

    async with job:
        guesses = [
            (clock.monotonic(), progress.eta)
            async for progress in job
            if progress.eta and progress.done > 3_000
        ]

    end = clock.monotonic()
    assert guesses
    assert all(abs(end - at - guess) < 1.0 for at, guess in guesses)


async def test_an_import_with_overflow_uses_both_budgets(
    make_talkjs: MakeTalkJS, emulator: Emulator, chats: int
) -> None:
    clock = emulator.clock
    talkjs = make_talkjs(
        overflow_to_batch=True,
        limiter=TokenBucket(rate=9.0, burst=10, clock=clock),
        batch_limiter=TokenBucket(rate=1.0, burst=1, clock=clock),
    )

    report = await import_messages(talkjs, old_messages(chats, chats), lane="interactive")

    # A request for each conversation, of which 20 leave at once, and 19 per second.
    assert report.ok
    assert report.seconds < 1.05 * (chats - 20) / 19


class _Constellation(TypedDict, total=False):
    tokens: int
    overflow: bool
    batch_tokens: int
    seconds: float
    lane: Lane
    count: int
    before: int


CONSTELLATIONS: dict[str, _Constellation] = {
    "burst full": {},
    "burst empty": {"tokens": 0},
    "background, burst half": {"tokens": 300, "lane": "background"},
    "overflow": {"overflow": True, "count": 2_000, "batch_tokens": 100},
    "overflow, all empty": {"tokens": 0, "overflow": True},
    "slow answers": {"seconds": 4.0, "count": 300},
    "slow answers, burst empty": {"tokens": 0, "seconds": 4.0, "count": 500},
    "resumed": {"tokens": 0, "before": 400},
    "resumed, slow answers": {"seconds": 4.0, "before": 100, "count": 300},
}


@pytest.mark.harness
@pytest.mark.parametrize("name", CONSTELLATIONS)
async def test_the_time_left_is_right_all_the_time(
    make_talkjs: MakeTalkJS, emulator: Emulator, journal: Path, name: str
) -> None:
    wanted = CONSTELLATIONS[name]
    count, clock = wanted.get("count", 1_000), emulator.clock
    talkjs = await with_tokens(make_talkjs, emulator, wanted)
    half = wanted.get("seconds", 0.1) / 2
    emulator.latency = lambda _: (half, half)
    lane = wanted.get("lane", "interactive")

    def begin() -> Job:
        return upsert_conversations(
            talkjs, conversations(count), total=count, lane=lane, journal=journal
        )

    if before := wanted.get("before"):
        async with begin() as first:
            async for progress in first:
                if progress.done >= before:
                    first.stop()
    start = clock.monotonic()
    async with begin() as job:
        seen = [(clock.monotonic() - start, progress.eta) async for progress in job]

    end = clock.monotonic() - start
    guesses = [(at, eta) for at, eta in seen if eta is not None and 0.1 * end < at < 0.9 * end]
    assert guesses
    wrong = [(at, eta) for at, eta in guesses if abs(at + eta - end) > 0.2 * (end - at) + 0.2]
    assert [] == wrong, end
    # The end that is foreseen is right to a tenth of the whole, at the end, too.
    ends = [at + eta for at, eta in seen if eta is not None and at > 0.1 * end]
    assert all(abs(one - end) < 0.1 * end for one in ends)


async def with_tokens(
    make_talkjs: MakeTalkJS, emulator: Emulator, wanted: _Constellation
) -> AsyncTalkJS:
    """Make a client whose budgets have so many tokens left."""
    ordinary = TokenBucket(clock=emulator.clock)
    batch = TokenBucket(1.0, wanted.get("batch_tokens", 5), clock=emulator.clock)
    for _ in range(600 - wanted.get("tokens", 600)):
        (await ordinary.acquire()).settle()
    if not wanted.get("overflow"):
        return make_talkjs(limiter=ordinary)
    return make_talkjs(limiter=ordinary, batch_limiter=batch, overflow_to_batch=True)


@pytest.mark.harness
@pytest.mark.parametrize("count", [120, 400])
async def test_the_last_answers_take_as_long_as_the_unluckiest_request(
    make_talkjs: MakeTalkJS, emulator: Emulator, count: int
) -> None:
    emulator.latency = lambda _: (2.0, 2.0)
    emulator.faults.add("return-503", on="PUT /conversations/*", p=0.3)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=30, base_delay=0.1, max_delay=0.1))
    job = upsert_conversations(talkjs, conversations(count), total=count)
    clock = emulator.clock

    async with job:
        seen = [(clock.monotonic(), progress.eta) async for progress in job]

    end = seen[-1][0]
    # The last two or three answers are a matter of luck.
    factors = [eta / (end - at) for at, eta in seen if eta and end / 10 < at < end - 10.0]
    assert 0.5 < min(factors)
    assert max(factors) < 2.0
    assert all(abs(at + eta - end) < 0.15 * end for at, eta in seen if eta and at > end / 10)
