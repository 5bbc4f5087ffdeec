"""
What is measured for the table of speed and footprint, section by section.

Each section measures all its contenders in interleaved rounds and says which figures we promise.
Called by `speed` only.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import decode
from benchmarks.certificates import issue
from benchmarks.environments import Environments
from benchmarks.measure import Result, Runs, work
from benchmarks.rivals.clients import (
    BASELINE,
    CONTENDERS,
    OURS,
    OURS_HTTPX2,
    OURS_MESSAGES,
)
from benchmarks.server import serving
from benchmarks.tables import Note, Row
from benchmarks.workers.startup import STATEMENTS

RAW = (BASELINE, "raw httpx2", "raw aiohttp")
RIVALS = ("openai", "stripe", "githubkit", "getstream", "stream-chat", "slack_sdk")

PROMISED_CALLS = {1: 1.10, 100: 0.60, 600: 0.45}
"""Number of callers to what a call may cost of raw httpx."""

BARE_IMPORT = "import talkjs_async"
CLIENT_IMPORT = STATEMENTS[OURS]
HTTPX_IMPORT = "import httpx"
IMPORTS = {
    BARE_IMPORT: "base",
    CLIENT_IMPORT: "base",
    HTTPX_IMPORT: "base",
    "import httpx2": "extras",
    "import aiohttp": "extras",
    "import openai": "openai",
    "import stripe": "stripe",
    "import githubkit": "githubkit",
    "import getstream": "getstream",
    "import stream_chat": "stream-chat",
    "import slack_sdk": "slack_sdk",
}
"""Statement to the environment that can run it."""


class Size(NamedTuple):
    """How long to measure."""

    rounds: int
    calls: int
    callers: tuple[int, ...]
    messages: int
    rivals: bool


FULL = Size(rounds=7, calls=1000, callers=(1, 10, 100, 600), messages=1_000_000, rivals=True)
SMOKE = Size(rounds=3, calls=200, callers=(1, 100), messages=20_000, rivals=False)


class Bench:
    """
    Runs the sections.

    Args:
        environments: Where contenders are installed.
        size: How long to measure.
        note: Called with every measurement: the section and the figures.

    Attributes:
        missing: Contender to the reason why it gave no figure.
    """

    def __init__(self, environments: Environments, size: Size, note: Note) -> None:
        self.environments = environments
        self.size = size
        self.missing: dict[str, str] = {}
        self._note = note

    def calls(self) -> list[Row]:
        """CPU time of a call, by number of callers."""
        rows = []
        with serving() as url:
            for callers in self.size.callers:
                names = self._names(*RAW, rivals=callers <= 100)
                calls = max(self.size.calls, 3 * callers)
                runs = self._run(
                    "calls", names, "workers.calls", url, str(callers), str(calls), "warm"
                )
                if callers in PROMISED_CALLS:
                    what = f"CPU per call, callers: {callers}, vs raw httpx"
                    ratio = runs.ratio(OURS, BASELINE, "cpu_us")
                    rows.append(Row(what, PROMISED_CALLS[callers], ratio))
        return rows

    def burst(self) -> list[Row]:
        """600 calls that start together on a client that is not connected yet."""
        names = [OURS]
        if self.size.rivals:
            names = self._available(OURS, OURS_HTTPX2, BASELINE, "raw aiohttp")
        with serving() as url:
            runs = self._run("burst", names, "workers.calls", url, "600", "600", "cold")
        failed = max(line["failed"] for line in runs.lines if "talkjs" in line["contender"])
        rows = [Row("cold burst of 600: calls that failed", 0, failed, unit="calls")]
        if BASELINE in names:
            ratio = runs.ratio(OURS, BASELINE, "wall_s")
            rows.append(Row("cold burst of 600: wall time, vs raw httpx", 0.40, ratio))
        return rows

    def overhead(self) -> list[Row]:
        """The SDK alone."""
        names = [name for name in self._names(*RAW) if CONTENDERS[name].in_process]
        runs = self._run("overhead", names, "workers.overhead", str(3 * self.size.calls))
        cpu, ratio = runs.median(OURS, "cpu_us"), runs.ratio(OURS, BASELINE, "cpu_us")
        return [
            # A time says nothing on another machine; a ratio does.
            Row("SDK alone: CPU per call", 120, cpu, slack=None, unit="us"),
            Row("SDK alone: CPU per call vs raw httpx alone", 1.10, ratio),
            Row("SDK alone: garbage", 40, runs.median(OURS, "garbage"), slack=1, unit="blocks"),
        ]

    def page(self) -> list[Row]:
        """100 messages, from bytes to models."""
        python = self._interpreter("extras")
        if python is None:
            return []
        jobs = decode.jobs(self.size.calls, python)
        if not self.size.rivals:
            jobs = {name: jobs[name] for name in (decode.OURS, decode.PYDANTIC)}
        runs = self._interleave("page", jobs)
        ratio = partial(runs.median, figure="ratio")
        rows = [Row("100 messages into models vs json.loads alone", 1.5, ratio(decode.OURS))]
        for rival in (decode.PYDANTIC, "pydantic v2, validate_json", "cattrs"):
            if rival in jobs and rival not in runs.failures:
                what = f"100 messages into models vs {rival}"
                rows.append(Row(what, 1.0, ratio(decode.OURS) / ratio(rival)))
        return rows

    def memory(self) -> list[Row]:
        """A list that is streamed."""
        messages = self.size.messages
        with serving() as url:
            job = partial(
                work, "workers.memory", url, str(messages), python=self._interpreter("base") or ""
            )
            runs = self._interleave("memory", {OURS: job}, rounds=1)
        growth = runs.median(OURS, "growth_mb")
        what = f"{messages:,} messages streamed: growth of memory"
        return [Row(what, 5, growth, slack=1, unit="MB")]

    def imports(self) -> list[Row]:
        """CPU time and modules of imports."""
        wanted = list(IMPORTS) if self.size.rivals else [BARE_IMPORT, CLIENT_IMPORT, HTTPX_IMPORT]
        jobs = {
            statement: partial(work, "workers.startup", "import", statement, python=python)
            for statement in wanted
            if (python := self._interpreter(IMPORTS[statement]))
        }
        runs = self._interleave("imports", jobs, warm_up=True)
        ratio = partial(runs.ratio, baseline=HTTPX_IMPORT, figure="cpu_ms")
        modules = partial(runs.median, figure="modules")
        return [
            Row(f"`{BARE_IMPORT}` vs `{HTTPX_IMPORT}`", 0.6, ratio(BARE_IMPORT)),
            Row("the same: modules", 120, modules(BARE_IMPORT), slack=1, unit=""),
            # What programs that send messages write instead. It cannot be as light: see the page.
            Row(f"`{CLIENT_IMPORT}`", 2.0, ratio(CLIENT_IMPORT), promised=False),
            Row("the same: modules", 320, modules(CLIENT_IMPORT), 1, "", promised=False),
        ]

    def first_call(self) -> list[Row]:
        """A fresh process up to its first answer, over TLS."""
        if not (find_spec("trustme") and find_spec("certifi")):
            self.missing["first call"] = "needs trustme and certifi"
            return []
        names = [OURS, BASELINE]
        if self.size.rivals:
            ours = (OURS, OURS_MESSAGES, OURS_HTTPX2)
            names = self._available(*ours, *RAW, "openai")
        with TemporaryDirectory() as folder:
            certificate, trust = issue(Path(folder))
            with serving(str(certificate)) as url:
                runs = {}
                for job, section in (("call", "first_call"), ("block", "first_block")):
                    do = partial(work, "workers.startup", job, env=trust)
                    jobs = {
                        name: partial(do, name, url, python=self._python(name)) for name in names
                    }
                    runs[job] = self._interleave(section, jobs, warm_up=True)
        cpu = runs["call"].ratio(OURS, BASELINE, "cpu_ms")
        blocked = partial(runs["block"].median, figure="blocked_ms")
        against = runs["block"].ratio(OURS, BASELINE, "blocked_ms")
        title = "first call: the event loop is blocked for"
        rows = [
            Row("first call of a process, TLS included: CPU vs raw httpx", 1.25, cpu, slack=2),
            Row(title, 5, blocked(OURS), slack=None, unit="ms"),
            Row("the same vs raw httpx", 0.4, against, promised=False),
        ]
        if OURS_MESSAGES in names:
            what = f"{title} (messages)"
            rows.append(Row(what, 5, blocked(OURS_MESSAGES), slack=None, unit="ms"))
        return rows

    def size_on_disk(self) -> list[Row]:
        """What an installation takes."""
        rows = []
        for name in ("base", "httpx", *RIVALS):
            packages = self.environments.site_packages(name)
            if packages is None:
                continue
            megabytes, count = _megabytes(packages), len(list(packages.glob("*.dist-info")))
            self._note(
                {"section": "size", "contender": name, "mb": megabytes, "distributions": count}
            )
            if name == "base":
                rows = [
                    Row("installed size", 3, megabytes, unit="MB"),
                    Row("the same: distributions, ours included", 10, count, unit=""),
                ]
        return rows

    # Machinery.

    def _names(self, *others: str, rivals: bool = True) -> list[str]:
        if not self.size.rivals:
            return [OURS, BASELINE]
        names = [OURS, OURS_HTTPX2, *others]
        return self._available(*names, *(RIVALS if rivals else ()))

    def _available(self, *names: str) -> list[str]:
        return [name for name in names if self._python(name)]

    def _python(self, contender: str) -> str:
        return self._interpreter(CONTENDERS[contender].environment) or ""

    def _interpreter(self, environment: str) -> str | None:
        python = self.environments.python(environment)
        if python is None:
            self.missing[environment] = self.environments.missing[environment]
        return python

    def _run(self, section: str, names: Iterable[str], worker: str, *arguments: str) -> Runs:
        jobs = {
            name: partial(work, worker, name, *arguments, python=self._python(name))
            for name in names
        }
        return self._interleave(section, jobs)

    def _interleave(
        self,
        section: str,
        jobs: dict[str, partial[Result]],
        *,
        rounds: int | None = None,
        warm_up: bool = False,
    ) -> Runs:
        runs = Runs()
        if warm_up:
            # The first time, what is imported is compiled.
            list(Runs().interleave(jobs, 1))
        for line in runs.interleave(jobs, rounds or self.size.rounds):
            self._note({"section": section, **line})
        self.missing |= runs.failures
        return runs


def _megabytes(packages: Path) -> float:
    """MiB of what was installed; compiled files are not a part of it."""
    files = [
        path
        for path in packages.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "_virtualenv" not in path.name
    ]
    return sum(path.stat().st_size for path in files) / 2**20
