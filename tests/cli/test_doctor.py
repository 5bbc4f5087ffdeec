from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from talkjs_async.cli import run
from talkjs_async.emulator import Emulator, Limits, RealClock

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


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


class Skewed(RealClock):
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

    # An address that no host can have (RFC 6761).
    code = run(["--app-id", "x", "--base-url", "http://talkjs.invalid", "doctor"])

    assert 3 == code
    assert "talkjs.invalid gets the secret in the clear" in capsys.readouterr().out
