"""One way out: whatever the streams are, and whatever the records hold."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from talkjs_async.cli._output import GuardedStream, on_one_line
from talkjs_async.emulator import Emulator

if sys.platform == "win32":
    pytest.skip("pipes and devices of Unix", allow_module_level=True)

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]

SYNC = ("users", "upsert", "users.jsonl")
ADVICE = b"Mend what failed and run the same command again: it sends only that.\n"
NASTY = "u\N{GRINNING FACE}\x1b[2J\r\n\u202egnp.exe\x9b1m"


@pytest.fixture
def one_fails(base_url: str) -> None:
    """Three users: one is refused, and its ID is no help."""
    users = [{"id": "u1", "name": "Ann"}, {"id": NASTY}, {"id": "u3", "name": "Cas"}]
    Path("users.jsonl").write_text("".join(json.dumps(user) + "\n" for user in users))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.usefixtures("one_fails")
def test_a_report_is_whole_in_every_encoding(
    start: Start, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)

    plain = start(*SYNC, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = plain.communicate(timeout=60)

    assert (1, ADVICE) == (plain.returncode, err)
    text = out.decode(encoding)
    assert "2 done, 1 failed" in text
    smiley = "\N{GRINNING FACE}" if encoding == "utf-8" else r"\U0001f600"
    assert rf"failed: u{smiley}\x1b[2J\r\n\u202egnp.exe\x9b1m (record 2): line 2: " in text
    assert 2 == text.count("\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.usefixtures("one_fails")
def test_machines_read_every_id_as_it_is(
    start: Start, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)

    process = start(*SYNC, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)

    assert (1, b"") == (process.returncode, err)
    record, report = [json.loads(line) for line in out.splitlines()]
    assert (NASTY, 2) == (record["record"]["id"], report["report"]["done"])


COMMANDS = [("--help",), ("users", "upsert", "--help"), ("--version",), SYNC]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("closed", ["out", "err", "both"])
@pytest.mark.usefixtures("one_fails")
def test_a_closed_pipe_is_silent_and_the_command_goes_on(
    start: Start, emulator: Emulator, arguments: tuple[str, ...], closed: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    streams: dict[str, Any] = {
        "stdout": writer if closed != "err" else subprocess.PIPE,
        "stderr": writer if closed != "out" else subprocess.PIPE,
    }

    process = start(*arguments, **streams)
    os.close(writer)
    out, err = process.communicate(timeout=60)

    assert int(arguments == SYNC) == process.returncode
    assert (ADVICE if (arguments, closed) == (SYNC, "out") else b"") == (err or b"")
    assert closed != "err" or out
    if arguments == SYNC:
        assert 2 == len(emulator.commits.of("user.created"))


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.usefixtures("one_fails")
def test_a_full_disk_is_one_line(start: Start, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start(*arguments, stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=60)

    sentence = "No space left on device. What the command did is done."
    advice = ADVICE if arguments == SYNC else b""
    assert advice + f"talkjs-async: standard output: {sentence}\n".encode() == err
    assert (1 if arguments == SYNC else 3) == process.returncode


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.usefixtures("one_fails")
def test_streams_may_be_closed_from_the_start(start: Start, arguments: tuple[str, ...]) -> None:
    process = start(*arguments, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    _, err = process.communicate(timeout=60)

    assert (int(arguments == SYNC), ADVICE * (arguments == SYNC)) == (process.returncode, err)
    if arguments == SYNC:
        # The journal was opened in its place, and nothing was written into it but itself.
        assert b"SQLite format 3" == Path("users.jsonl.emulator.journal").read_bytes()[:15]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("anonymise", "ann"), 1, b"Aborted!"),
        (("token", "app"), 2, b"secret key: is missing: set TALKJS_SECRET_KEY"),
        (("webhook", "verify", "-", "--signature", "x", "--timestamp", "1"), 2, b"secret key"),
    ],
)
@pytest.mark.usefixtures("base_url")
def test_the_input_may_be_closed_from_the_start(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    sentence: bytes,
) -> None:
    monkeypatch.delenv("TALKJS_SECRET_KEY")

    process = start(
        *arguments,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.close(0),
    )
    _, err = process.communicate(timeout=60)

    assert (code, True, False) == (process.returncode, sentence in err, b"Traceback" in err)


def test_wrong_usage_shows_no_commands_for_terminals(command: Command) -> None:
    for arguments in (
        ("users", "upsert", "\x1b[2J.csv"),
        ("\x1b[2J",),
        ("users", "upsert", "x", "\x9by"),
    ):
        outcome = command(*arguments)

        assert 2 == outcome.code
        assert not {"\x1b", "\x9b"} & {*outcome.out, *outcome.err}


ELSEWHERE = ["--app-id", "other", "--base-url", "http://127.0.0.1:1", "--secret-file", "key"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "app"),
        ("token", "user", "ann"),
        ("export", "backup"),
        ("users", "upsert", "users.jsonl"),
        ("conversations", "upsert", "users.jsonl"),
        ("messages", "send", "users.jsonl"),
        ("messages", "import", "users.jsonl"),
        ("migrate", "sendbird", "."),
        ("restore", "backup"),
        ("anonymise", "ann", "--yes"),
        ("webhook", "verify", "users.jsonl", "--signature", "x", "--timestamp", "1"),
        ("doctor",),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("one_fails")
def test_options_for_all_commands_stand_before_within_or_behind_the_name(
    command: Command, arguments: tuple[str, ...]
) -> None:
    Path("key").write_text("sk_test_other_but_long_enough_to_sign_with")
    outcomes = []
    for each in (
        ["--json", *ELSEWHERE, *arguments],
        [*arguments, *ELSEWHERE, "--json"],
        [*ELSEWHERE[:2], *arguments, "--json", *ELSEWHERE[2:]],
        [arguments[0], "--json", *ELSEWHERE, *arguments[1:]],
        [arguments[0], *ELSEWHERE[2:], *arguments[1:], *ELSEWHERE[:2], "--json"],
    ):
        outcome = command(*each)
        complaint = re.sub(r"in \d+\.\d s", "in a while", outcome.err)
        outcomes.append((outcome.code, len(outcome.out.splitlines()), complaint))

    assert [outcomes[0]] * 5 == outcomes
    assert "No such option" not in outcomes[0][2]


def test_what_stands_before_the_name_beats_the_environment(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALKJS_APP_ID", "from_the_environment")

    outcome = command("--app-id", "emulator", "doctor")

    assert (0, True) == (outcome.code, "app emulator answers" in outcome.out)


class Full(io.StringIO):
    """A disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_guarded_stream_drops_what_cannot_be_written_and_says_why() -> None:
    full = GuardedStream(Full())
    closed = GuardedStream(closed_file := io.StringIO())
    closed_file.close()

    for stream in (full, closed, GuardedStream(None)):
        assert 3 == stream.write("abc")
        stream.flush()
        assert 3 == stream.write("abc")
        assert not stream.isatty()

    assert "No space left on device" == getattr(full.failure, "strerror", None)
    assert closed.failure is None
    with pytest.raises(OSError, match="closed"):
        GuardedStream(None).fileno()


def test_what_draws_may_use_commands_in_an_encoding_of_the_terminal() -> None:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    guarded = GuardedStream(terminal)

    guarded.write("\x1b[1m\n")
    guarded.unescaped().write("\x1b[1m━\n")

    assert b"\\x1b[1m\n\x1b[1m\\u2501\n" == raw.getvalue()
    assert ("utf-8", "ascii") == (guarded.encoding, guarded.unescaped().encoding)


def test_a_line_stays_one_line() -> None:
    assert r"a\nb\tc\x1b\u2028\ud83dé👨‍👩‍👧" == on_one_line("a\nb\tc\x1b\u2028\ud83dé👨‍👩‍👧")
