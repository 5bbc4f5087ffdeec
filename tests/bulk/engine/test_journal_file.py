# ruff: noqa: ASYNC240 - a test may wait for its disk
from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from talkjs_async import ConfigurationError, TalkJSError
from talkjs_async.bulk import StorageError
from talkjs_async.bulk._engine.job_journal import Ending, JobJournal, is_latest_run, read_records
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
    with pytest.raises(StorageError, match="its log copy-wal, which is missing or incomplete"):
        await JobJournal.open(copy, IDENTITY)
    with pytest.raises(StorageError, match="is missing or incomplete"):
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


@pytest.mark.harness
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


def _cut_log(size: int) -> Callable[[bytes], bytes]:
    return lambda log: log[:size]


LOGS: dict[str, Callable[[bytes], bytes]] = {
    "empty": _cut_log(0),
    "half a header": _cut_log(20),
    "a header": _cut_log(32),
    "half a page": _cut_log(2_000),
    "something else": lambda log: bytes(len(log)),
    "another magic": lambda log: bytes([log[0] ^ 1]) + log[1:],
    "a page of another log": lambda log: log[:40] + bytes(8) + log[48:],
}


@pytest.mark.parametrize("damage", LOGS.values(), ids=LOGS.keys())
async def test_a_started_journal_with_no_whole_log_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    journal, copy = tmp_path / "journal", tmp_path / "copy"
    some = await JobJournal.open(journal, IDENTITY)
    await some.note([Ending("a", 1, RecordState.DONE, b"x")])
    shutil.copy(journal, copy)
    copy.with_name("copy-wal").write_bytes(damage(journal.with_name("journal-wal").read_bytes()))

    with pytest.raises(StorageError, match="is missing or incomplete: copy or move both"):
        await JobJournal.open(copy, IDENTITY)
    await some.close()


async def test_a_run_that_is_killed_while_its_log_begins_anew_goes_on(tmp_path: Path) -> None:
    journal, copy = tmp_path / "journal", tmp_path / "copy"
    some = await JobJournal.open(journal, IDENTITY)
    log = journal.with_name("journal-wal")
    before, main = log.read_bytes(), journal.read_bytes()

    await some.note([Ending("a", 1, RecordState.DONE, b"x")])
    # The header is written first, and then page by page.
    header = log.read_bytes()[:32]
    assert before[:32] != header
    copy.write_bytes(main)
    copy.with_name("copy-wal").write_bytes(header + before[32:])
    again = await JobJournal.open(copy, IDENTITY)

    assert (2, []) == (again.number_of_pass, list(await again.look(["a"])))
    await again.close()
    await some.close()


async def test_a_log_without_its_journal_is_not_taken_for_nothing(tmp_path: Path) -> None:
    journal, copy = tmp_path / "journal", tmp_path / "copy"
    some = await JobJournal.open(journal, IDENTITY)
    shutil.copy(f"{journal}-wal", f"{copy}-wal")

    for is_copy in (False, True):
        with pytest.raises(StorageError, match="it is missing, but its log copy-wal is there"):
            await JobJournal.open(copy, IDENTITY, copy=is_copy)
    assert not copy.exists()
    # An empty one says nothing of a job.
    copy.with_name("copy-wal").write_bytes(b"")
    await (await JobJournal.open(copy, IDENTITY)).close()
    await some.close()


async def test_reading_a_journal_leaves_no_other_file_beside_it(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    await filled(journal, 10)

    assert 10 == len(list(read_records(journal, "1", ())))
    assert is_latest_run(journal, 1) is False
    assert ["journal"] == [path.name for path in tmp_path.iterdir()]
    copy = await JobJournal.open(journal, IDENTITY, copy=True)
    assert ["journal"] == [path.name for path in tmp_path.iterdir()]
    await copy.close()


async def test_reading_the_journal_of_a_killed_run_takes_nothing_from_it(tmp_path: Path) -> None:
    journal, copy = tmp_path / "journal", tmp_path / "copy"
    some = await JobJournal.open(journal, IDENTITY)
    await some.note([Ending("a", 1, RecordState.DONE, b"x")])
    for log in ("", "-wal"):
        shutil.copy(f"{journal}{log}", f"{copy}{log}")

    with pytest.raises(ConfigurationError, match="in use"):
        list(read_records(journal, "1", ()))
    assert ["a"] == [row.id for row in read_records(copy, "1", ())]
    again = await JobJournal.open(copy, IDENTITY)
    assert ["a"] == list(await again.rows(["a"]))
    await again.close()
    await some.close()


@pytest.mark.parametrize("size", [16, 50, 100, 600, 4_095, 4_096, 5_000, 9_000])
async def test_a_journal_that_was_cut_off_is_damaged(journal: Path, size: int) -> None:
    await filled(journal)
    content = journal.read_bytes()
    journal.write_bytes(content[:size])

    with pytest.raises(StorageError) as caught:
        await JobJournal.open(journal, IDENTITY)
    assert caught.value.damaged


@pytest.mark.skipif(sys.platform == "win32", reason="pipes with a name are a thing of Unix")
async def test_a_pipe_or_a_device_is_no_journal_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "journal")

    for path in (tmp_path / "journal", Path("/dev/null")):
        with pytest.raises(ConfigurationError, match="is a pipe or a device: name a file"):
            await JobJournal.open(path, IDENTITY)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM job",
        "INSERT INTO job SELECT * FROM job",
        "UPDATE job SET pass = 'x'",
        "UPDATE job SET pass = 9223372036854775807",
        "UPDATE job SET first_pass = 99",
        "UPDATE job SET first_pass = 0",
        "UPDATE job SET complete = 'x'",
        "UPDATE job SET complete = 7",
        "UPDATE job SET job_id = x'00'",
        "UPDATE job SET place = 'null'",
        "UPDATE job SET place = 5",
        "UPDATE job SET place = ''",
        """UPDATE job SET place = replace(place, '7', '8')""",
        """UPDATE job SET place = replace(place, 'page', 'pagf')""",
    ],
)
async def test_what_no_job_has_written_of_itself_is_damage(journal: Path, statement: str) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    await some.move({"page": 7})
    await some.close()
    with closing(sqlite3.connect(journal)) as database, database:
        database.execute(statement)

    with pytest.raises(StorageError) as caught:
        await JobJournal.open(journal, IDENTITY)
    assert caught.value.damaged


async def test_no_record_has_a_name_with_half_a_surrogate_pair(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    await some.note([Ending("a", 1, RecordState.DONE, b"x")])

    for find in (some.rows, some.look):
        assert ["a"] == list(await find(["\ud83d", "a"]))
    await some.close()


async def test_without_a_place_for_temporary_files_it_says_which_variable_names_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))

    with pytest.raises(StorageError, match="TMPDIR"):
        await JobJournal.open(None, IDENTITY)


async def test_a_journal_that_lost_the_end_of_its_last_page_is_damaged(journal: Path) -> None:
    """SQLite reads zeros there, so that a record would be another one and be sent again."""
    some = await JobJournal.open(journal, IDENTITY)
    records = [Ending(f"user-{n}", n, RecordState.DONE, b"x") for n in range(1_500)]
    await some.note(records)
    await some.close()
    whole = journal.read_bytes()

    for cut in (1, 2, 100, 1_000, 4_095, 4_096, 10_000):
        journal.write_bytes(whole[:-cut])
        with pytest.raises(StorageError, match="it is cut off") as caught:
            await JobJournal.open(journal, IDENTITY)
        assert caught.value.damaged

    journal.write_bytes(whole)
    some = await JobJournal.open(journal, IDENTITY)
    assert [one.id for one in records] == list(await some.look([one.id for one in records]))
    await some.close()


async def test_pages_that_do_not_fit_are_told_on_one_line(journal: Path) -> None:
    some = await JobJournal.open(journal, IDENTITY)
    await some.note([Ending(f"user-{n}", n, RecordState.DONE, b"x") for n in range(1_500)])
    await some.close()
    whole = bytearray(journal.read_bytes())
    whole[-1_000:] = bytes(1_000)
    journal.write_bytes(whole)

    with pytest.raises(StorageError, match=r"its pages do not fit together\. ") as caught:
        await JobJournal.open(journal, IDENTITY)
    assert "\n" not in str(caught.value)


async def test_an_error_about_a_copy_names_the_journal_that_was_copied(journal: Path) -> None:
    await (await JobJournal.open(journal, IDENTITY)).close()
    with closing(sqlite3.connect(journal)) as database, database:
        database.execute(f"PRAGMA user_version = {SCHEMA + 1}")

    with pytest.raises(ConfigurationError) as caught:
        await JobJournal.open(journal, IDENTITY, copy=True)
    assert f"journal: {journal} was written by a newer" in str(caught.value)


async def test_a_link_that_leads_nowhere_is_no_place_for_a_journal(journal: Path) -> None:
    journal.symlink_to(journal.parent / "nowhere" / "x.journal")

    with pytest.raises(ConfigurationError, match="is a link that leads nowhere: name the file"):
        await JobJournal.open(journal, IDENTITY)


@pytest.mark.parametrize("is_killed", [True, False])
async def test_a_link_to_a_journal_is_the_journal(tmp_path: Path, is_killed: bool) -> None:
    journal, copy, link = tmp_path / "a" / "journal", tmp_path / "b" / "copy", tmp_path / "link"
    for path in (journal, copy):
        path.parent.mkdir()
    link.symlink_to(copy)
    some = await JobJournal.open(journal, IDENTITY)
    await some.note([Ending("a", 1, RecordState.DONE, b"x")])
    if not is_killed:
        await some.close()
    for log in ("", "-wal") if is_killed else ("",):
        shutil.copy(f"{journal}{log}", f"{copy}{log}")

    assert ["a"] == [row.id for row in read_records(link, "1", ())]
    planned = await JobJournal.open(link, IDENTITY, copy=True)
    assert ["a"] == list(await planned.rows(["a"]))
    await planned.close()
    again = await JobJournal.open(link, IDENTITY)
    assert ["a"] == list(await again.rows(["a"]))
    await again.close()
    if is_killed:
        await some.close()


async def test_a_link_to_a_journal_without_its_log_is_refused(tmp_path: Path) -> None:
    journal, copy, link = tmp_path / "journal", tmp_path / "copy", tmp_path / "link"
    link.symlink_to(copy)
    some = await JobJournal.open(journal, IDENTITY)
    await some.note([Ending("a", 1, RecordState.DONE, b"x")])
    shutil.copy(journal, copy)
    # That of another journal, beside the link.
    shutil.copy(f"{journal}-wal", f"{link}-wal")

    with pytest.raises(StorageError, match="its log copy-wal, which is missing or incomplete"):
        await JobJournal.open(link, IDENTITY)
    await some.close()


@pytest.mark.parametrize("is_link", [True, False])
async def test_a_journal_that_is_gone_is_not_said_to_have_lost_nothing(
    tmp_path: Path, is_link: bool
) -> None:
    journal = tmp_path / "journal"
    await filled(journal, 1)
    journal.unlink()
    if is_link:
        journal.symlink_to(tmp_path / "nowhere")

    for read in (lambda: list(read_records(journal, "1", ())), lambda: is_latest_run(journal, 1)):
        with pytest.raises(StorageError, match="it was deleted or moved") as caught:
            read()
        assert caught.value.damaged
        assert "Nothing is lost" not in str(caught.value)
