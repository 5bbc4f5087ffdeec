"""
Speed and footprint: everything that we promise, with rivals in the same run.

    python -m benchmarks speed                     # the whole table; some 20 minutes
    python -m benchmarks speed --section imports   # a part of it
    python -m benchmarks speed --smoke             # short, here and now: fails on regressions only
    python -m benchmarks speed --save speed.jsonl  # and keep every measurement, for the plots

The whole table makes virtual environments for us and for the rivals (folder `--environments`). The
short run uses the interpreter that runs it and raises the alarm far beyond what we promise, because
noise is no regression.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.environments import Environments
from benchmarks.measure import Result, facts, paired_ratio
from benchmarks.rivals.clients import BASELINE
from benchmarks.sections import FULL, SMOKE, Bench, Row

SECTIONS: dict[str, Callable[[Bench], list[Row]]] = {
    "imports": Bench.imports,
    "size": Bench.size_on_disk,
    "overhead": Bench.overhead,
    "page": Bench.page,
    "calls": Bench.calls,
    "burst": Bench.burst,
    "first_call": Bench.first_call,
    "memory": Bench.memory,
}


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


def details(measurements: Sequence[Result]) -> str:
    """Lay the medians of all contenders out, a table per section, the cheapest first."""
    groups: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for line in measurements:
        callers = f", callers: {line['callers']}" if "callers" in line else ""
        groups[f"{line['section']}{callers}"][line["contender"]].append(line)
    out = []
    for title, contenders in groups.items():
        lines = [line for of_one in contenders.values() for line in of_one]
        figures = [name for name in lines[0] if name not in _NO_FIGURES]
        against = _BASELINES.get(lines[0]["section"])
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
_BASELINES = {
    "imports": "import httpx",
    **dict.fromkeys(("calls", "burst", "overhead", "first_call", "first_block"), BASELINE),
}


def _short(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when a figure is missed."""
    parser = argparse.ArgumentParser("benchmarks speed", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a short run")
    parser.add_argument("--json", action="store_true", help="one JSON line per measurement and row")
    parser.add_argument("--save", type=Path, help="append those lines to a file")
    parser.add_argument("--section", action="append", choices=list(SECTIONS), help="only this one")
    parser.add_argument("--environments", type=Path, help="folder to keep the environments in")
    parser.add_argument("--rounds", type=int, help="how often each contender is measured")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)

    size = SMOKE if options.smoke else FULL
    if options.rounds:
        size = size._replace(rounds=options.rounds)
    here = facts()
    measurements: list[Result] = []
    rows: list[Row] = []

    def progress(line: Result) -> None:
        measurements.append(line)
        print(".", end="", file=sys.stderr, flush=True)

    with TemporaryDirectory(prefix="environments-") as temporary:
        folder = None if options.smoke else options.environments or Path(temporary)
        bench = Bench(Environments(folder), size, progress)
        for name in options.section or SECTIONS:
            rows += SECTIONS[name](bench)
        here["versions"] |= bench.environments.versions()
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
        print(details(measurements))
        for what, why in bench.missing.items():
            print(f"missing: {what}: {why}")
    return int(any(missed(row, smoke=options.smoke) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
