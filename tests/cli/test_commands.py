from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from talkjs_async import __version__
from talkjs_async.cli import run
from talkjs_async.cli._settings import Settings
from talkjs_async.emulator import Emulator, Limits, SystemClock
from talkjs_async.webhooks import Webhooks

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]

short_key = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


def test_the_version_is_shown(command: Command) -> None:
    assert (0, f"talkjs-async {__version__}\n") == (
        (outcome := command("--version")).code,
        outcome.out,
    )


def test_python_m_is_the_same_command(start: Start) -> None:
    process = start("--version", stdout=subprocess.PIPE)

    assert f"talkjs-async {__version__}\n".encode() == process.communicate(timeout=60)[0]


@pytest.mark.parametrize("arguments", [("--help",), ("users", "sync", "-h"), ("users",)])
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


def test_without_the_extra_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "talkjs_async.cli._commands", raising=False)
    monkeypatch.setitem(sys.modules, "typer", None)

    assert 2 == run(["--help"])
    assert "pip install 'talkjs-async[cli]'" in capsys.readouterr().err


@short_key
def test_a_token_for_the_api_can_be_made(command: Command, emulator: Emulator) -> None:
    outcome = command("token", "app", "--expires-in", "60")

    claims = jwt.decode(outcome.out.strip(), emulator.secret_key, algorithms=["HS256"])
    assert ("app", emulator.app_id) == (claims["tokenType"], claims["iss"])
    assert 60 == claims["exp"] - claims["iat"]


@short_key
def test_a_token_for_a_user_can_be_made(command: Command, emulator: Emulator) -> None:
    outcome = command("--json", "token", "user", "alice")

    (line,) = outcome.lines
    claims = jwt.decode(line["token"], emulator.secret_key, algorithms=["HS256"])
    assert ("user", "alice") == (claims["tokenType"], claims["sub"])


def webhook(emulator: Emulator, age: float = 0.0) -> list[str]:
    """Write a body; return the options that have its signature."""
    event = {
        "id": "evt_1",
        "type": "conversation.deleted",
        "createdAt": 1_700_000_000_000,
        "data": {"conversation": {"id": "c1", "createdAt": 1}},
    }
    body = json.dumps(event).encode()
    Path("body").write_bytes(body)
    moment = int((time.time() - age) * 1000)
    headers = Webhooks(emulator.secret_key).sign(body, timestamp=moment)
    found = {name.lower(): value for name, value in headers.items()}
    return [
        "--signature", found["x-talkjs-signature"], "--timestamp", found["x-talkjs-timestamp"],
    ]  # fmt: skip


def test_a_genuine_webhook_is_shown(command: Command, emulator: Emulator) -> None:
    options = webhook(emulator)

    plain = command("webhook", "verify", "body", *options)
    machine = command("--json", "webhook", "verify", "body", *options)

    assert (0, "Genuine: conversation.deleted evt_1 of 2023-11-14 22:13:20 UTC\n") == (
        plain.code,
        plain.out,
    )
    assert "evt_1" == machine.lines[0]["id"]


def test_a_forged_or_old_webhook_is_exit_code_1(command: Command, emulator: Emulator) -> None:
    options = webhook(emulator, age=3_600.0)

    old = command("webhook", "verify", "body", *options)
    any_age = command("webhook", "verify", "body", "--any-age", *options)
    Path("body").write_bytes(b"{}")
    forged = command("webhook", "verify", "body", "--any-age", *options)
    nothing = command("webhook", "verify", "nowhere", *options)

    assert (1, 0, 1, 2) == (old.code, any_age.code, forged.code, nothing.code)
    assert old.err.startswith("Not genuine, or not fresh: ")


def test_the_doctor_finds_nothing(command: Command) -> None:
    outcome = command("doctor")

    assert 0 == outcome.code
    assert [
        ["ok", "version"],
        ["ok", "credentials"],
        ["ok", "clock"],
        ["warning", "TLS"],
        ["ok", "budget"],
    ] == [line.split()[:2] for line in outcome.out.splitlines()]


def test_the_doctor_finds_a_wrong_key(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKJS_SECRET_KEY", "sk_test_wrong_but_long_enough_to_sign_with")

    outcome = command("--json", "doctor")

    assert 3 == outcome.code
    verdicts = {line["what"]: line["verdict"] for line in outcome.lines}
    assert {"version": "ok", "credentials": "problem", "clock": "ok", "TLS": "warning"} == verdicts


def test_the_doctor_finds_missing_credentials(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALKJS_APP_ID")

    outcome = command("doctor")

    assert 2 == outcome.code
    assert "TALKJS_APP_ID" in outcome.out


class Skewed(SystemClock):
    """A server whose clock is right, while ours is wrong."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def time(self) -> float:
        return super().time() + self._seconds


@pytest.mark.parametrize(
    ("skew", "verdict", "words"),
    [
        (-12.0, "warning", "12 s ahead of TalkJS's"),
        (12.0, "warning", "12 s behind TalkJS's"),
        (100.0, "problem", "100 s behind TalkJS's: set it right"),
    ],
)
def test_the_doctor_measures_the_clock(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    skew: float,
    verdict: str,
    words: str,
) -> None:
    emulator = Emulator(clock=Skewed(skew), limits=Limits.off())
    monkeypatch.setenv("TALKJS_APP_ID", emulator.app_id)
    monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)

    with emulator.serve() as server:
        code = run(["--base-url", server.base_url, "doctor"])

    (line,) = (line for line in capsys.readouterr().out.splitlines() if " clock " in line)
    assert line.startswith(verdict)
    assert words in line.replace("11 s", "12 s").replace("13 s", "12 s").replace("99", "100")
    assert (0 if verdict == "warning" else 3) == code


def test_the_doctor_minds_a_secret_in_the_clear(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALKJS_SECRET_KEY", "sk_test_some_key_that_is_long_enough_to_sign")

    # An address of nobody (RFC 6761).
    code = run(["--app-id", "x", "--base-url", "http://talkjs.invalid", "doctor"])

    assert 3 == code
    assert "talkjs.invalid gets the secret in the clear" in capsys.readouterr().out


def test_the_emulator_s_own_options_are_shown(
    command: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = command("emulator", "--help")

    assert 0 == outcome.code
    assert outcome.out.startswith("usage: talkjs-async emulator")
    assert "--no-limits" in outcome.out


def test_the_emulator_starts(start: Start) -> None:
    process = start("emulator", "--port", "0", stdout=subprocess.PIPE)

    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())

    assert ready["base_url"].startswith("http://127.0.0.1:")


def test_the_demo_needs_no_network(command: Command) -> None:
    outcome = command("demo")

    assert 0 == outcome.code
    assert "bob: Gladly. Friday?" in outcome.out
    assert "0 refused" in outcome.out


def test_a_person_is_asked_for_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(app_id="a", base_url=None, secret_file=None, json=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

    assert "sk_typed" == settings.secret_key(ask=lambda _: " sk_typed ")
