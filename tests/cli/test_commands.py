from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from talkjs_async import __version__
from talkjs_async.cli import run

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


def test_the_version_is_shown(command: Command) -> None:
    assert (0, f"talkjs-async {__version__}\n") == (
        (outcome := command("--version")).code,
        outcome.out,
    )


def test_python_m_is_the_same_command(start: Start) -> None:
    process = start("--version", stdout=subprocess.PIPE)

    assert f"talkjs-async {__version__}\n".encode() == process.communicate(timeout=60)[0]


@pytest.mark.parametrize("arguments", [("--help",), ("users", "upsert", "-h"), ("users",)])
def test_help_loads_neither_the_client_nor_anything_slow(arguments: tuple[str, ...]) -> None:
    program = f"""
import sys
from talkjs_async.cli import run
run({arguments!r})
slow = {{"rich", "pydantic", "httpx", "asyncio", "anyio", "talkjs_async.client"}}
print("loaded:", slow & set(sys.modules))
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("Usage: talkjs-async")
    assert done.stdout.endswith("loaded: set()\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("users get alice", "No such command 'get'; users has: upsert. But there is `talkjs-async"),
        ("get users", "No such command 'users'; get has: app, user, conversation, message. But"),
        ("migrate x", "No such command 'x'; migrate has: sendbird.\n"),
        ("nope", "No such command 'nope'.\n"),
    ],
)
def test_a_command_that_is_none_is_answered_with_those_there_are(
    words: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == run(words.split())

    assert f"Error: {complaint}" in capsys.readouterr().err


def test_without_the_extra_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "talkjs_async.cli.commands", raising=False)
    monkeypatch.setitem(sys.modules, "typer", None)

    assert 2 == run(["--help"])
    assert "pip install 'talkjs-async[cli]'" in capsys.readouterr().err
