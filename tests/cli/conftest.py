"""A TalkJS on a port, and the command line pointed at it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from talkjs_async.cli import run
from talkjs_async.emulator import Emulator, Limits, RealClock


@attrs.frozen
class Outcome:
    """What a command has left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Outcome]


@pytest.fixture
def emulator() -> Emulator:
    """An empty TalkJS in real time, without limits."""
    return Emulator(clock=RealClock(), limits=Limits.off())


@pytest.fixture
def base_url(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Its address; the environment has the credentials, the present directory is empty."""
    with emulator.serve() as server:
        monkeypatch.setenv("TALKJS_APP_ID", emulator.app_id)
        monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)
        monkeypatch.setenv("TALKJS_BASE_URL", server.base_url)
        monkeypatch.chdir(tmp_path)
        yield server.base_url


@pytest.fixture
def command(base_url: str, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process."""

    def run_it(*arguments: str) -> Outcome:
        code = run(arguments)
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run_it


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(base_url: str) -> Iterator[Start]:
    """Start the command line in a process of its own."""
    started = []

    def start_it(*arguments: str, **how: Any) -> subprocess.Popen[bytes]:
        command: Sequence[str] = [sys.executable, "-m", "talkjs_async", *arguments]
        # A terminal of this size, wherever the tests run.
        environment = {**os.environ, "COLUMNS": "100", "LINES": "30", "TERM": "xterm"}
        environment["PYTHONFAULTHANDLER"] = "1"
        process = subprocess.Popen(command, env=environment, **how)
        started.append(process)
        return process

    yield start_it
    for process in started:
        if process.poll() is None and process.stderr is not None:
            # What hangs says where it stands.
            process.send_signal(signal.SIGABRT)
            with suppress(subprocess.TimeoutExpired, ValueError):
                process.wait(timeout=10)
                sys.stdout.write(process.stderr.read().decode())
        process.kill()
        with process:
            """Wait for it, and close its pipes."""
