"""A real redis-server for tests and benchmarks, on a socket that nobody else sees."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path


class RedisServer:
    """
    One process of Debian's redis-server, without persistence.

    Attributes:
        folder: Where its files are.
        port: Where it listens, too. 0 for nowhere.
        url: Where it is.
    """

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self.folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port
        self.url = f"unix://{folder}/redis.sock"

    def start(self) -> None:
        """Start it, with what it saved last if it did, and wait until it answers."""
        command = [
            *(
                "redis-server",
                "--port",
                str(self.port),
                "--unixsocket",
                str(self.folder / "redis.sock"),
            ),
            *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
            *self._options,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once; what it did not save is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Let it answer nobody."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End `hang`."""
        self._signal(signal.SIGCONT)

    def cli(self, *command: str) -> str:
        """Run a command with redis-cli and return what it says."""
        done = subprocess.run(
            ["redis-cli", "-s", str(self.folder / "redis.sock"), *command],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def _answers(self) -> bool:
        if not (self.folder / "redis.sock").exists():
            return False
        done = subprocess.run(
            ["redis-cli", "-s", str(self.folder / "redis.sock"), "ping"],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0 and b"LOADING" not in done.stdout

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
