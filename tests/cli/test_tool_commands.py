from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from talkjs_async.emulator import Emulator
from talkjs_async.webhooks import Webhooks

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]

short_key = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


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
