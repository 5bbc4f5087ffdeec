from __future__ import annotations

import sys
import threading
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, TalkJSError
from talkjs_async.bulk import StorageError, upsert_users
from talkjs_async.bulk._engine.job_journal import (
    Ending,
    JobJournal,
    Sending,
    StoredRecord,
    read_records,
)
from talkjs_async.bulk._engine.journal_file import JobIdentity
from talkjs_async.bulk._engine.journal_schema import RecordState
from tests.full_disk import no_file_beyond

pytestmark = pytest.mark.anyio

IDENTITY = JobIdentity(kind="test", app_id="app")


async def test_what_was_noted_is_there_the_next_time(journal: Path) -> None:
    first = await JobJournal.open(journal, IDENTITY)
    await first.sent([Sending("a", 1, b"1"), Sending("b", 2, b"2", b"mark")], at=5.0, to="c")
    await first.note([Ending("b", 2, RecordState.DONE, b"2", result="msg_b")])
    await first.move({"page": 7})
    await first.close()

    second = await JobJournal.open(journal, IDENTITY)

    rows = await second.look(["a", "b", "c"])
    assert {"a": RecordState.SENT, "b": RecordState.DONE} == {
        id_: row.state for id_, row in rows.items()
    }
    assert (5.0, b"1", 1) == (rows["a"].sent_at, rows["a"].digest, rows["a"].made_in)
    assert ({"page": 7}, 2, 1) == (second.place, second.number_of_pass, second.first_pass)
    stored = [StoredRecord("msg_b", b"2")]
    assert {b"mark": stored, b"x": []} == await second.stored("c", [b"mark", b"x"])
    assert stored == await second.stored_in("c")
    assert first.job_id == second.job_id
    await second.close()


async def test_the_first_time_of_sending_is_kept_until_there_is_an_answer(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    for at in (1.0, 2.0):
        await some.sent([Sending("a", 1, b"")], at=at, to="c")
    first = (await some.look(["a"]))["a"].sent_at
    await some.note([Ending("a", 1, RecordState.FAILED, reason="no")])
    await some.sent([Sending("a", 1, b"")], at=3.0, to="c")

    assert (1.0, 3.0) == (first, (await some.look(["a"]))["a"].sent_at)
    await some.close()


async def test_a_run_after_a_complete_one_is_a_new_run(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    await some.finish()
    await some.close()

    again = await JobJournal.open(journal, IDENTITY)
    await again.close()
    interrupted = await JobJournal.open(journal, IDENTITY)
    await interrupted.close()

    assert (2, 2) == (again.number_of_pass, again.first_pass)
    assert (3, 2) == (interrupted.number_of_pass, interrupted.first_pass)


async def test_what_ends_a_complete_run_is_done_before_the_next_one_opens_the_file(
    journal: Path,
) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    may_end = threading.Event()
    opened: list[JobJournal] = []

    def remove() -> None:
        may_end.wait(10)
        journal.unlink()

    async def open_again() -> None:
        opened.append(await JobJournal.open(journal, IDENTITY))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(some.close, remove)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(open_again)
        await anyio.wait_all_tasks_blocked()
        may_end.set()

    # A file of its own, which stays.
    assert 1 == opened[0].number_of_pass
    await opened[0].check_present()
    await opened[0].close()


async def test_two_jobs_cannot_share_a_journal(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)

    with pytest.raises(ConfigurationError, match=f"journal: {journal} is in use by another job"):
        await JobJournal.open(journal, IDENTITY)
    with pytest.raises(ConfigurationError, match="in use"):
        list(read_records(journal, "1", ()))

    await some.close()


on_unix = pytest.mark.skipif(sys.platform == "win32", reason="limits of files are a thing of Unix")


@on_unix
async def test_a_full_disk_stops_the_job_and_loses_nothing(
    talkjs: AsyncTalkJS, journal: Path
) -> None:
    users = [{"id": f"u{number}", "name": "x" * 50} for number in range(3_000)]
    with no_file_beyond(60_000), pytest.raises(StorageError, match="run the job again"):
        await upsert_users(talkjs, users, journal=journal)

    report = await upsert_users(talkjs, users, journal=journal)

    assert (True, 3_000) == (report.ok, report.done)


@on_unix
@pytest.mark.parametrize("at_once", [3, 100])
@pytest.mark.parametrize("size", range(2_000, 110_000, 4_000))
async def test_wherever_the_disk_is_full_the_journal_opens_again(
    journal: Path, size: int, at_once: int
) -> None:
    noted = 0
    with no_file_beyond(size), suppress(StorageError):
        some = await JobJournal.open(journal, IDENTITY)
        with suppress(StorageError):
            for begin in range(0, 1_400, at_once):
                numbers = range(begin, begin + at_once)
                await some.note(
                    [Ending(f"record {n}", n, RecordState.DONE, b"x" * 32) for n in numbers]
                )
                noted = begin + at_once
        await some.close()

    again = await JobJournal.open(journal, IDENTITY)
    rows = await again.look([f"record {n}" for n in range(1_400)])
    await again.close()

    assert {f"record {n}" for n in range(noted)} <= set(rows)
    assert len(rows) <= noted + at_once


async def test_a_temporary_journal_goes_with_its_report(talkjs: AsyncTalkJS) -> None:
    report = await upsert_users(talkjs, [{"id": "a", "name": "A"}])
    file = report._file

    there = file is not None and file.exists()
    assert ["a"] == [record.id for record in report.records()]
    del report

    assert (True, False) == (there, file is not None and file.exists())


def test_a_storage_error_is_one_of_ours() -> None:
    assert issubclass(StorageError, TalkJSError)
