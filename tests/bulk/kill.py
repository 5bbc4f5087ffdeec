"""
Kills jobs with SIGKILL at random moments, runs them again, and asks the emulator what it has.

    python -m tests.bulk.kill --kills 40 --records 2000

The emulator runs in a process of its own. Now and then it answers 503, before or after the commit,
or cuts the connection after the commit. Each pass of a job is a process of its own, too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from talkjs_async.emulator import Emulator, Limits, RealClock
from tests.bulk.kill_trials import TRIALS, Scene

HANGS_AFTER: Final = 300.0
"""Seconds after which a pass that was not killed has hung."""
FAULTS: Final = ("return-503", "return-503-after-commit", "drop-after-commit", "reset-after-commit")
SHARE: Final = 0.01
"""Of the requests that get one of these, each."""


@attrs.define
class Tally:
    """
    How often a job was killed.

    Attributes:
        kills: All of them.
        at_work: Those of a pass that had already sent something.
    """

    kills: int = 0
    at_work: int = 0


def serve(pipe: Connection) -> None:
    """Be an emulator, and answer questions about it."""
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    with emulator.serve() as server:
        pipe.send(server.base_url)
        while (question := pipe.recv()) is not None:
            what, *details = question
            pipe.send(getattr(_Answers(emulator), what)(*details))


@attrs.frozen
class _Answers:
    emulator: Emulator

    def requests(self) -> int:
        return self.emulator.requests.total

    def begin_faults(self) -> None:
        for fault in FAULTS:
            self.emulator.faults.add(fault, p=SHARE)

    def check(self, name: str, scene: Scene) -> str | None:
        """Return what is wrong. None: nothing."""
        self.emulator.faults.clear()
        try:
            TRIALS[name].check(scene, self.emulator)
        except AssertionError as error:
            return str(error)
        return None


class Killer:
    """Runs a job to its end, over and over, until it has been killed often enough."""

    def __init__(self, seed: int = 0) -> None:
        # A server that forks: a pass begins in milliseconds, and there is no thread of ours in it.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tests.bulk.kill_trials", "httpx", "httpcore"])
        self._random = random.Random(seed)

    def trial(self, name: str, count: int, kills: int) -> Tally:
        """Kill a job at least *kills* times."""
        tally = Tally()
        requests = self._to_the_end(name, count, [], tally)
        # After so many requests of a pass: on average, the last kill comes when the work is done.
        most = max(2, 2 * requests // kills)
        while tally.kills < kills:
            moments = [self._random.randint(0, most) for _ in range(kills - tally.kills)]
            self._to_the_end(name, count, moments, tally)
        return tally

    @contextmanager
    def _emulator(self) -> Iterator[tuple[str, Any]]:
        """Run an emulator; yield its address and how to ask it."""
        ours, theirs = self._processes.Pipe()
        process = self._processes.Process(target=serve, args=(theirs,))
        process.start()
        # Only then is the end of the emulator seen here.
        theirs.close()

        def answer() -> Any:
            if not ours.poll(HANGS_AFTER):
                raise AssertionError("the emulator hangs")
            return ours.recv()

        def ask(*question: Any) -> Any:
            ours.send(question)
            return answer()

        try:
            yield answer(), ask
            ours.send(None)
            process.join(10)
        finally:
            process.kill()
            process.join()

    def _to_the_end(self, name: str, count: int, moments: list[int], tally: Tally) -> int:
        """Run a job, kill its passes at *moments*, check it. Return the requests of the last."""
        with tempfile.TemporaryDirectory() as directory, self._emulator() as (base_url, ask):
            scene = Scene(base_url, Path(directory), count)
            anyio.run(TRIALS[name].prepare, scene)
            ask("begin_faults")
            for moment in moments:
                before = ask("requests")
                if self._pass(name, scene, ask, moment):
                    break
                tally.kills += 1
                tally.at_work += ask("requests") > before
            else:
                before = ask("requests")
                if not self._pass(name, scene, ask, None):
                    raise AssertionError("the job hangs")
            requests: int = ask("requests") - before
            wrong = ask("check", name, scene)
            if wrong is not None:
                raise AssertionError(wrong)
        return requests

    def _pass(self, name: str, scene: Scene, ask: Any, moment: int | None) -> bool:
        """
        Run one pass.

        Args:
            moment: Kill it after this many requests, or earlier. None: do not.

        Returns:
            Whether it came to its end.
        """
        goal = float("inf") if moment is None else ask("requests") + moment
        process = self._processes.Process(target=_run, args=(name, scene))
        process.start()
        deadline = time.monotonic() + HANGS_AFTER
        while process.is_alive() and time.monotonic() < deadline and ask("requests") < goal:
            time.sleep(0.001)
        if moment is not None:
            # Anywhere from the arrival of a request to some time after its answer was noted.
            process.join(self._random.expovariate(1 / 0.005))
        process.kill()
        process.join()
        if process.exitcode not in {0, -signal.SIGKILL}:
            raise AssertionError(f"the job failed with exit code {process.exitcode}")
        return process.exitcode == 0


def _run(name: str, scene: Scene) -> None:
    TRIALS[name].run(scene)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40, help="at least, for each job")
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--job", action="append", choices=list(TRIALS), help="by default, all")
    options = parser.parse_args()
    for job in options.job or TRIALS:
        begun = time.monotonic()
        tally = Killer(options.seed).trial(job, options.records, options.kills)
        seconds = time.monotonic() - begun
        sys.stdout.write(
            f"{job}: {options.records} records, killed {tally.kills} times, {tally.at_work} of "
            f"them at work: all as if it never was ({seconds:.0f} s)\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
