# ruff: noqa: ASYNC240 - a test may wait for its disk
"""A dry run says what a job would do, and does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, OutcomeUnknown, RetryPolicy, TokenBucket
from talkjs_async.bulk import (
    Job,
    export,
    import_messages,
    restore,
    send_messages,
    upsert_conversations,
    upsert_users,
)
from talkjs_async.bulk._engine.job_journal import JobJournal
from talkjs_async.bulk._engine.journal_file import JobIdentity
from talkjs_async.emulator import Emulator, Limits
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

Prepare = Callable[[int], Awaitable[None]]

USERS = [{"id": f"u{n}", "name": "x"} for n in range(1_050)]
CHATS = [{"id": f"d{n}"} for n in range(30)]
MESSAGES = [{"conversation_id": f"c{n % 3}", "sender": "alice", "text": f"{n}"} for n in range(100)]
OLD = [{**message, "timestamp": 1_700_000_000_000} for message in MESSAGES]

JOBS: dict[str, tuple[Callable[..., Job], list[dict[str, Any]], int]] = {
    "users": (upsert_users, USERS, 11),
    "conversations": (upsert_conversations, CHATS, 30),
    "messages": (send_messages, MESSAGES, 12),
    "imports": (import_messages, OLD, 3),
}


@pytest.mark.parametrize("name", JOBS)
async def test_it_says_what_would_be_sent_with_how_many_requests(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, journal: Path, name: str
) -> None:
    await chat(3)
    make, source, requests = JOBS[name]
    before = len(emulator.commits)

    plan = await make(talkjs, source, journal=journal, dry_run=True)
    nothing = len(emulator.commits) - before
    report = await make(talkjs, source, journal=journal)

    assert (0, len(source), 0) == (nothing, plan.planned, plan.requests)
    assert (0, len(source)) == (plan.done, report.done)
    assert requests == plan.planned_requests == report.requests
    assert len(source) == len(list(plan.records("planned")))
    assert 0 == report.planned_requests
    assert plan.ok


async def test_it_says_how_long_the_budget_makes_it_take(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    bucket = TokenBucket(rate=9.0, burst=10, background_reserve=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=bucket)

    plan = await upsert_conversations(talkjs, CHATS, dry_run=True)
    report = await upsert_conversations(talkjs, CHATS)

    assert pytest.approx((30 - 10) / 9, rel=0.01) == plan.planned_seconds
    assert pytest.approx(plan.planned_seconds, rel=0.1) == report.seconds


async def test_it_knows_what_an_earlier_run_has_sent_and_leaves_its_journal_alone(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, journal: Path
) -> None:
    await chat(3)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    fault = emulator.faults.add("drop-after-commit", on="POST /conversations/c1/messages", nth=1)
    with pytest.raises(OutcomeUnknown):
        await send_messages(talkjs, MESSAGES, journal=journal)
    emulator.faults.remove(fault)
    before = journal.read_bytes()

    plan = await send_messages(talkjs, MESSAGES, journal=journal, dry_run=True)
    after = journal.read_bytes()
    report = await send_messages(talkjs, MESSAGES, journal=journal)

    assert before == after
    assert 0 < plan.planned + plan.unknown <= 100
    assert (True, 100) == (report.ok, report.done)
    texts = [commit.text for commit in emulator.commits.of("message.sent")]
    assert (100, 100) == (len(texts), len(set(texts)))


async def test_a_journal_that_is_in_use_is_not_copied(talkjs: AsyncTalkJS, journal: Path) -> None:
    identity = JobIdentity(kind="upsert_users", app_id="emulator")
    some = await JobJournal.open(journal, identity)

    with pytest.raises(ConfigurationError, match="is in use by another job"):
        await upsert_users(talkjs, USERS, journal=journal, dry_run=True)

    await some.close()


async def test_bad_records_fail_in_a_dry_run_too(talkjs: AsyncTalkJS) -> None:
    plan = await upsert_users(talkjs, [*USERS, {"id": "bad", "nmae": "x"}], dry_run=True)

    assert (1_050, 1, False) == (plan.planned, plan.failed, plan.ok)


async def test_a_slow_source_sends_nothing_in_a_dry_run_either(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    async def slowly() -> AsyncIterator[dict[str, Any]]:
        for user in USERS[:5]:
            await emulator.clock.sleep(1.0)
            yield user

    plan = await upsert_users(talkjs, slowly(), dry_run=True)

    assert (5, 1, []) == (plan.planned, plan.planned_requests, list(emulator.commits))


async def test_a_restore_can_be_planned(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, tmp_path: Path
) -> None:
    await chat(3)
    await import_messages(talkjs, OLD)
    await export(talkjs, tmp_path / "export")
    other = Emulator(limits=Limits.off())
    async with AsyncTalkJS(
        "emulator", "sk_test_emulator", transport=other.transport, clock=other.clock
    ) as target:
        plan = await restore(target, tmp_path / "export", dry_run=True)

    assert (2 + 3 + 100, 1 + 3 + 3) == (plan.planned, plan.planned_requests)
    assert 0 == len(other.commits)


async def test_an_export_can_be_planned(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, tmp_path: Path
) -> None:
    await chat(70)

    plan = await export(talkjs, tmp_path / "export", dry_run=True)
    there = (tmp_path / "export").exists()
    report = await export(talkjs, tmp_path / "export")

    assert (72, 0, False) == (plan.planned, plan.done, there)
    assert plan.planned_requests == report.requests
    assert 1 + 3 == plan.requests
