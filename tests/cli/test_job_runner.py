from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from talkjs_async.bulk import Progress
from talkjs_async.cli import run
from talkjs_async.cli._job_runner import display_for
from talkjs_async.emulator import Emulator, Limits

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]

JOBS = [
    "users upsert",
    "conversations upsert",
    "messages import",
    "messages send",
    "export",
    "restore",
    "transfer",
    "migrate sendbird",
    "anonymise",
]

unix = pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals of Unix")


def users(count: int, *nameless: int) -> Path:
    path = Path("users.csv")
    rows = (f"u{n},{'' if n in nameless else 'User'},u{n}@x.org\n" for n in range(count))
    path.write_text("id,name,email\n" + "".join(rows))
    return path


def chats(count: int) -> Path:
    path = Path("chats.csv")
    path.write_text("id,participants\n" + "".join(f"c{n},u0\n" for n in range(count)))
    return path


def test_all_done_is_exit_code_0(command: Command, emulator: Emulator) -> None:
    users(250)

    outcome = command("users", "upsert", "users.csv")

    assert (0, "") == (outcome.code, outcome.err)
    assert outcome.out.startswith("users upsert users.csv: 250 done; 3 requests in ")
    assert 250 == len(emulator.commits.of("user.created"))
    assert Path("users.csv.emulator.journal").exists()


def test_failed_records_are_named_and_exit_code_1(command: Command) -> None:
    users(250, 7)

    outcome = command("users", "upsert", "users.csv")

    assert 1 == outcome.code
    assert "249 done, 1 failed; 4 requests" in outcome.out
    assert "  failed: u7 (record 8): line 9: refused with 400: name: is required.\n" in outcome.out


def test_what_failed_is_mended_and_sent_by_the_same_command(command: Command) -> None:
    users(250, 7)
    told = command("users", "upsert", "users.csv").err
    users(250)

    again = command("users", "upsert", "users.csv")

    assert "Mend what failed and run the same command again: it sends only that.\n" == told
    assert again.out.startswith("users upsert users.csv: 1 done, 249 unchanged; 1 request in ")


def test_only_some_of_many_failures_are_shown(command: Command) -> None:
    users(100, *range(50))

    outcome = command("users", "upsert", "users.csv")

    assert 20 == outcome.out.count("refused with 400")
    assert "... and 30 more failed; --json lists all\n" in outcome.out


def test_machines_get_json_lines_of_all_failures(command: Command) -> None:
    users(100, *range(50))

    outcome = command("--json", "users", "upsert", "users.csv")

    assert (1, "", 51) == (outcome.code, outcome.err, len(outcome.lines))
    assert {
        "id": "u0",
        "number": 1,
        "outcome": "failed",
        "reason": "line 2: refused with 400: name: is required.",
        "result": None,
    } == outcome.lines[0]["record"]
    report = outcome.lines[-1]["report"]
    assert ("upsert_users", True, 50, 50) == (
        report["kind"],
        report["complete"],
        report["done"],
        report["failed"],
    )
    assert "users.csv.emulator.journal" == report["journal"]


def test_the_next_run_sends_only_what_has_changed(command: Command, emulator: Emulator) -> None:
    users(250)
    command("users", "upsert", "users.csv")
    before = emulator.requests.total

    outcome = command("users", "upsert", "users.csv")

    assert (0, 1) == (outcome.code, emulator.requests.total - before)
    assert "0 done, 250 unchanged; 0 requests" in outcome.out


def test_a_whole_chat_can_be_loaded_exported_restored_and_forgotten(
    command: Command, emulator: Emulator
) -> None:
    users(20)
    chats(10)
    Path("old.jsonl").write_text(
        "".join(
            json.dumps(
                {
                    "conversation_id": f"c{n % 10}",
                    "sender": "u0",
                    "text": f"{n}",
                    "sent_at": f"2020-01-01T00:00:{n % 60:02}Z",
                }
            )
            + "\n"
            for n in range(100)
        )
    )
    Path("new.csv").write_text("conversation_id,sender,text\nc1,u0,hello\n")

    outcomes = [
        command("users", "upsert", "users.csv"),
        command("conversations", "upsert", "chats.csv"),
        command("messages", "import", "old.jsonl"),
        command("messages", "send", "new.csv", "--no-overflow", "--journal", "sent"),
        command("export", "backup"),
    ]

    assert [0] * 5 == [outcome.code for outcome in outcomes]
    assert Path("sent").exists()
    assert "export backup: 131 done" in outcomes[-1].out
    emulator.reset()
    restored = command("restore", "backup")
    assert (0, 101) == (restored.code, len(emulator.commits.of("message.imported")))
    planned = command("anonymise", "u0", "--dry-run")
    assert 0 == planned.code
    assert "anonymise u0: 0 done, 102 planned" in planned.out
    assert "  planned: user u0 (record 1)\n" in planned.out
    anonymised = command("anonymise", "u0", "--yes", "--conversations")
    assert (0, 112) == (anonymised.code, int(anonymised.out.split()[2]))


def test_a_dry_run_of_a_command_sends_nothing(command: Command, emulator: Emulator) -> None:
    users(20)
    chats(10)
    Path("old.csv").write_text("conversation_id,sender,text,sent_at\nc1,u0,hi,1700000000000\n")
    Path("new.csv").write_text("conversation_id,sender,text\nc1,u0,hello\n")
    command("users", "upsert", "users.csv")
    command("export", "backup")
    emulator.reset()
    runs = {
        ("users", "upsert", "users.csv", "--journal", "new"): "20 planned",
        ("conversations", "upsert", "chats.csv"): "10 planned",
        ("messages", "import", "old.csv"): "1 planned",
        ("messages", "send", "new.csv"): "1 planned",
        ("restore", "backup"): "20 planned",
        ("export", "another"): "0 done",
    }

    for words, planned in runs.items():
        outcome = command(*words, "--dry-run")
        assert (0, True) == (outcome.code, planned in outcome.out), outcome

    assert not emulator.commits
    assert {"GET"} >= {request.method for request in emulator.requests}
    assert not Path("another").exists()


@pytest.mark.parametrize("words", JOBS)
def test_every_command_that_runs_a_job_has_a_dry_run(command: Command, words: str) -> None:
    assert "--dry-run" in command(*words.split(), "--help").out


def test_sendbird_s_export_can_be_loaded(command: Command, emulator: Emulator) -> None:
    Path("sendbird").mkdir()
    message = {
        "type": "MESG",
        "message_id": 1,
        "message": "hi",
        "created_at": 1_700_000_000_000,
        "channel_url": "c1",
        "user": {"user_id": "ann", "nickname": "Ann"},
    }
    Path("sendbird/all.json").write_text(json.dumps({"messages": [message]}))

    outcome = command("migrate", "sendbird", "sendbird")

    assert (0, 1) == (outcome.code, len(emulator.commits.of("message.imported")))
    assert Path("sendbird/migrate.emulator.journal").exists()


def test_anonymising_asks_first(
    command: Command, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    users(1)
    command("users", "upsert", "users.csv")
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)

        outcome = command("anonymise", "u0")

    assert 1 == outcome.code
    # What machines read holds results only; a blank before the answer is the prompt's.
    assert ("", True) == (outcome.out.strip(), "everything of 'u0' for good?" in outcome.err)
    assert 0 == len(emulator.commits.of("user.updated"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("users", "upsert", "nowhere.csv"), "path: nowhere.csv does not exist."),
        (("export", "."), "directory: . is not empty"),
        (("restore", "."), "directory: . holds no complete export"),
        (("migrate", "sendbird", "."), "has no JSON files of a Sendbird export"),
        (("anonymise", "nobody", "--yes"), "404"),
        (("token", "user", "u", "--expires-in", "1"), "expires_in"),
        (("users", "upsert", "users.csv", "--journal", "users.csv"), "is not a journal"),
        (("--secret-file", "nowhere", "token", "app"), "--secret-file: cannot be read"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    command: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    users(1)

    outcome = command(*arguments)

    assert (2, "") == (outcome.code, outcome.out)
    (complaint,) = outcome.err.splitlines()
    assert complaint.startswith("talkjs-async: ")
    assert sentence in complaint


def test_unknown_options_are_exit_code_2(command: Command) -> None:
    assert 2 == command("users", "upsert").code
    assert 2 == command("users", "sink", "x").code
    assert 2 == command("--secret-key", "sk", "token", "app").code


def test_a_wrong_key_is_exit_code_3_at_once(
    command: Command, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    users(1_000)
    monkeypatch.setenv("TALKJS_SECRET_KEY", "sk_test_wrong_but_long_enough_to_sign_with")

    outcome = command("users", "upsert", "users.csv")

    assert (3, 1) == (outcome.code, emulator.requests.total)
    assert "401" in outcome.err


def test_a_server_that_is_not_there_is_exit_code_3(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    users(1)
    # No server listens there: the port is reserved.
    monkeypatch.setenv("TALKJS_BASE_URL", "http://127.0.0.1:1")

    outcome = command("users", "upsert", "users.csv")

    assert 3 == outcome.code
    first, last = outcome.err.splitlines()
    assert "GET /: ConnectFailed, trying again." == first
    assert last.startswith("talkjs-async: GET /: no connection to 127.0.0.1:1 in ")


@pytest.mark.parametrize("variable", ["TALKJS_APP_ID", "TALKJS_SECRET_KEY"])
def test_missing_credentials_are_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    users(1)
    monkeypatch.delenv(variable)

    outcome = command("users", "upsert", "users.csv")

    assert 2 == outcome.code
    assert variable in outcome.err


def test_the_key_may_be_in_a_file(
    command: Command, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    users(1)
    monkeypatch.delenv("TALKJS_SECRET_KEY")
    Path("key").write_text(f"{emulator.secret_key}\n")
    Path("empty").write_text("\n")

    with_key = command("--secret-file", "key", "users", "upsert", "users.csv")
    without = command("--secret-file", "empty", "users", "upsert", "users.csv")

    assert (0, 2) == (with_key.code, without.code)
    assert "empty is empty" in without.err


def test_machines_and_logs_get_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with display_for("sync", machine=True) as silent:
        silent.show(Progress(done=1))
    with display_for("sync", machine=False) as quiet:
        # The first line comes when a job takes long.
        quiet.show(Progress(done=1))

    assert ("", "") == capsys.readouterr()


def test_an_outage_is_told_of(command: Command, emulator: Emulator) -> None:
    users(1)
    emulator.faults.add("return-503", on="PUT /users", nth=1)

    outcome = command("users", "upsert", "users.csv")

    assert 0 == outcome.code
    assert "PUT /users: ServerError, trying again.\n" == outcome.err


LONG_JOB = ("conversations", "upsert", "chats.csv", "--no-overflow")


def stopped_by(number: signal.Signals, command: Command, start: Start, emulator: Emulator) -> bytes:
    """Stop a job in another process; return what it says to the standard error."""
    command("users", "upsert", users(1).name)
    chats(500)
    # The budget that the client counts on is used by another client.
    emulator.limits = Limits(rate=50.0, burst=50)
    process = start(
        *LONG_JOB,
        # Tests in the background, or under nohup, ignore signals, and so would this one.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: emulator.requests.total > 20)

    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert b"conversations upsert chats.csv: " in out
    assert b"Stopping: what was sent is being finished." in err
    return bytes(err)


@unix
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(
    command: Command, start: Start, emulator: Emulator
) -> None:
    err = stopped_by(signal.SIGINT, command, start, emulator)

    assert b"talkjs-async conversations upsert chats.csv --no-overflow\n" in err
    emulator.limits = Limits.off()
    again = start(*LONG_JOB, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = again.communicate(timeout=60)
    assert (0, b"") == (again.returncode, err)
    assert b"500 done" in out
    assert 500 == len(emulator.commits.of("conversation.created"))


@unix
def test_a_second_ctrl_c_ends_it_at_once(start: Start, emulator: Emulator) -> None:
    users(1)
    chats(3_000)
    emulator.faults.add("stall-before-commit", on="PUT /conversations/*")
    process = start("conversations", "upsert", "chats.csv", stderr=subprocess.PIPE)
    wait_for(lambda: emulator.requests.total > 10)

    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert first.startswith(b"Stopping")
    assert 130 == process.returncode


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for another process."""
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@unix
def test_a_terminal_that_closes_stops_a_job_cleanly(
    command: Command, start: Start, emulator: Emulator
) -> None:
    stopped_by(signal.SIGHUP, command, start, emulator)


@unix
def test_a_job_under_nohup_outlives_its_terminal(
    command: Command, start: Start, emulator: Emulator
) -> None:
    command("users", "upsert", users(1).name)
    chats(60)
    emulator.limits = Limits(rate=50.0, burst=50)
    process = start(
        *("conversations", "upsert", "chats.csv", "--no-overflow"),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: emulator.requests.total > 20)

    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=60)

    assert (0, b"") == (process.returncode, err)
    assert b"60 done" in out


@pytest.mark.parametrize("module", ["typer", "talkjs_async.cli.commands"])
def test_ctrl_c_while_it_loads_is_silent(
    module: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == module:
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, module, raising=False)

    code = run(["--help"])

    assert (130, ("", "")) == (code, capfd.readouterr())
