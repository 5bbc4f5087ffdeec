"""
One budget for several processes through Redis: what we promise of it, and the rivals.

    python -m benchmarks redis                        # the whole table; some ten minutes
    python -m benchmarks redis --section saturated    # a part of it
    python -m benchmarks redis --smoke                # short, here and now, for regressions

Starts a redis-server of its own and four worker processes, in real time: nothing is simulated, but
for the section `failures`. The section `stores` runs the tests of what a real Redis does. Each
run begins with a full bucket, smaller than TalkJS's so that it is soon empty. What the processes
were granted is put through one exact token bucket afterwards; "overshoot" is its deepest debt, and
"unused" counts from the first grant on.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median, quantiles
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

import redis

from benchmarks.crew import Crew, Site
from benchmarks.environments import REQUIREMENTS, is_here
from benchmarks.measure import ROOT, Result, Runs
from benchmarks.tables import Note, Options, Row, run
from benchmarks.workers.redis_jobs import OURS, RIVALS, Job
from tests.redis.protocol_world import SimulatedRedis, World
from tests.redis.troubles import TROUBLES, cut_off, lost_again_and_again
from tests.redis_server import RedisServer

ENVIRONMENT: Final = "redis"
REQUIREMENTS[ENVIRONMENT] = [str(ROOT), "redis", "pyrate-limiter", "throttled-py[redis]"]

PROCESSES: Final = 4
RATE: Final = 9.0
NO_LANES: Final = f"{OURS}, one lane"
FAIL_OPEN: Final = f"{OURS}, fail-open"
FAIL_CLOSED: Final = f"{OURS}, fail-closed"

STORE_TESTS: Final = ROOT / "tests/redis/test_store_failures.py"
STORE_FIGURES: Final = {
    "old dump: 429s": (2, ""),
    "Sentinel's failover: 429s": (2, ""),
    "master demoted: 429s": (2, ""),
    "master demoted: away for s": (2, "s"),
    "bucket gone, new processes: 429s": (2, ""),
    "away, short-lived members: unused %": (20, "%"),
    "away, 8 just started: 429s": (2, ""),
    "other settings: 429s": (2, ""),
    "round trip of 0.2 s with TLS: unused %": (5, "%"),
    "state that passes, first call: refused": (0, ""),
    "the same, when it has passed: back after s": (2, "s"),
    "certificate not trusted: refused without saying so": (0, ""),
    "URL of a Cluster's node: not served": (0, ""),
    "asking event loop stuck: waited s": (1, "s"),
    "evicted twice a second: unused %": (20, "%"),
    "slow answers, burst 20: 429s": (0, ""),
}
"""What those tests note, the most that it may be, and its unit."""


class Size(NamedTuple):
    """How long to measure, in seconds."""

    rounds: int
    saturated: float
    sporadic: float
    outage: float
    lanes: float
    rivals: bool


FULL: Final = Size(rounds=1, saturated=40, sporadic=20, outage=36, lanes=30, rivals=True)
SMOKE: Final = Size(rounds=1, saturated=8, sporadic=5, outage=9, lanes=8, rivals=False)


def judge(grants: Sequence[float], *, start: float, rate: float, burst: int) -> float:
    """The deepest debt of a bucket that was full at *start*, in tokens. Negative: none ever."""
    tokens, now, least = float(burst), start, float(burst)
    for moment in sorted(grants):
        tokens = min(burst, tokens + (moment - now) * rate) - 1
        now = moment
        least = min(least, tokens)
    return -least


def spread(counts: Sequence[float]) -> float:
    """How far the one who got most or least is from the mean, in percent of it."""
    middle = mean(counts)
    return 100 * max(abs(each - middle) for each in counts) / middle if middle else float("nan")


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

    def saturated(self) -> list[Row]:
        """Everybody wants more than there is."""
        seconds = self._size.saturated
        burst = 60
        title = f"{PROCESSES} processes x 10 tasks at {RATE:g}/s, burst {burst}, {seconds:g} s"
        contenders = (OURS, *self._rivals())
        runs = self._run(title, {name: partial(self._saturate, name, burst) for name in contenders})
        return [
            Row("saturated: overshoot", 1, runs.median(OURS, "overshoot"), 1.5, "tokens"),
            Row("saturated: unused budget", 0.6, runs.median(OURS, "unused_%"), 4, "%"),
            Row("saturated: script calls per grant", 0.5, runs.median(OURS, "calls/grant"), 2.4),
            Row("saturated: unfairness", 20, runs.median(OURS, "unfair_%"), 2, "%"),
        ]

    def _saturate(self, contender: str, burst: int) -> Result:
        with self._crew() as (crew, server):
            seconds = self._size.saturated
            job = Job(server.url, RATE, burst, seconds)
            for _ in range(PROCESSES):
                crew.hire(contender, job)
            crew.begin()
            crew.finish()
            granted = sum(map(len, crew.grants))
            moments = sorted(each for one in crew.grants for each in one)
            # Before the first grant, connections were opened.
            allowed = burst + RATE * (crew.start + seconds - moments[0])
            since = moments[burst]
            return {
                "unused_%": max(100 * (1 - granted / allowed), 0.0),
                "overshoot": self._overshoot(crew, RATE, burst),
                "calls/grant": crew.calls / granted,
                "unfair_%": spread([sum(each >= since for each in one) for one in crew.grants]),
                "client_us/grant": 1e6 * crew.cpu / granted,
                "errors": crew.errors,
            }

    def sporadic(self) -> list[Row]:
        """Calls at random moments, for which there is enough."""
        seconds = self._size.sporadic
        title = f"{PROCESSES} processes x 40 calls/s at random, of 200/s, {seconds:g} s"
        contenders = (OURS, *self._rivals())
        runs = self._run(title, {name: partial(self._sprinkle, name) for name in contenders})
        return [Row("sporadic: script calls per grant", 0.1, runs.median(OURS, "calls/grant"))]

    def _sprinkle(self, contender: str) -> Result:
        with self._crew() as (crew, server):
            job = Job(server.url, 200, 600, self._size.sporadic, tasks=0, arrivals=40)
            for _ in range(PROCESSES):
                crew.hire(contender, job)
            crew.begin()
            crew.finish()
            granted = sum(map(len, crew.grants))
            return {
                "calls/grant": crew.calls / granted,
                **_milliseconds([each for one in crew.waits for each in one]),
                "overshoot": self._overshoot(crew, 200, 600),
                "client_us/grant": 1e6 * crew.cpu / granted,
            }

    def lost(self) -> list[Row]:
        """One of the processes is killed."""
        half = self._size.outage / 2
        title = f"{PROCESSES} processes at {RATE:g}/s, one of them killed after {half:g} s"
        contenders = (OURS, *self._rivals())
        runs = self._run(title, {name: partial(self._lose, name, half) for name in contenders})
        return [
            Row("process killed: overshoot", 1, runs.median(OURS, "overshoot"), 1.5, "tokens"),
            Row("process killed: then nobody goes on for", 2, runs.median(OURS, "pause_s"), 1, "s"),
        ]

    def _lose(self, contender: str, half: float) -> Result:
        burst = 20
        with self._crew() as (crew, server):
            job = Job(server.url, RATE, burst, 2 * half)
            for number in range(PROCESSES):
                crew.hire(contender, job._replace(aloud=number == 0))
            crew.begin()
            crew.wait_until(half)
            crew.kill(0)
            crew.finish()
            after = crew.between(half, 2 * half)
            return {
                "unused_%": 100 * (1 - after / (RATE * half)),
                "overshoot": self._overshoot(crew, RATE, burst),
                "pause_s": crew.longest_pause(half, 2 * half),
                "its_own": len(crew.grants[0]),
                "after": after,
                "allowed": RATE * half,
                "errors": crew.errors,
            }

    def killed(self) -> list[Row]:
        """Redis dies and comes back empty."""
        return self._outage("killed", RedisServer.kill, RedisServer.start, most=1)

    def hung(self) -> list[Row]:
        """Redis does not answer, and then goes on."""
        return self._outage("hung", RedisServer.hang, RedisServer.go_on, most=7)

    def _outage(
        self,
        what: str,
        begin: Callable[[RedisServer], None],
        end: Callable[[RedisServer], None],
        *,
        most: float,
    ) -> list[Row]:
        third = self._size.outage / 3
        title = (
            f"{PROCESSES} processes at {RATE:g}/s, Redis {what} for {third:g} of {3 * third:g} s"
        )
        policies = {OURS: "share"}
        if self._size.rivals:
            policies |= {FAIL_OPEN: "open", FAIL_CLOSED: "closed"}
        runs = self._run(
            title,
            {
                name: partial(self._interrupt, name, policy, begin, end)
                for name, policy in policies.items()
            },
        )
        return [
            Row(f"Redis {what}: overshoot", most, runs.median(OURS, "overshoot"), 1.5, "tokens"),
            Row(f"Redis {what}: unused while away", 5, runs.median(OURS, "unused_%"), 4, "%"),
            Row(f"Redis {what}: nobody goes on for", 2, runs.median(OURS, "pause_s"), 1, "s"),
        ]

    def _interrupt(
        self,
        contender: str,
        on_outage: str,
        begin: Callable[[RedisServer], None],
        end: Callable[[RedisServer], None],
    ) -> Result:
        burst = 20
        third = self._size.outage / 3
        with self._crew() as (crew, server):
            job = Job(server.url, RATE, burst, 3 * third, on_outage=on_outage)
            for _ in range(PROCESSES):
                crew.hire(contender, job)
            crew.begin()
            crew.wait_until(third)
            begin(server)
            crew.wait_until(2 * third)
            end(server)
            crew.finish()
            during = crew.between(third, 2 * third)
            return {
                "unused_%": 100 * (1 - during / (RATE * third)),
                "overshoot": self._overshoot(crew, RATE, burst),
                "pause_s": crew.longest_pause(third, 3 * third),
                "before": crew.between(0, third),
                "during": during,
                "after": crew.between(2 * third, 3 * third),
                "allowed": RATE * third,
                "errors": crew.errors,
            }

    def lanes(self) -> list[Row]:
        """A process that serves people, beside three with bulk jobs."""
        title = f"calls at random, 1.5/s, beside 3 bulk processes at {RATE:g}/s"
        contenders = {OURS: "background"}
        if self._size.rivals:
            contenders[NO_LANES] = "interactive"
        runs = self._run(
            title, {name: partial(self._share, name, lane) for name, lane in contenders.items()}
        )
        return [
            Row("interactive beside bulk: wait, p50", 5, runs.median(OURS, "p50_ms"), 2, "ms"),
            Row("interactive beside bulk: wait, p95", 5, runs.median(OURS, "p95_ms"), 20, "ms"),
        ]

    def _share(self, contender: str, bulk_lane: str) -> Result:
        burst, seconds = 100, self._size.lanes
        with self._crew() as (crew, server):
            bulk = Job(server.url, RATE, burst, seconds, lane=bulk_lane, floor=30)
            people = bulk._replace(lane="interactive", tasks=0, arrivals=1.5)
            for job in (bulk, bulk, bulk, people):
                crew.hire(contender, job)
            crew.begin()
            crew.finish()
            granted = sum(map(len, crew.grants))
            return {
                **_milliseconds(crew.waits[-1]),
                "people": len(crew.grants[-1]),
                "bulk": granted - len(crew.grants[-1]),
                "allowed": burst + RATE * seconds,
                "overshoot": self._overshoot(crew, RATE, burst),
            }

    def failures(self) -> list[Row]:
        """One thing goes wrong, in simulated time, with the real script on a real Redis."""
        rows = []
        for trouble in (*TROUBLES, cut_off, lost_again_and_again):
            name = trouble.__name__.replace("_", " ")
            runs = self._run(f"{PROCESSES} processes, {name}", {OURS: partial(self._fail, trouble)})
            # A process that is cut off sends its share beside the others: a quarter of 9/s for 8 s.
            most = 20 if trouble is lost_again_and_again else 18 if trouble is cut_off else 2
            rows += [
                Row(f"{name}: 429s", most, runs.median(OURS, "429s"), 1, ""),
                Row(f"{name}: unused", 20, runs.median(OURS, "unused_%"), 1.5, "%"),
            ]
        storm = self._run("another client takes all for 15 s", {OURS: self._storm})
        hour = self._run("another client takes half for an hour", {OURS: self._hour})
        return [
            *rows,
            Row("15 s of 429s: 90 % of the rate after", 60, storm.median(OURS, "s"), 1, "s"),
            # One a minute.
            Row("half taken for an hour: 429s", 60, hour.median(OURS, "429s"), None, ""),
        ]

    def _storm(self) -> Result:
        seconds, refused = [], []
        with self._crew() as (_, server), redis.Redis.from_url(server.url) as client:
            for seed in range(3):
                world = self._world(client, seed)
                world.others = RATE
                world.run(15.0)
                world.others, end = 0.0, world.now
                refused.append(len(world.refused))
                while world.processes[0].account.effective_rate < 0.9 * RATE:
                    world.run(1.0)
                seconds.append(world.now - end)
        return {"s": max(seconds), "429s": max(refused)}

    def _hour(self) -> Result:
        with self._crew() as (_, server), redis.Redis.from_url(server.url) as client:
            world = self._world(client, 7)
            start = world.now
            world.others = RATE / 2
            world.run(3600.0 if self._size.rivals else 60.0)
            return {"429s": len(world.refused), "used_%": 100 * world.used(since=start)}

    def _fail(self, trouble: Callable[[World], None]) -> Result:
        refused, unused = [0], []
        with self._crew() as (_, server), redis.Redis.from_url(server.url) as client:
            for seed in range(12):
                world = self._world(client, seed)
                start = world.now
                trouble(world)
                world.run(6.0)
                refused.append(len(world.refused))
                unused.append(100 * (1 - world.used(since=start)))
        return {"429s": max(refused), "unused_%": max(mean(unused), 0.0)}

    @staticmethod
    def _world(client: redis.Redis, seed: int) -> World:
        """Processes that want everything, on a server whose burst is used up."""
        world = World(SimulatedRedis(client, f"run {seed}"), seed)
        for _ in range(PROCESSES):
            world.start()
        world.run(15.0 + 0.13 * seed)
        world.empty_the_server()
        return world

    def stores(self) -> list[Row]:
        """What Redis does to its users. The tests do it, and note what came of it."""
        if not self._size.rivals:
            return []
        with TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [sys.executable, "-m", "pytest", "-q", str(STORE_TESTS)]
            # The only family of reports that holds what a test notes.
            command += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
            # A test that fails has noted its figures all the same.
            subprocess.run(command, cwd=ROOT, check=False)
            noted: dict[str, list[float]] = {}
            for each in ET.parse(report).iter("property"):
                noted.setdefault(each.attrib["name"], []).append(float(each.attrib["value"]))
        # Once on each event loop.
        figures = {name: max(values) for name, values in noted.items()}
        self._note({"section": "stores", "contender": OURS, **figures})
        return [
            Row(name, most, figures.get(name, float("nan")), None, unit)
            for name, (most, unit) in STORE_FIGURES.items()
        ]

    def _rivals(self) -> list[str]:
        if not self._size.rivals:
            return []
        return [name for name in RIVALS if self._python != sys.executable or is_here(name)]

    def _overshoot(self, crew: Crew, rate: float, burst: int) -> float:
        grants = [each for one in crew.grants for each in one]
        return judge(grants, start=crew.start, rate=rate, burst=burst)

    def _crew(self) -> Site:
        return Site(self._python)

    def _run(self, title: str, jobs: dict[str, Callable[[], Result]]) -> Runs:
        runs = Runs()
        for line in runs.interleave(jobs, self._size.rounds):
            self._note({"section": title, **line})
        self.missing |= runs.failures
        return runs


def _milliseconds(waits: Sequence[float]) -> Result:
    parts = quantiles(waits, n=20) if len(waits) > 1 else [float("nan")] * 19
    return {
        "p50_ms": 1000 * median(waits or [float("nan")]),
        "p95_ms": 1000 * parts[18],
        "longest_ms": 1000 * max(waits, default=float("nan")),
    }


SECTIONS: Final[dict[str, Callable[[Bench], list[Row]]]] = {
    "saturated": Bench.saturated,
    "sporadic": Bench.sporadic,
    "lost": Bench.lost,
    "killed": Bench.killed,
    "hung": Bench.hung,
    "lanes": Bench.lanes,
    "failures": Bench.failures,
    "stores": Bench.stores,
}


def make(options: Options, note: Note) -> Bench:
    """Get ready to measure."""
    size = SMOKE if options.smoke else FULL
    python = options.environments.needed(ENVIRONMENT)
    return Bench(python, size._replace(rounds=options.rounds or size.rounds), note)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when a promise is missed."""
    return run("redis", __doc__, argv, sections=SECTIONS, make=make)


if __name__ == "__main__":
    sys.exit(main())
