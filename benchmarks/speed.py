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

import sys
from collections.abc import Callable, Sequence

from benchmarks.rivals.clients import BASELINE
from benchmarks.sections import FULL, SMOKE, Bench
from benchmarks.tables import Note, Options, Row, run

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


BASELINES = {
    "imports": "import httpx",
    **dict.fromkeys(("calls", "burst", "overhead", "first_call", "first_block"), BASELINE),
}


def make(options: Options, note: Note) -> Bench:
    """Get ready to measure."""
    size = SMOKE if options.smoke else FULL
    return Bench(options.environments, size._replace(rounds=options.rounds or size.rounds), note)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when a figure is missed."""
    return run("speed", __doc__, argv, sections=SECTIONS, make=make, baselines=BASELINES)


if __name__ == "__main__":
    sys.exit(main())
