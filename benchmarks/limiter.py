"""
The rate limiter and its rivals: everything that we promise of it, in one run.

    python -m benchmarks limiter                      # the whole table; half an hour
    python -m benchmarks limiter --section drained    # a part of it
    python -m benchmarks limiter --smoke              # short, here and now, for regressions

The whole table makes a virtual environment for us and the rivals (folder `--environments`). The
short run uses the interpreter that runs it and compares with what that one has. Hours of traffic
are simulated with the limiters themselves, on a time that is made up: see `virtual`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from benchmarks.environments import REQUIREMENTS, is_here
from benchmarks.measure import ROOT, Result, Runs, work
from benchmarks.rivals.limiters import FLOOR, OURS, RIVALS
from benchmarks.tables import Note, Options, Row, run

ENVIRONMENT: Final = "limiters"
REQUIREMENTS[ENVIRONMENT] = [str(ROOT), "uvloop", "trio", *RIVALS]

WITH_BURST: Final = ("aiolimiter", "asynciolimiter", "pyrate-limiter", "throttled-py")
"""Those who know a burst, so that they can be given the server's bucket."""

CHEAP_TO_WAIT: Final = ("aiolimiter", "asynciolimiter", "pyrate-limiter")
"""Those whose waiters do not ask again and again, so that a long queue can be simulated."""


class Size(NamedTuple):
    """How long to measure."""

    rounds: int
    calls: int
    waiters: int
    rate: float
    seconds: float
    hours: float
    bulk: int
    bulk_minutes: float
    rivals: bool


FULL: Final = Size(
    rounds=5,
    calls=20_000,
    waiters=100_000,
    rate=5000.0,
    seconds=5.0,
    hours=2.0,
    bulk=100_000,
    bulk_minutes=30.0,
    rivals=True,
)
SMOKE: Final = Size(
    rounds=5,
    calls=5_000,
    waiters=5_000,
    rate=2500.0,
    seconds=1.0,
    hours=0.25,
    bulk=5_000,
    bulk_minutes=5.0,
    rivals=False,
)


class Bench:
    """
    Runs the sections.

    Attributes:
        missing: Contender to the reason why it gave no figure.
    """

    def __init__(self, python: str, size: Size, note: Note) -> None:
        self._python = python
        self._size = size
        self._note = note
        self.missing: dict[str, str] = {}

    def uncontended(self) -> list[Row]:
        """A token that is there."""
        rows = []
        for loop in ("asyncio", *self._rivals(("uvloop", "trio"))):
            rivals = self._rivals(RIVALS) if loop == "asyncio" else []
            runs = self._run("uncontended", [OURS, *rivals], str(self._size.calls), loop)
            us = runs.median(OURS, "ns") / 1000
            rows.append(Row(f"uncontended acquire + settle, {loop}", 2.0, us, None, "us CPU"))
        return rows

    def drained(self) -> list[Row]:
        """Many waiters that all get their token."""
        contenders = [OURS, FLOOR, *self._rivals(RIVALS)]
        waiters, rate = self._size.waiters, self._size.rate
        runs = self._run("drained", contenders, str(waiters), str(rate))
        ratio = runs.ratio(OURS, FLOOR, "us")
        overtaken = runs.median(OURS, "overtaken")
        return [
            Row(f"{waiters:,} waiters drained: CPU vs a Future each and one timer", 1.15, ratio),
            Row("the same: waiters that somebody overtook", 0, overtaken, 1, "%"),
        ]

    def waiting(self) -> list[Row]:
        """Many waiters that mostly wait."""
        waiters = self._size.waiters
        runs = self._run(
            "waiting",
            [OURS, FLOOR, *self._rivals(RIVALS)],
            str(waiters),
            str(self._size.seconds),
            most_rounds=3,
        )
        cpu = runs.median(OURS, "cpu_ms")
        return [Row(f"{waiters:,} tasks waiting at 9/s: CPU time", 20, cpu, None, "ms/s")]

    def served(self) -> list[Row]:
        """Saturated hours behind networks of several kinds."""
        rows = []
        names = {"jitter": "jitter of 10-300 ms", "tail": "heavy tail", "stalls": "3 s stalls"}
        for network, words in names.items():
            title = f"{self._size.hours:g} saturated hours, {words}"
            rows += _served(title, self._serve(network, "exact"), most_refused=0)
        return rows

    def surprises(self) -> list[Row]:
        """Servers that are not what the documentation says."""
        hours = self._size.hours
        title = f"{hours:g} saturated hours, "
        ticks, stranger = self._serve("jitter", "ticks"), self._serve("jitter", "stranger")
        return [
            *_served(f"{title}refill once a second", ticks, most_refused=20),
            # One big herd, then one in a hundred seconds: by then the rate that was cut is back.
            *_served(
                f"{title}a stranger takes a third",
                stranger,
                most_refused=20 + 60 * hours,
                most_unused=1,
            ),
        ]

    def restart(self) -> list[Row]:
        """A process that starts while the server's bucket is empty."""
        runs = self._serve("jitter", "exact", tokens=0)
        return [
            Row("restart on an empty bucket: 429s", 20, runs.median(OURS, "refused"), 1, ""),
            Row("the same: the last one", 2, runs.median(OURS, "last_refused"), 1, "s"),
        ]

    def in_flight(self) -> list[Row]:
        """What the cap on requests in flight is a compromise between."""
        rows = []
        for cap in (10, 20, 50, 100):
            seconds = self._run("burst", [OURS], str(cap), most_rounds=1).median(OURS, "seconds")
            herd = self._serve("jitter", "exact", tokens=0, cap=cap).median(OURS, "refused")
            burst = f"{cap} in flight: a burst of 600, 100 ms there and back"
            rows += [
                Row(burst, math.inf, seconds, None, "s", promised=False),
                Row("the same: 429s of a restart", math.inf, herd, None, "", promised=False),
            ]
        return rows

    def lanes(self) -> list[Row]:
        """Interactive calls beside bulk."""
        bulk = self._size.bulk
        seconds = 60 * self._size.bulk_minutes
        contenders = [OURS, *self._rivals(CHEAP_TO_WAIT)]
        runs = self._run("lanes", contenders, str(bulk), str(seconds), most_rounds=1)
        title = f"interactive calls while {bulk:,} bulk calls wait"
        return [
            Row(f"{title}: wait, p99", 0.11, runs.median(OURS, "p99_s"), 1, "s"),
            Row(f"{title}: longest wait", 0.25, runs.median(OURS, "longest_s"), 1, "s"),
        ]

    def _rivals(self, names: Sequence[str]) -> list[str]:
        if self._python != sys.executable:
            return list(names)
        return [name for name in names if is_here(name)]

    def _serve(self, network: str, server: str, *, tokens: int = 600, cap: int = 0) -> Runs:
        seconds = str(3600 * self._size.hours) if not cap else "60"
        contenders = [OURS] if cap else [OURS, *self._rivals(WITH_BURST)]
        return self._run(
            "served", contenders, network, server, seconds, str(tokens), str(cap), most_rounds=1
        )

    def _run(
        self, job: str, contenders: Sequence[str], *arguments: str, most_rounds: int = 100
    ) -> Runs:
        jobs: Mapping[str, Callable[[], Result]] = {
            name: partial(work, "workers.limiter_jobs", job, name, *arguments, python=self._python)
            for name in contenders
        }
        runs = Runs()
        section = " ".join([job, *arguments])
        for line in runs.interleave(jobs, min(self._size.rounds, most_rounds)):
            self._note({"section": section, **line})
        self.missing |= runs.failures
        return runs


def _served(title: str, runs: Runs, *, most_refused: float, most_unused: float = 0.1) -> list[Row]:
    unused = 100 - runs.median(OURS, "used")
    return [
        Row(f"{title}: 429s", most_refused, runs.median(OURS, "refused"), 1, ""),
        # In a short run, what is under way at its end weighs more.
        Row("the same: unused budget", most_unused, unused, 8, "%"),
    ]


SECTIONS: Final[dict[str, Callable[[Bench], list[Row]]]] = {
    "uncontended": Bench.uncontended,
    "drained": Bench.drained,
    "waiting": Bench.waiting,
    "served": Bench.served,
    "surprises": Bench.surprises,
    "restart": Bench.restart,
    "in_flight": Bench.in_flight,
    "lanes": Bench.lanes,
}


def make(options: Options, note: Note) -> Bench:
    """Get ready to measure."""
    size = SMOKE if options.smoke else FULL
    python = options.environments.needed(ENVIRONMENT)
    return Bench(python, size._replace(rounds=options.rounds or size.rounds), note)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when a promise is missed."""
    return run("limiter", __doc__, argv, sections=SECTIONS, make=make)


if __name__ == "__main__":
    sys.exit(main())
