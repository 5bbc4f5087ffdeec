# ruff: noqa: ASYNC240 - a test may wait for its disk
from __future__ import annotations

import random
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from talkjs_async import ConfigurationError, TalkJSError
from talkjs_async.bulk import StorageError
from talkjs_async.bulk._engine.job_journal import Ending, JobJournal, read_records
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


async def filled(journal: Path, count: int = 1_000) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    await some.note(
        [Ending(f"record {n}", n, RecordState.DONE, b"x" * 16, f"msg_{n}") for n in range(count)]
    )
    await some.close()


def test_a_journal_and_its_log_are_for_their_owner_only(journal: Path) -> None:
    some = anyio.run(JobJournal.open, journal, IDENTITY)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in journal.parent.iterdir()}
    anyio.run(some.close)

    assert {"journal": 0o600, "journal-wal": 0o600} == modes


async def test_a_started_journal_without_its_log_is_refused(tmp_path: Path) -> None:
    journal, copy = tmp_path / "journal", tmp_path / "copy"
    some = await JobJournal.open(journal, IDENTITY)
    await some.note([Ending("a", 1, RecordState.DONE, b"x")])

    shutil.copy(journal, copy)
    with pytest.raises(StorageError, match="copy-wal, which belongs to it and is not there"):
        await JobJournal.open(copy, IDENTITY)
    with pytest.raises(StorageError, match="is not there"):
        await JobJournal.open(copy, IDENTITY)
    shutil.copy(journal, copy)
    shutil.copy(f"{journal}-wal", f"{copy}-wal")
    both = await JobJournal.open(copy, IDENTITY)

    assert (2, ["a"]) == (both.number_of_pass, list(await both.look(["a"])))
    await both.close()
    await some.close()


async def test_an_ended_journal_is_one_file(tmp_path: Path) -> None:
    journal, copy = tmp_path / "journal", tmp_path / "copy"
    await filled(journal, 1)

    assert ["journal"] == [path.name for path in tmp_path.iterdir()]
    shutil.copy(journal, copy)
    some = await JobJournal.open(copy, IDENTITY)
    assert ["record 0"] == list(await some.look(["record 0"]))
    await some.close()


async def test_an_empty_file_is_not_taken_for_a_new_journal(journal: Path) -> None:
    journal.touch()

    with pytest.raises(ConfigurationError, match="is empty, which a journal never is"):
        await JobJournal.open(journal, IDENTITY)


async def test_a_journal_that_vanishes_while_it_is_used_is_missed(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    await some.check_present()

    journal.rename(journal.with_name("elsewhere"))
    with pytest.raises(StorageError, match="deleted or replaced while the job was running"):
        await some.check_present()
    journal.write_bytes(b"")
    with pytest.raises(StorageError, match="deleted or replaced"):
        await some.check_present()
    await some.close()


async def test_a_flipped_byte_is_found_or_changes_nothing_else(journal: Path) -> None:
    await filled(journal)
    whole = journal.read_bytes()
    flips = random.Random(0)
    errors: list[TalkJSError] = []

    for _ in range(300):
        damaged = bytearray(whole)
        damaged[flips.randrange(len(damaged))] ^= flips.randrange(1, 256)
        journal.write_bytes(damaged)
        for log in ("-wal", "-shm"):
            journal.with_name(f"journal{log}").unlink(missing_ok=True)
        try:
            some = await JobJournal.open(journal, IDENTITY)
            try:
                await some.look([f"record {n}" for n in range(1_000)])
            finally:
                await some.close()
            list(read_records(journal, "1", ()))
        except (StorageError, ConfigurationError) as error:
            errors.append(error)

    found = [error for error in errors if isinstance(error, StorageError)]
    assert len(found) > 20
    assert {True} == {error.damaged for error in found}
    assert not [error for error in errors if "Nothing is lost" in str(error)]
    assert not [error for error in errors if "in use" in str(error)]
