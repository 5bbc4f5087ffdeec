"""A job whose app does not exist stops at once and fails no record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ImportedMessage, Unauthorized, UnknownApp, UserMessage, bulk
from talkjs_async.bulk import Job
from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio

RECORDS = 1_000
MAY = datetime(2019, 5, 1, tzinfo=UTC)

Begin = Callable[[AsyncTalkJS, Path], Job]


def users(talkjs: AsyncTalkJS, journal: Path) -> Job:
    source = [{"id": f"u{number}", "name": "U"} for number in range(RECORDS)]
    return bulk.upsert_users(talkjs, source, journal=journal)


def conversations(talkjs: AsyncTalkJS, journal: Path) -> Job:
    source = [{"id": f"c{number}", "subject": "C"} for number in range(RECORDS)]
    return bulk.upsert_conversations(talkjs, source, journal=journal)


def messages(talkjs: AsyncTalkJS, journal: Path) -> Job:
    source: list[Any] = [
        (f"c{number % 50}", UserMessage(sender="alice", text=str(number)))
        for number in range(RECORDS)
    ]
    return bulk.send_messages(talkjs, source, journal=journal)


def imports(talkjs: AsyncTalkJS, journal: Path) -> Job:
    source: list[Any] = [
        (f"c{number % 50}", ImportedMessage(sender="alice", text=str(number), sent_at=MAY))
        for number in range(RECORDS)
    ]
    return bulk.import_messages(talkjs, source, journal=journal)


@pytest.mark.parametrize("begin", [users, conversations, messages, imports])
async def test_a_job_stops_at_once(emulator: Emulator, tmp_path: Path, begin: Begin) -> None:
    wrong = AsyncTalkJS(
        "no-such-app", emulator.secret_key, transport=emulator.transport, clock=emulator.clock
    )
    job = begin(wrong, tmp_path / "job.sqlite")
    told = emulator.switches.unknown_app == "not_found"

    with pytest.raises(UnknownApp if told else Unauthorized):
        await job

    assert (0, 0) == (job.progress.done, job.progress.failed)
    assert len(emulator.requests) <= 64
