"""What is wrong with a file is said in one sentence, and nothing is sent, lost or half written."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from talkjs_async.emulator import Emulator
from tests.full_disk import no_file_beyond

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]

GOOD = b"id,name,email\nu1,Ann,a@x.org\nu2,Bob,b@x.org\n"
SYNC = ("users", "upsert", "users.csv")
JOURNAL = Path("users.csv.emulator.journal")


def write(content: bytes, name: str = "users.csv") -> None:
    Path(name).write_bytes(content)


def files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"id,nmae\nu1,Ann\n",
            "source: users.csv has wrong columns: 'nmae' is unknown (did you mean name?). ",
        ),
        (b"", "source: users.csv is empty: its first line names the columns."),
        (
            b"id,name\nu1,Ann\nu2,Zo\xeb\n",
            "source: users.csv is not UTF-8: line 3 has the byte 0xeb at place 6. Save it as",
        ),
        (
            b'id,name\nu1,Ann\nu2,"Bo',
            "source: users.csv has quotes that do not match, or is cut off: a quote that opens in ",
        ),
    ],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_sent(
    command: Command, emulator: Emulator, content: bytes, sentence: str
) -> None:
    write(content)
    before = files()

    outcome = command(*SYNC)

    assert (2, "") == (outcome.code, outcome.out)
    assert outcome.err.startswith(f"talkjs-async: {sentence}")
    assert 1 == outcome.err.count("\n")
    assert (before, 0) == (files(), len(emulator.requests.find("PUT /users")))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            b'u3,Eve,"[""e@x.org"""',
            "u3 (record 3): line 4 has a bad email: '[\"e@x.org\"' is no JSON list.",
        ),
        (b"u1,Eve,e@x.org", "#3 (record 3): line 4: the ID 'u1' came before, as record 1."),
        (b"u3,Eve", "u3 (record 3): line 4 has 2 cells, and the header has 3."),
        (b",Eve,e@x.org", "#3 (record 3): line 4: id: is missing."),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_stored(
    command: Command, emulator: Emulator, row: bytes, reason: str
) -> None:
    write(GOOD + row + b"\n")

    outcome = command(*SYNC)

    assert (1, 1) == (outcome.code, outcome.err.count("\n"))
    assert f"  failed: {reason}" in outcome.out
    assert {"u1", "u2"} == {commit.user_id for commit in emulator.commits.of("user.created")}


def test_the_journal_of_another_job_is_left_alone(command: Command) -> None:
    write(GOOD)
    write(b"id,participants\nc1,u1\n", "chats.csv")
    command(*SYNC)
    before = files()

    outcome = command("conversations", "upsert", "chats.csv", "--journal", str(JOURNAL))

    assert (2, before) == (outcome.code, files())
    assert (
        f"talkjs-async: journal: {JOURNAL} belongs to the job 'upsert_users', not "
        "'upsert_conversations': use another file for this.\n"
    ) == outcome.err


def test_a_journal_of_a_newer_version_is_left_alone(command: Command) -> None:
    write(GOOD)
    command(*SYNC)
    with closing(sqlite3.connect(JOURNAL)) as database:
        database.execute("PRAGMA user_version = 99")
    before = files()

    outcome = command(*SYNC)

    assert (2, before) == (outcome.code, files())
    assert "was written by a newer talkjs-async (journal schema 99, this version knows" in (
        outcome.err
    )


def test_a_second_process_keeps_off_the_journal(
    command: Command, start: Start, emulator: Emulator
) -> None:
    write(GOOD)
    command(*SYNC)
    with closing(sqlite3.connect(JOURNAL)) as database:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN IMMEDIATE")

        outcome = command(*SYNC)

    assert 2 == outcome.code
    assert f"talkjs-async: journal: {JOURNAL} is in use by another job.\n" == outcome.err
    assert 0 == command(*SYNC).code


def test_a_directory_that_is_not_empty_is_left_alone(command: Command) -> None:
    Path("photos").mkdir()
    write(b"holiday", "photos/a.jpg")
    before = files()

    outcome = command("export", "photos")

    assert (2, before) == (outcome.code, files())
    assert (
        "talkjs-async: directory: photos is not empty: "
        "name a new directory, or one to go on with.\n"
    ) == outcome.err


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are a thing of Unix")
def test_a_full_disk_stops_the_job_and_the_next_run_goes_on(
    command: Command, emulator: Emulator
) -> None:
    write(b"id,name\n" + b"".join(b"u%d,%s\n" % (n, b"x" * 50) for n in range(3_000)))

    with no_file_beyond(60_000):
        full = command(*SYNC)
    again = command(*SYNC)
    with no_file_beyond(60_000):
        half = command("export", "backup")
    whole = command("export", "backup")

    assert [3, 0, 3, 0] == [one.code for one in (full, again, half, whole)], again.err
    for outcome in (full, half):
        (sentence,) = (line for line in outcome.err.splitlines() if "cannot be used" in line)
        assert "Nothing is lost: put that right and run the job again" in sentence
    assert 3_000 == len(Path("backup/users.jsonl").read_bytes().splitlines())
    assert 3_000 == len({commit.user_id for commit in emulator.commits.of("user.created")})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((*SYNC, "--journal", "/proc/x.journal"), "/proc/x.journal cannot be used: "),
        ((*SYNC, "--journal", "x" * 300), "journal: must be a path of at most 4,095 bytes"),
        ((*SYNC, "--journal", "/proc/self/mem"), "/proc/self/mem cannot be used: "),
        (("export", "users.csv/x"), "users.csv/x cannot be used: Not a directory. Name a place"),
        (("users", "upsert", "/proc/self/mem", "--format", "csv"), "/proc/self/mem cannot be read"),
        (("--secret-file", "/", *SYNC), "--secret-file: cannot be read: /: Is a directory."),
        (("export", "/proc/x"), "/proc/x cannot be used: No such file or directory. Name a place"),
        (("export", "gone/x"), "directory: gone does not exist."),
        (("--secret-file", "/dev/zero", *SYNC), "cannot be read: /dev/zero: File too large."),
        (("request", "POST", "/x", "--data", "@/dev/zero"), "/dev/zero cannot be read: File too"),
        (("request", "POST", "/x", "--data", "@"), "@ without a file cannot be read: Is a dir"),
        (("emulator", "--port", "70000"), "--port: must be a number from 0 to 65535, not '70000'"),
        (("emulator", "--port", "-1"), "--port: must be a number from 0 to 65535, not '-1'"),
        (("anonymise", ""), "user_id: must be a non-empty text (str)."),
        (("anonymise", ".."), "user_id: must be an ID, not '..'."),
        (("--secret-file", "/proc/self/mem", *SYNC), "cannot be read: /proc/self/mem: Input"),
        (
            ("webhook", "verify", "/", "--signature", "x", "--timestamp", "1"),
            "FILE: / cannot be read: Is a directory.",
        ),
        (("restore", "users.csv"), "users.csv holds no complete export"),
        (("users", "upsert", "."), "path: . is a directory: name a file in it."),
        (("users", "upsert", "gone"), "path: gone does not exist."),
        (("emulator", "--fault", "nope"), "There is no fault 'nope'. There are: return-503, "),
        (("emulator", "--fault", "garbage@x"), "must be a number up to 1, not 'x'"),
    ],
    ids=lambda each: " ".join(each)[:40],
)
def test_a_file_that_cannot_be_used_is_one_sentence_with_a_way_out(
    command: Command, emulator: Emulator, arguments: tuple[str, ...], sentence: str
) -> None:
    write(GOOD)

    outcome = command(*arguments)

    assert (2, "") == (outcome.code, outcome.out)
    last = outcome.err.splitlines()[-1]
    assert last.startswith("talkjs-async")
    assert sentence in last
    assert "[Errno" not in last
    ways_out = "can be written, with --journal.", "255 in each name."
    assert "--journal" not in arguments or last.endswith(ways_out)
    assert 0 == len(emulator.requests.find("PUT /users"))


@pytest.mark.skipif(sys.platform == "win32", reason="/dev/zero is a thing of Unix")
def test_a_webhook_of_a_file_without_an_end_is_refused(command: Command) -> None:
    outcome = command("webhook", "verify", "/dev/zero", "--signature", "x", "--timestamp", "1")

    assert (1, "") == (outcome.code, outcome.out)
    assert "Not genuine, or not fresh: The body is larger than allowed.\n" == outcome.err


def test_a_port_that_is_taken_is_named(command: Command, base_url: str) -> None:
    port = base_url.rpartition(":")[2]

    outcome = command("emulator", "--port", port)

    assert 1 == outcome.code
    words = f"talkjs-async emulator: 127.0.0.1 port {port}: Address already in use\n"
    assert words == outcome.err


def test_the_journal_of_an_app_with_a_slash_is_a_file(command: Command) -> None:
    write(GOOD)

    outcome = command("users", "upsert", "users.csv", "--app-id", "a/b")

    # There is no such app here, but that is for TalkJS to say.
    assert (3, 1) == (outcome.code, outcome.err.count("\n"))
    assert outcome.err.startswith("talkjs-async: GET /: 40")
