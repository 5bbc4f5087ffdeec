from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from talkjs_async import ConfigurationError
from talkjs_async.bulk import StorageError
from talkjs_async.bulk._engine.job_journal import Ending, JobJournal
from talkjs_async.bulk._engine.journal_file import JobIdentity
from talkjs_async.bulk._engine.journal_schema import SCHEMA, RecordState

pytestmark = pytest.mark.anyio

IDENTITY = JobIdentity(kind="test", app_id="app")


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
