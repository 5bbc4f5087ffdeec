"""
What a call costs next to another version of this project: CPU time, paired.

    git worktree add ../before COMMIT
    python -m benchmarks versions ../before [--tls] [--engine httpx2] [--loop trio] [--smoke]

Without a path this version is compared with itself, which shows the noise. Exit status 1 when a
call takes more than 6 % more than before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.certificates import issue
from benchmarks.measure import ROOT, Result, Runs, environment
from benchmarks.server import serving

MOST = 1.06
"""Times the CPU of the version before."""

CALLERS = (1, 100, 600)
WORKER = Path(__file__).parent / "workers" / "version.py"


def run(tree: Path, url: str, *arguments: str, env: dict[str, str]) -> Result:
    """Measure the version in *tree*."""
    # A file, so that the directory in front of the path is not this version's.
    command = [sys.executable, str(WORKER), url, *arguments]
    done = subprocess.run(
        command,
        env={**environment(), **env, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
    )
    result: Result = json.loads(done.stdout)
    return result


def compare(options: argparse.Namespace, callers: int) -> list[float]:
    """Measure both versions in turn; return the ratio of each round."""
    trees = {"before": Path(options.before).resolve(), "now": ROOT}
    calls = 60 if options.smoke else max(3 * callers, 2_000)
    found = Runs()
    with TemporaryDirectory() as folder:
        certificate, env = issue(Path(folder)) if options.tls else ("", {})
        with serving(str(certificate), delay=0.0) as url:
            what = (str(callers), str(calls), options.engine, options.loop)
            jobs = {name: partial(run, tree, url, *what, env=env) for name, tree in trees.items()}
            for _ in found.interleave(jobs, 1 if options.smoke else options.rounds):
                pass
    figures = {
        name: [line["cpu_us"] for line in found.lines if line["contender"] == name]
        for name in trees
    }
    ratios = [now / before for before, now in zip(figures["before"], figures["now"], strict=True)]
    before, now = (median(figures[name]) for name in ("before", "now"))
    print(f"{callers:>7} {before:>10.0f} {now:>8.0f} {median(ratios):>7.2f}", flush=True)
    return ratios


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether calls cost more than they may."""
    parser = argparse.ArgumentParser("benchmarks versions", description=__doc__)
    parser.add_argument("before", nargs="?", default=str(ROOT), help="a checkout of that version")
    parser.add_argument("--engine", default="httpx", choices=["httpx", "httpx2"])
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "trio"])
    parser.add_argument("--tls", action="store_true", help="speak TLS; needs trustme")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--smoke", action="store_true", help="one short round, no bound")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    over = "TLS" if options.tls else "plain"
    print(f"CPU us per users.get, {options.engine}, {options.loop}, {over}")
    print(f"{'callers':>7} {'before us':>10} {'now us':>8} {'ratio':>7}")
    ratios = [median(compare(options, callers)) for callers in CALLERS]
    return 0 if options.smoke or max(ratios) <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
