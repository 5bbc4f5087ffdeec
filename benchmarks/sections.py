"""
What is measured for the table of speed and footprint, section by section.

Each section measures all its contenders in interleaved rounds and says which figures we promise.
Called by `speed` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import decode
from benchmarks.certificates import issue
from benchmarks.clients import BASELINE, CONTENDERS, OURS, OURS_AIOHTTP, OURS_HTTPX2
from benchmarks.environments import Environments
from benchmarks.measure import Result, Runs, work
from benchmarks.server import serving
from benchmarks.startup import STATEMENTS

RAW = (BASELINE, "raw httpx2", "raw aiohttp")
RIVALS = ("openai", "stripe", "githubkit", "getstream", "stream-chat", "slack_sdk")

CLIENT_IMPORT = STATEMENTS[OURS]
IMPORTS = {
    "import talkjs_async": "base",
    CLIENT_IMPORT: "base",
    "import httpx": "base",
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


class Row(NamedTuple):
    """
    One promise.

    Attributes:
        what: In words.
        most: The figure to reach.
        figure: What was measured. NaN: nothing was.
        slack: By how much a short run may miss it: noise is no regression.
        unit: "x" for ratios.
    """

    what: str
    most: float
    figure: float
    slack: float = 1.5
    unit: str = "x"


class Size(NamedTuple):
    """How long to measure."""

    rounds: int
    calls: int
    callers: tuple[int, ...]
    messages: int
    rivals: bool


FULL = Size(rounds=7, calls=1000, callers=(1, 10, 100, 600), messages=1_000_000, rivals=True)
SMOKE = Size(rounds=3, calls=300, callers=(1, 100), messages=30_000, rivals=False)


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

    def __init__(
        self, environments: Environments, size: Size, note: Callable[[Result], None]
    ) -> None:
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
                runs = self._run("calls", names, "calls", url, str(callers), str(calls), "warm")
                ratio = partial(runs.ratio, baseline=BASELINE, figure="cpu_us")
                if callers in {1, 100, 600}:
                    most = {1: 1.10, 100: 0.60, 600: 0.45}[callers]
                    who = "1 caller" if callers == 1 else f"{callers} callers"
                    rows.append(Row(f"CPU per call, {who}, vs raw httpx", most, ratio(OURS)))
        return rows

    def burst(self) -> list[Row]:
        """600 calls that start together on a client that is not connected yet."""
        names = [OURS, OURS_AIOHTTP, BASELINE, "raw aiohttp"]
        if not self.size.rivals:
            names = [OURS]
        names = [name for name in names if self._python(name)]
        with serving() as url:
            runs = self._run("burst", names, "calls", url, "600", "600", "cold", most_rounds=5)
        failed = [
            line["failed"] for line in runs.lines if line["contender"] in {OURS, OURS_AIOHTTP}
        ]
        rows = [Row("cold burst of 600: calls that failed", 0, max(failed), 1, "")]
        for name, most in ((OURS, 0.40), (OURS_AIOHTTP, 0.15)):
            if BASELINE in names:
                ratio = runs.ratio(name, BASELINE, "wall_s")
                rows.append(Row(f"cold burst of 600: wall, {name} vs raw httpx", most, ratio))
        return rows

    def overhead(self) -> list[Row]:
        """The SDK alone."""
        names = [name for name in self._names(*RAW) if CONTENDERS[name].in_process]
        runs = self._run("overhead", names, "overhead", str(3 * self.size.calls))
        rows = [Row("SDK alone: garbage per call", 40, runs.median(OURS, "garbage"), 1.2, "blocks")]
        if self.size.rivals:
            rows.insert(
                0, Row("SDK alone: CPU per call", 120, runs.median(OURS, "cpu_us"), unit="us")
            )
        # An absolute time says nothing on another machine; a ratio does.
        ratio = runs.ratio(OURS, BASELINE, "cpu_us")
        rows.append(Row("SDK alone: CPU vs raw httpx, both in process", 1.10, ratio))
        return rows

    def page(self) -> list[Row]:
        """100 messages, from bytes to models."""
        runs = decode.compare(self.size.rounds, 2 * self.size.calls)
        for run in runs:
            self._note({"section": "page", **run._asdict()})
        ratios = decode.ratios(runs)
        rows = [Row("100 messages into models vs json.loads", 1.5, ratios[decode.OURS], 1.3)]
        for rival in ("pydantic v2, validate_python", "pydantic v2, validate_json"):
            if rival in ratios:
                against = ratios[decode.OURS] / ratios[rival]
                rows.append(Row(f"100 messages into models vs {rival}", 1.0, against, 1.3))
        return rows

    def memory(self) -> list[Row]:
        """A list that is streamed."""
        messages = self.size.messages
        with serving() as url:
            runs = self._run(
                "memory", [OURS], "memory", url, str(messages), most_rounds=1, named=False
            )
        growth = runs.median(OURS, "growth_mb")
        return [Row(f"{messages:,} messages streamed: memory grows by", 5, growth, 1, "MB")]

    def imports(self) -> list[Row]:
        """CPU time and modules of imports."""
        rivals = IMPORTS if self.size.rivals else list(IMPORTS)[:3]
        jobs = {
            statement: partial(work, "startup", "import", statement, python=python)
            for statement in rivals
            if (python := self._interpreter(IMPORTS[statement]))
        }
        runs = self._interleave("imports", jobs, warm_up=True)
        ratio = partial(runs.ratio, baseline="import httpx", figure="cpu_ms")
        bare = "import talkjs_async"
        return [
            Row(f"`{bare}` vs `import httpx`", 0.6, ratio(bare)),
            Row(f"`{bare}`: modules", 120, runs.median(bare, "modules"), 1, ""),
            Row(
                "`from talkjs_async import AsyncTalkJS` vs `import httpx`",
                0.6,
                ratio(CLIENT_IMPORT),
                2.5,
            ),
            Row("the same: modules", 120, runs.median(CLIENT_IMPORT, "modules"), 1.7, ""),
        ]

    def first_call(self) -> list[Row]:
        """A fresh process up to its first answer, over TLS."""
        if not (find_spec("trustme") and find_spec("certifi")):
            self.missing["first call"] = "needs trustme and certifi"
            return []
        names = [
            name for name in (OURS, *RAW, OURS_HTTPX2, OURS_AIOHTTP, "openai") if self._python(name)
        ]
        if not self.size.rivals:
            names = [OURS, BASELINE]
        with TemporaryDirectory() as folder:
            certificate, trust = issue(Path(folder))
            with serving(str(certificate)) as url:
                jobs = {
                    name: partial(
                        work,
                        "startup",
                        "call",
                        name,
                        url,
                        python=self._python(name) or "",
                        env=trust,
                    )
                    for name in names
                }
                runs = self._interleave("first_call", jobs, warm_up=True)
        return [
            Row(
                "first call of a process, TLS: CPU vs raw httpx",
                1.25,
                runs.ratio(OURS, BASELINE, "cpu_ms"),
            ),
            Row(
                "first call: longest step of the event loop",
                5,
                runs.median(OURS, "blocked_ms"),
                4,
                "ms",
            ),
        ]

    def size_on_disk(self) -> list[Row]:
        """What an installation takes."""
        rows = []
        for name in ("base", "httpx", *RIVALS):
            packages = self.environments.site_packages(name)
            if packages is None:
                continue
            figures = {
                "mb": _megabytes(packages),
                "distributions": len(list(packages.glob("*.dist-info"))),
            }
            self._note({"section": "size", "contender": name, **figures})
            if name == "base":
                rows = [
                    Row("installed size", 3, figures["mb"], unit="MB"),
                    Row(
                        "installed distributions, ours included",
                        10,
                        figures["distributions"],
                        unit="",
                    ),
                ]
        return rows

    # Machinery.

    def _names(self, *others: str, rivals: bool = True) -> list[str]:
        names = [OURS, OURS_HTTPX2, OURS_AIOHTTP, *others]
        if not self.size.rivals:
            names = [OURS, BASELINE]
        elif rivals:
            names += RIVALS
        return [name for name in names if self._python(name)]

    def _python(self, contender: str) -> str | None:
        return self._interpreter(CONTENDERS[contender].environment)

    def _interpreter(self, environment: str) -> str | None:
        python = self.environments.python(environment)
        if python is None:
            self.missing[environment] = self.environments.missing[environment]
        return python

    def _run(
        self,
        section: str,
        names: Iterable[str],
        worker: str,
        *arguments: str,
        most_rounds: int = 100,
        named: bool = True,
    ) -> Runs:
        jobs = {
            name: partial(
                work,
                worker,
                *([name] if named else []),
                *arguments,
                python=self._python(name) or "",
            )
            for name in names
        }
        return self._interleave(section, jobs, most_rounds=most_rounds)

    def _interleave(
        self,
        section: str,
        jobs: dict[str, partial[Result]],
        *,
        most_rounds: int = 100,
        warm_up: bool = False,
    ) -> Runs:
        runs = Runs()
        if warm_up:
            # The first time, what is imported is compiled.
            list(Runs().interleave(jobs, 1))
        for line in runs.interleave(jobs, min(self.size.rounds, most_rounds)):
            self._note({"section": section, **line})
        self.missing |= runs.failures
        return runs


def _megabytes(packages: Path) -> float:
    """The size of what was installed; compiled files are not."""
    files: Sequence[Path] = [
        path
        for path in packages.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "_virtualenv" not in path.name
    ]
    return sum(path.stat().st_size for path in files) / 2**20
