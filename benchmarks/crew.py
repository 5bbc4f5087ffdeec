"""Real processes that share one budget on a Redis of their own. Called by `redis`."""

from __future__ import annotations

import json
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory

from benchmarks.measure import environment, stage
from benchmarks.workers.redis_jobs import Job
from tests.redis_server import RedisServer


class Crew:
    """
    Processes that share one budget, on a Redis of their own.

    Attributes:
        start: When they began, on the monotonic clock.
        grants: When each was granted something.
        calls: How many scripts Redis ran.
    """

    def __init__(self, python: str, server: RedisServer) -> None:
        self._python = python
        self._server = server
        self._workers: list[subprocess.Popen[str]] = []
        self.start = float("nan")
        self.grants: list[list[float]] = []
        self.waits: list[list[float]] = []
        self.cpu = 0.0
        self.errors = 0
        self.calls = 0

    def hire(self, contender: str, job: Job) -> None:
        """Start one process."""
        command = [self._python, "-m", "benchmarks.workers.redis_jobs"]
        arguments = [contender.partition(",")[0], json.dumps(job._asdict())]
        worker = subprocess.Popen(
            [*command, *arguments],
            cwd=stage(),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._workers.append(worker)

    def begin(self) -> None:
        """Have all of them begin at once, as soon as all are ready."""
        for worker in self._workers:
            if worker.stdout is not None:
                worker.stdout.readline()
        self.start = time.monotonic() + 0.5
        for worker in self._workers:
            if worker.stdin is not None:
                worker.stdin.write(f"{self.start}\n")
                worker.stdin.flush()

    def kill(self, number: int) -> None:
        """End a process at once. What it has told aloud is all that is known of it."""
        self._workers[number].kill()

    def wait_until(self, second: float) -> None:
        """Return that long after the start."""
        time.sleep(max(self.start + second - time.monotonic(), 0.0))

    def finish(self) -> None:
        """
        Collect what they have to say.

        Raises:
            RuntimeError: One of them failed.
        """
        for worker in self._workers:
            out, err = worker.communicate()
            if worker.returncode == -SIGKILL:
                self.grants.append([float(line) for line in out.splitlines()])
                continue
            if worker.returncode:
                raise RuntimeError((err.strip().splitlines() or ["no reason given"])[-1])
            said = json.loads(out.splitlines()[-1])
            self.grants.append(said["grants"])
            self.waits.append(said["waits"])
            self.cpu += said["cpu"]
            self.errors += said["errors"]
        statistics = self._server.cli("info", "commandstats").splitlines()
        for line in statistics:
            name, _, figures = line.partition(":")
            if name in {"cmdstat_eval", "cmdstat_evalsha"}:
                self.calls += int(dict(each.split("=") for each in figures.split(","))["calls"])

    def between(self, first: float, last: float) -> int:
        """How many grants there were between two moments after the start."""
        return sum(first <= each - self.start < last for one in self.grants for each in one)

    def longest_pause(self, first: float, last: float) -> float:
        """For how long nobody was granted anything between two moments after the start."""
        seconds = sorted(each - self.start for one in self.grants for each in one)
        ends = [first, *(each for each in seconds if first <= each < last), last]
        return max(later - earlier for earlier, later in pairwise(ends))


class Site:
    """A Redis, for as long as one crew works."""

    def __init__(self, python: str) -> None:
        self._python = python
        # The path of a socket may not be longer than 100 characters or so.
        self._folder = TemporaryDirectory(prefix="redis-")
        self._server = RedisServer(Path(self._folder.name))

    def __enter__(self) -> tuple[Crew, RedisServer]:
        self._server.start()
        return Crew(self._python, self._server), self._server

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._folder.cleanup()
