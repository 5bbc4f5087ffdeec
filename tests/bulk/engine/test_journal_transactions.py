from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from talkjs_async.bulk._engine.job_journal import Ending, JobJournal
from talkjs_async.bulk._engine.journal_file import JobIdentity
from talkjs_async.bulk._engine.journal_schema import RecordState

pytestmark = pytest.mark.anyio

IDENTITY = JobIdentity(kind="test", app_id="app")


async def test_a_change_that_cannot_be_made_fails_for_all_who_wait_for_it(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    failures = []

    async def note(reason: str) -> None:
        try:
            await some.note([Ending(reason[:1], 1, RecordState.FAILED, reason=reason)])
        except UnicodeEncodeError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for reason in ("x", "half a surrogate pair: \ud800", "y"):
            tasks.start_soon(note, reason)
    rows = await some.look(["x", "h", "y"])
    await some.close()

    assert len(failures) + len(rows) == 3
    assert "h" not in rows
