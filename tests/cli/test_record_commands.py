"""Single records on the command line: what is shown is what TalkJS has, for people and programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from talkjs_async import AsyncTalkJS, RetryPolicy
from talkjs_async.emulator import Emulator

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


async def fill(emulator: Emulator) -> None:
    async with AsyncTalkJS(
        emulator.app_id, emulator.secret_key, transport=emulator.transport, clock=emulator.clock
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice", email=["alice@example.com"])
        await talkjs.users.upsert("bob", name="Bob")
        await talkjs.conversations.upsert("chat", participants=["alice", "bob"], subject="Trip")
        for number in range(3):
            await talkjs.messages.send("chat", sender="alice", text=f"Hello {number}")


@pytest.fixture(autouse=True)
def filled(emulator: Emulator, base_url: str) -> None:
    anyio.run(fill, emulator)


def sent(emulator: Emulator) -> list[str]:
    return [str(commit.text) for commit in emulator.commits.of("message.sent")]


GETS = [
    (("get", "user", "alice"), "name", "Alice"),
    (("get", "conversation", "chat"), "subject", "Trip"),
    (("get", "app"), "id", "emulator"),
]


@pytest.mark.parametrize(("arguments", "field", "value"), GETS, ids=["user", "conversation", "app"])
def test_one_record_is_shown_with_the_names_of_the_api(
    command: Command, arguments: tuple[str, ...], field: str, value: str
) -> None:
    plain = command(*arguments)
    machine = command(*arguments, "--json")

    assert (0, "", 0, "") == (plain.code, plain.err, machine.code, machine.err)
    shown = dict(line.split(maxsplit=1) for line in plain.out.splitlines())
    (data,) = machine.lines
    assert (value, value) == (shown[field], data[field])
    assert set(shown) == set(data)


def test_a_message_is_shown(command: Command) -> None:
    (latest, *_) = command("list", "messages", "chat", "--json").lines

    outcome = command("get", "message", "chat", latest["id"], "--json")

    assert [latest] == outcome.lines


def test_what_does_not_exist_is_one_sentence(command: Command) -> None:
    outcome = command("get", "user", "carol")

    assert (2, "") == (outcome.code, outcome.out)
    assert "talkjs-async: GET /users/carol: 404 USER_NOT_FOUND" in outcome.err


def test_lists_are_a_line_for_each_record(command: Command) -> None:
    users = command("list", "users")
    conversations = command("list", "conversations")
    of_bob = command("list", "conversations", "--user", "bob", "--unreads-only")
    messages = command("list", "messages", "chat")

    assert ["bob  Bob", "alice  Alice  alice@example.com"] == users.out.splitlines()
    assert ["chat  Trip  alice, bob"] == conversations.out.splitlines()
    assert ["chat  3 unread"] == of_bob.out.splitlines()
    assert ["Hello 2", "Hello 1", "Hello 0"] == [
        line.partition("  alice: ")[2] for line in messages.out.splitlines()
    ]


def test_a_count_that_talkjs_does_not_send_is_not_shown(
    command: Command, emulator: Emulator
) -> None:
    emulator.switches.user_conversation_fields = "absent"

    of_bob = command("list", "conversations", "--user", "bob")

    assert ["chat"] == of_bob.out.splitlines()


def test_a_list_that_is_cut_says_how_to_go_on(command: Command) -> None:
    first = command("list", "messages", "chat", "--limit", "2", "--json")
    begin = first.lines[-1]["id"]

    rest = command("list", "messages", "chat", "--starting-after", begin)
    everything = command("list", "messages", "chat", "--limit", "2", "--all")

    assert f"There may be more: --starting-after {begin}, or --all.\n" == first.err
    assert (1, "") == (len(rest.out.splitlines()), rest.err)
    assert (3, "") == (len(everything.out.splitlines()), everything.err)


def test_unread_needs_a_user(command: Command) -> None:
    outcome = command("list", "conversations", "--unread")

    assert (2, "talkjs-async: --unreads-only: needs --user: it is users who read.\n") == (
        outcome.code,
        outcome.err,
    )


def test_a_message_is_sent_and_its_id_shown(command: Command, emulator: Emulator) -> None:
    outcome = command("send", "chat", "Good *morning*", "--sender", "bob")
    machine = command("send", "chat", "Ann has joined", "--system", "--json")

    assert ["Good *morning*", "Ann has joined"] == sent(emulator)[3:]
    ids = [commit.message_id for commit in emulator.commits.of("message.sent")][3:]
    assert ids == [outcome.out.strip(), machine.lines[0]["id"]]


def test_a_message_can_come_from_the_standard_input(start: Start, emulator: Emulator) -> None:
    process = start("send", "chat", "-", "--sender", "bob", stdin=subprocess.PIPE)

    process.communicate("Zwölf\nBoxkämpfer\n".encode(), timeout=60)

    assert (0, "Zwölf\nBoxkämpfer") == (process.returncode, sent(emulator)[-1])


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_message_is_not_sent(command: Command, emulator: Emulator, text: str) -> None:
    outcome = command("send", "chat", text, "--sender", "bob")

    assert (2, "", 3) == (outcome.code, outcome.out, len(sent(emulator)))
    assert "talkjs-async: text: is empty: give what to say. Nothing was sent.\n" == outcome.err


def test_an_empty_standard_input_is_not_sent(start: Start, emulator: Emulator) -> None:
    process = start("send", "chat", "-", "--sender", "bob", stdin=subprocess.PIPE)

    process.communicate(b"\n", timeout=60)

    assert (2, 3) == (process.returncode, len(sent(emulator)))


def test_text_with_bytes_that_are_none_is_not_sent(command: Command, emulator: Emulator) -> None:
    # As Python reads an argument of another encoding.
    text = os.fsdecode(b"Zo\xeb")

    outcome = command("send", "chat", text, "--sender", "bob")

    assert (2, "", 3) == (outcome.code, outcome.out, len(sent(emulator)))
    assert outcome.err.startswith("talkjs-async: text: is not UTF-8, the encoding that this ")


INPUTS = {
    "as it is": ({}, "not UTF-8, the encoding that this terminal is said to have."),
    "C": ({"LC_ALL": "C"}, "not UTF-8, the encoding that this terminal is said to have."),
    "strict": (
        {"PYTHONIOENCODING": "utf-8:strict"},
        "the standard input cannot be read: it is not UTF-8.",
    ),
    "ascii": (
        {"PYTHONIOENCODING": "ascii"},
        "the standard input cannot be read: it is not ASCII.",
    ),
}


@pytest.mark.parametrize(
    ("how", "command"),
    [("as it is", "send"), ("C", "request"), ("strict", "request"), ("ascii", "send")],
)
def test_a_standard_input_in_another_encoding_is_not_sent(
    start: Start,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    how: str,
) -> None:
    variables, reason = INPUTS[how]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    arguments = {
        "send": ("send", "chat", "-", "--sender", "bob"),
        "request": ("request", "PUT", "/users/bob", "--data", "-"),
    }
    process = start(*arguments[command], stdin=subprocess.PIPE, stderr=subprocess.PIPE)

    _, complaint = process.communicate(b'{"name": "Zo\xeb"}', timeout=60)

    assert (2, 3) == (process.returncode, len(sent(emulator)))
    assert complaint.decode().rstrip().endswith(reason)
    assert 1 == complaint.count(b"\n")
    assert not emulator.requests.find("PUT /users/bob")[1:]


@pytest.mark.parametrize("options", [(), ("--sender", "bob", "--system")], ids=["none", "both"])
def test_a_message_has_a_sender_or_is_one_of_the_system(
    command: Command, emulator: Emulator, options: tuple[str, ...]
) -> None:
    outcome = command("send", "chat", "Hi", *options)

    assert (2, 3) == (outcome.code, len(sent(emulator)))
    assert "--sender: or --system is needed, and not both." in outcome.err


def test_a_message_whose_answer_is_lost_can_be_sent_again_by_the_key_that_is_shown(
    command: Command, emulator: Emulator
) -> None:
    attempts = RetryPolicy().attempts
    emulator.faults.add("drop-after-commit", on="POST /conversations/*/messages", first=attempts)

    lost = command("send", "chat", "Only once", "--sender", "bob")
    key = lost.err.partition("--idempotency-key ")[2].splitlines()[0]
    again = command("send", "chat", "Only once", "--sender", "bob", "--idempotency-key", key)

    assert (3, "", 0) == (lost.code, lost.out, again.code)
    assert 1 == sent(emulator).count("Only once")


def test_any_request_can_be_sent(command: Command, emulator: Emulator) -> None:
    Path("body.json").write_text('{"name": "Bobby"}', "utf-8")

    changed = command("request", "PUT", "/users/bob", "--data", "@body.json")
    plain = command("request", "GET", "/users?limit=1")
    machine = command("request", "get", "/users/bob", "--json")

    assert 0 == changed.code
    assert "bob" == json.loads(plain.out)["data"][0]["id"]
    assert plain.out.startswith('{\n  "data": [')
    assert "Bobby" == machine.lines[0]["name"]
    assert 1 == machine.out.count("\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("FETCH", "/users"), "method: must be"),
        (("GET", "users"), "path: must begin with '/'"),
        (("PUT", "/users/bob", "--data", "{name"), "--data: is no JSON: "),
        (("PUT", "/users/bob", "--data", "[" * 100_000), "--data: is no JSON: "),
        (
            ("PUT", "/users/bob", "--data", '{"name": "B", "name": "C"}'),
            "--data: has 'name' twice.",
        ),
        (("PUT", "/users/bob", "--data", '{"name": "Zo\udceb"}'), "--data: is not UTF-8, the "),
        (("GET", "/users?limit=1&limit=2"), "path: has a parameter twice."),
        (("GET", "/users?limit=%ff"), "path: has a parameter that is not UTF-8."),
        (("PUT", "/users/bob", "--data", "@none"), "--data: none cannot be read: "),
    ],
    ids=["method", "path", "data", "deep", "twice", "bytes", "params", "query", "file"],
)
def test_a_wrong_request_is_one_sentence_and_nothing_is_sent(
    command: Command, emulator: Emulator, arguments: tuple[str, ...], sentence: str
) -> None:
    before = len(emulator.requests)

    outcome = command("request", *arguments)

    assert (2, before) == (outcome.code, len(emulator.requests))
    assert outcome.err.startswith(f"talkjs-async: {sentence}")
    assert 1 == outcome.err.count("\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_tail_shows_the_last_messages_and_each_new_one_once_until_ctrl_c(
    command: Command, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    process = start(
        "tail", "chat", "--last", "2", "--every", "0.2",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None

    lines = [process.stdout.readline() for _ in range(2)]
    for number in range(3, 6):
        command("send", "chat", f"Hello {number}", "--sender", "bob")
        lines.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    rest, complaints = process.communicate(timeout=60)

    assert [f"Hello {n}" for n in range(1, 6)] == [
        line.decode().rstrip().partition(": ")[2] for line in lines
    ]
    assert (130, b"", b"") == (process.returncode, rest, complaints)


def test_tail_ends_when_the_reader_of_its_pipe_has_gone(
    command: Command, start: Start, emulator: Emulator
) -> None:
    reader, writer = os.pipe()
    process = start("tail", "chat", "--every", "0.2", "--json", stdout=writer)
    os.close(writer)
    with open(reader, "rb") as lines:  # noqa: PTH123 - a pipe
        first = json.loads(lines.readline())
    command("send", "chat", "Into the void", "--sender", "bob")

    assert ("Hello 0", 0) == (first["text"], process.wait(timeout=60))


@pytest.mark.parametrize("option", ["--every=0", "--every=nan", "--last=-1"])
def test_tail_refuses_what_would_use_up_the_budget(
    command: Command, emulator: Emulator, option: str
) -> None:
    before = len(emulator.requests)

    outcome = command("tail", "chat", option)

    assert (2, before) == (outcome.code, len(emulator.requests))
    assert "talkjs-async: --" in outcome.err


@pytest.mark.parametrize(
    ("shell", "typed", "expected"),
    [
        ("bash", {"COMP_WORDS": "talkjs-async ge", "COMP_CWORD": "1"}, "get\n"),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "talkjs-async get us"}, '"user":"Show a user."'),
        (
            "fish",
            {
                "_TYPER_COMPLETE_ARGS": "talkjs-async tai",
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            },
            "tail\t",
        ),
    ],
    ids=["bash", "zsh", "fish"],
)
def test_shells_complete_commands(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    shell: str,
    typed: dict[str, str],
    expected: str,
) -> None:
    for name, value in {"_TALKJS_ASYNC_COMPLETE": f"complete_{shell}", **typed}.items():
        monkeypatch.setenv(name, value)
    process = start(stdout=subprocess.PIPE)

    out, _ = process.communicate(timeout=60)

    assert out.decode().startswith(expected) or expected in out.decode()


def test_the_program_prints_the_script_that_its_completion_needs(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")

    outcome = command("--show-completion", "bash")

    assert 0 == outcome.code
    assert "_TALKJS_ASYNC_COMPLETE=complete_bash" in outcome.out
