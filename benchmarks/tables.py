"""
Figures with what they may be, and the command line of every benchmark that prints such a table.

Knows nothing of what is measured.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol, TypeVar

from benchmarks.environments import Environments
from benchmarks.measure import Result, facts, paired_ratio

Note = Callable[[Result], None]
"""Called with every measurement: the section, the contender and the figures."""


class Row(NamedTuple):
    """
    One figure of the table.

    Attributes:
        what: In words.
        most: What it may be.
        figure: What was measured. NaN: nothing was.
        slack: How many times as much it may be in a short run, on any machine: noise is no
            regression. None for figures that a short run does not judge.
        unit: "x" for ratios.
        promised: Whether *most* is a promise, or only there for the short run.
    """

    what: str
    most: float
    figure: float
    slack: float | None = 1.5
    unit: str = "x"
    promised: bool = True

    def limit(self, *, smoke: bool) -> float | None:
        """The most that it may be in this run. None: anything."""
        if smoke:
            return None if self.slack is None else self.most * self.slack
        return self.most if self.promised else None


class Options(NamedTuple):
    """
    What the command line asks for.

    Attributes:
        smoke: A short run, here and now.
        rounds: How often each contender is measured. None: as often as usual.
        environments: Where contenders are installed.
    """

    smoke: bool
    rounds: int | None
    environments: Environments


class Bench(Protocol):
    """
    What is measured.

    Attributes:
        missing: Contender to the reason why it gave no figure.
    """

    missing: dict[str, str]


B = TypeVar("B", bound=Bench)


def run(
    name: str,
    about: str | None,
    argv: Sequence[str] | None,
    *,
    sections: Mapping[str, Callable[[B], list[Row]]],
    make: Callable[[Options, Note], B],
    baselines: Mapping[str, str] | None = None,
) -> int:
    """
    Measure and print.

    Args:
        sections: Name to what measures it and says which figures we promise.
        make: Makes what the sections are called with.
        baselines: Section to the contender that the others are compared with.

    Returns:
        The exit status: 1 when a promise is missed.
    """
    parser = argparse.ArgumentParser(
        f"benchmarks {name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--smoke", action="store_true", help="a short run with slack")
    parser.add_argument("--json", action="store_true", help="one JSON line per measurement and row")
    parser.add_argument("--save", type=Path, help="append those lines to a file")
    parser.add_argument("--section", action="append", choices=list(sections), help="only this one")
    parser.add_argument("--environments", type=Path, help="folder to keep the environments in")
    parser.add_argument("--rounds", type=int, help="how often each contender is measured")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)

    here = facts()
    measurements: list[Result] = []
    rows: list[Row] = []

    def note(line: Result) -> None:
        measurements.append(line)
        print(".", end="", file=sys.stderr, flush=True)

    with TemporaryDirectory(prefix="environments-") as temporary:
        folder = None if options.smoke else options.environments or Path(temporary)
        environments = Environments(folder)
        bench = make(Options(options.smoke, options.rounds, environments), note)
        for section in options.section or sections:
            rows += sections[section](bench)
        here["versions"] |= environments.versions()
    print(file=sys.stderr)

    lines = [json.dumps({**line, **here}) for line in measurements]
    lines += [json.dumps({**row._asdict(), **here}) for row in rows]
    if options.save:
        with options.save.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
    if options.json:
        print("\n".join(lines))
    else:
        print(table(rows, smoke=options.smoke))
        print(details(measurements, baselines or {}))
        for what, why in bench.missing.items():
            print(f"missing: {what}: {why}")
    return int(any(missed(row, smoke=options.smoke) for row in rows))


def missed(row: Row, *, smoke: bool) -> bool:
    """Tell whether a figure is worse than it may be. What could not be measured is."""
    most = row.limit(smoke=smoke)
    return most is not None and not row.figure <= most


def table(rows: Sequence[Row], *, smoke: bool) -> str:
    """Lay the figures out for people."""
    title = "may be" if smoke else "to reach"
    lines = [f"{'what':<68}{title:>10}{'measured':>10}"]
    for row in rows:
        most = row.limit(smoke=smoke)
        verdict = "" if most is None else "MISSED" if missed(row, smoke=smoke) else "met"
        limit = "" if most is None else _short(most)
        line = f"{row.what:<68}{limit:>10}{_short(row.figure):>10} {row.unit:<8}{verdict}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def details(measurements: Sequence[Result], baselines: Mapping[str, str]) -> str:
    """
    Lay the medians of all contenders out, a table per section, the cheapest first.

    Args:
        baselines: Section to the contender that the others are compared with.
    """
    groups: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for line in measurements:
        callers = f", callers: {line['callers']}" if "callers" in line else ""
        groups[f"{line['section']}{callers}"][line["contender"]].append(line)
    out = []
    for title, contenders in groups.items():
        lines = [line for of_one in contenders.values() for line in of_one]
        figures = [name for name in lines[0] if name not in _NO_FIGURES]
        against = baselines.get(lines[0]["section"])
        head = "".join(f"{name:>16}" for name in figures)
        ratio_of = f"x {against}" if against in contenders else ""
        out.append(f"\n{title:<40}{ratio_of:>18}{head}")
        table = []
        for name, own in contenders.items():
            values = [median(line[figure] for line in own) for figure in figures]
            ratio = paired_ratio(lines, name, against, figures[0]) if against else math.nan
            table.append((values[0], name, [ratio, *values]))
        for _, name, values in sorted(table):
            cells = "".join(f"{_short(value):>16}" for value in values[1:])
            out.append(f"{name:<40}{_short(values[0]):>18}{cells}")
    return "\n".join(out)


_NO_FIGURES = {"section", "contender", "round", "callers", "cold", "calls"}


def _short(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
