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

    async def note(id_: str) -> None:
        try:
            await some.note([Ending(id_, 1, RecordState.FAILED)])
        except UnicodeEncodeError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for id_ in ("x", "half a surrogate pair: \ud800", "y"):
            tasks.start_soon(note, id_)
    rows = await some.look(["x", "y"])
    await some.close()

    assert len(failures) + len(rows) == 3


async def test_a_reason_that_quotes_half_a_surrogate_pair_is_noted_escaped(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)

    await some.note([Ending("a", 1, RecordState.FAILED, reason="'\ud800' is no name.")])

    assert r"'\ud800' is no name." == (await some.look(["a"]))["a"].reason
    await some.close()
