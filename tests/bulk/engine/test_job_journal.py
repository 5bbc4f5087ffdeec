from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, TalkJSError
from talkjs_async.bulk import StorageError, upsert_users
from talkjs_async.bulk._engine.job_journal import Ending, JobJournal, Sending, read_records
from talkjs_async.bulk._engine.journal_file import JobIdentity
from talkjs_async.bulk._engine.journal_schema import SCHEMA, RecordState

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
    assert {b"mark": 1, b"x": 0} == await second.stored("c", [b"mark", b"x"])
    assert {"msg_b"} == await second.results("c")
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


async def test_two_jobs_cannot_share_a_journal(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)

    with pytest.raises(ConfigurationError, match=f"journal: {journal} is in use by another job"):
        await JobJournal.open(journal, IDENTITY)
    with pytest.raises(ConfigurationError, match="in use"):
        list(read_records(journal, "1", ()))

    await some.close()


def test_two_processes_cannot_share_a_journal(journal: Path) -> None:
    some = anyio.run(JobJournal.open, journal, IDENTITY)
    program = f"""
import anyio
from pathlib import Path
from talkjs_async.bulk._engine.journal_file import JobIdentity
from talkjs_async.bulk._engine.job_journal import JobJournal
anyio.run(JobJournal.open, Path({str(journal)!r}), JobIdentity(kind="test", app_id="app"))
"""

    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert f"ConfigurationError: journal: {journal} is in use by another job." in other.stderr
    anyio.run(some.close)


@pytest.mark.parametrize(
    ("identity", "sentence"),
    [
        (JobIdentity(kind="other", app_id="app"), "belongs to the job 'test', not 'other'"),
        (JobIdentity(kind="test", app_id="other"), "belongs to the app 'app', not 'other'"),
        (
            JobIdentity(kind="test", app_id="app", job_id="x"),
            "belongs to the job ID 'mine', not 'x'",
        ),
    ],
)
async def test_the_journal_of_another_job_is_refused(
    journal: Path, identity: JobIdentity, sentence: str
) -> None:
    await (
        await JobJournal.open(journal, JobIdentity(kind="test", app_id="app", job_id="mine"))
    ).close()

    with pytest.raises(ConfigurationError, match=sentence):
        await JobJournal.open(journal, identity)


def opened(journal: Path) -> None:
    async def main() -> None:
        await (await JobJournal.open(journal, IDENTITY)).close()

    anyio.run(main)


def test_a_newer_schema_is_refused_and_left_alone(journal: Path) -> None:
    opened(journal)
    with closing(sqlite3.connect(journal)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    before = journal.read_bytes()

    with pytest.raises(ConfigurationError, match="written by a newer talkjs-async"):
        opened(journal)

    assert before == journal.read_bytes()


def test_a_file_that_is_no_journal_is_refused_and_left_alone(journal: Path) -> None:
    for content in (b"id,name\n" * 1_000, b"x"):
        journal.write_bytes(content)

        with pytest.raises(ConfigurationError, match="is not a journal"):
            opened(journal)

        assert content == journal.read_bytes()


def test_a_database_of_another_program_is_refused_and_left_alone(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as database:
        database.execute("CREATE TABLE job (mine TEXT)")
    before = journal.read_bytes()

    with pytest.raises(ConfigurationError, match="an SQLite file of another program"):
        opened(journal)

    assert before == journal.read_bytes()


async def test_a_directory_that_does_not_exist_or_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{tmp_path} is a directory"):
        await JobJournal.open(tmp_path, IDENTITY)
    with pytest.raises(ConfigurationError, match="nowhere does not exist"):
        await JobJournal.open(tmp_path / "nowhere" / "journal", IDENTITY)


def test_a_damaged_journal_is_a_storage_error(journal: Path) -> None:
    async def fill() -> None:
        some = await JobJournal.open(journal, IDENTITY)
        await some.note([Ending(str(n), n, RecordState.DONE, b"x" * 16) for n in range(1_000)])
        await some.close()

    anyio.run(fill)
    content = bytearray(journal.read_bytes())
    content[4_096:40_960] = b"\xff" * 36_864
    journal.write_bytes(content)

    with pytest.raises(StorageError) as caught:
        opened(journal)

    assert (str(journal), True) == (caught.value.path, caught.value.damaged)
    assert "Get it from a backup" in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are a thing of Unix")
async def test_a_full_disk_stops_the_job_and_loses_nothing(
    talkjs: AsyncTalkJS, journal: Path
) -> None:
    users = [{"id": f"u{number}", "name": "x" * 50} for number in range(3_000)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal for it, so that writing beyond fails as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        with pytest.raises(StorageError, match="run the job again"):
            await upsert_users(talkjs, users, journal=journal)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    report = await upsert_users(talkjs, users, journal=journal)

    assert (True, 3_000) == (report.ok, report.done)


async def test_a_temporary_journal_goes_with_its_report(talkjs: AsyncTalkJS) -> None:
    report = await upsert_users(talkjs, [{"id": "a", "name": "A"}])
    file = report._file

    there = file is not None and file.exists()
    assert ["a"] == [record.id for record in report.records()]
    del report

    assert (True, False) == (there, file is not None and file.exists())


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


def test_a_storage_error_is_one_of_ours() -> None:
    assert issubclass(StorageError, TalkJSError)
