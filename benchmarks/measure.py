"""
How a benchmark measures: a process per contender, interleaved rounds, ratios within a round.

A neighbour that takes the machine for a second disturbs all contenders of a round alike, so the
ratio of two of them in the same round is what can be trusted, and the median over the rounds.
Absolute figures are for orientation. A worker is a module of this folder that is run as
`python -m benchmarks.NAME ARGUMENTS` and prints one JSON object; it may need any interpreter, so
worker modules import nothing but the standard library before they know what to measure.
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
Result = dict[str, Any]
"""What a worker prints: names of figures to their values."""

_SHOWN = {
    *("talkjs-async", "anyio", "attrs", "httpx", "httpcore", "pyjwt", "tenacity", "orjson", "trio"),
    *("httpx2", "httpcore2", "aiohttp", "pydantic", "cattrs", "openai", "stripe"),
    *("getstream", "stream-chat", "slack_sdk", "slack-sdk", "githubkit"),
}


def stay_on(cpu: int) -> None:
    """Pin this process to the first (0) or last (-1) CPU, where there is more than one."""
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) > 1:
            os.sched_setaffinity(0, {cpus[cpu]})


def work(
    worker: str, *arguments: str, python: str = sys.executable, env: Mapping[str, str] | None = None
) -> Result:
    """
    Do one measurement in a process of its own.

    Args:
        worker: Module of this folder.
        arguments: What it gets on its command line.
        python: Interpreter with what it needs.
        env: Variables of the environment to add.

    Raises:
        RuntimeError: It failed; the text is the end of what it said.
    """
    done = subprocess.run(
        [python, "-m", f"benchmarks.{worker}", *arguments],
        cwd=stage(),
        env={**environment(), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise RuntimeError(f"{worker} {' '.join(arguments)}: {said[0]}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="benchmarks-")


def stage() -> Path:
    """
    A folder to run workers in: it has this package and nothing else.

    In the project's own folder they would import its source, and not what is installed.
    """
    here = Path(_folder().name) / "stage"
    if not here.exists():
        here.mkdir()
        (here / "benchmarks").symlink_to(ROOT / "benchmarks")
    return here


def environment() -> dict[str, str]:
    """
    The variables of workers: everybody's modules are compiled once, as after an installation.

    Where they start for the first time they compile, so measure imports from the second time on.
    """
    variables = {**os.environ, "PYTHONPYCACHEPREFIX": f"{_folder().name}/compiled"}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    variables.pop("PYTHONPATH", None)
    return variables


class Runs:
    """
    Measurements of several contenders, round by round.

    Attributes:
        lines: Every measurement: {"contender": ..., "round": ..., figures}.
        failures: Why a contender gave no figure.
    """

    def __init__(self) -> None:
        self.lines: list[Result] = []
        self.failures: dict[str, str] = {}

    def interleave(
        self, contenders: Mapping[str, Callable[[], Result]], rounds: int
    ) -> Iterator[Result]:
        """Measure all contenders once per round, in random order; yield each line."""
        for number in range(rounds):
            for name in random.sample(list(contenders), len(contenders)):
                if name in self.failures:
                    continue
                try:
                    figures = contenders[name]()
                except RuntimeError as error:
                    self.failures[name] = str(error)
                    continue
                line = {"contender": name, "round": number, **figures}
                self.lines.append(line)
                yield line

    def median(self, contender: str, figure: str) -> float:
        """The middle of all rounds; NaN when there are none."""
        values = [line[figure] for line in self.lines if line["contender"] == contender]
        return median(values) if values else float("nan")

    def ratio(self, contender: str, baseline: str, figure: str) -> float:
        """How many times the baseline's figure; see `paired_ratio`."""
        return paired_ratio(self.lines, contender, baseline, figure)


def paired_ratio(lines: Sequence[Result], contender: str, baseline: str, figure: str) -> float:
    """The middle of the ratios within each round; NaN when there are none."""
    own, base = (
        {line["round"]: line[figure] for line in lines if line["contender"] == name}
        for name in (contender, baseline)
    )
    ratios = [value / base[number] for number, value in own.items() if base.get(number)]
    return median(ratios) if ratios else float("nan")


def facts() -> Result:
    """What was measured, and where: commit, interpreter, machine, versions."""
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "versions": versions(sys.path),
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.strip()


def versions(path: Sequence[str]) -> dict[str, str]:
    """What is installed in the folders of *path*, of what we measure."""
    found = distributions(path=list(path))
    return {each.name: each.version for each in found if each.name.lower() in _SHOWN}
