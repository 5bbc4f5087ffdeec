"""
What jobs and files must stand, in one table.

    python -m tests.bulk            # the short forms; some three minutes on two quiet cores
    python -m tests.bulk --long     # the full size; some hours
    python -m tests.bulk --row kill

Each row is a program of its own, which `--help` describes. Exit status 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Final, NamedTuple


class Row(NamedTuple):
    """
    A line of the table.

    Attributes:
        what: What is done, so many times: `{size}`.
        to_reach: What must come of it.
        short, full: Arguments of `python -m`, for the two sizes.
        sizes: What stands for `{size}`, in the short form and in the full one.
    """

    what: str
    to_reach: str
    short: tuple[str, ...]
    full: tuple[str, ...]
    sizes: tuple[str, str]

    def title(self, *, long: bool) -> str:
        """Say what is done, with the size that is run."""
        return self.what.format(size=self.sizes[long])


ROWS: Final = {
    "cancel": Row(
        "{size} cancelled at a random moment, in every way on every loop",
        "0 crashes, 0 hangs, next run at once on the same journal, 0 lost, 0 doubled",
        ("tests.bulk.cancel", "--jobs", "24", "--short"),
        ("tests.bulk.cancel", "--jobs", "1000"),
        ("24 jobs", "1,000 jobs of each kind"),
    ),
    "kill": Row(
        "kill -9, {size}, with 503s and connections cut after the commit",
        "0 lost, 0 doubled, order kept",
        ("tests.bulk.kill", "--kills", "2", "--records", "300"),
        ("tests.bulk.kill", "--kills", "40", "--records", "2000"),
        ("2 times each job of 300 records", "40 times each job of 2,000 records"),
    ),
    "backups": Row(
        "{size} damaged backups",
        "0 say ok without being equal; undamaged and shuffled ones are equal",
        ("tests.bulk.damage", "--backups", "80"),
        ("tests.bulk.damage", "--backups", "10000"),
        ("80", "10,000"),
    ),
    "files": Row(
        "{size} mutated CSV, JSON Lines and Sendbird files, as many of each",
        "0 tracebacks, 0 records that no file holds, 99 % of the intact ones of each stored",
        ("tests.bulk.mutated_files", "201"),
        ("tests.bulk.mutated_files", "10000"),
        ("201", "10,000"),
    ),
    "churn": Row(
        "{size} exports while records come, go and move, for each of three unknown cursors",
        "every record that is there throughout is in it once",
        ("tests.bulk.churn", "--rounds", "2"),
        ("tests.bulk.churn", "--rounds", "200"),
        ("2", "200"),
    ),
    "memory": Row(
        "{size} users, and as many old messages, streamed",
        "40 MB more",
        ("benchmarks", "bulk", "--smoke", "--section", "memory"),
        ("benchmarks", "bulk", "--section", "memory"),
        ("100,000", "1,000,000"),
    ),
    "speed": Row(
        "CPU per user of {size}, that of the emulator included",
        "20,000 users per second, which are 50 us each",
        ("benchmarks", "bulk", "--smoke", "--section", "cpu"),
        ("benchmarks", "bulk", "--section", "cpu"),
        ("5,000", "100,000"),
    ),
}


def main() -> int:
    """Run the rows; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--long", action="store_true", help="the full size")
    parser.add_argument("--row", action="append", choices=list(ROWS), help="by default, all")
    options = parser.parse_args()
    missed = 0
    for name in options.row or ROWS:
        row = ROWS[name]
        tell(f"{name}: {row.title(long=options.long)}", f"  to reach: {row.to_reach}")
        began = time.monotonic()
        command = [sys.executable, "-m", *(row.full if options.long else row.short)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [*done.stdout.splitlines(), *done.stderr.splitlines()[-20:]]
        tell(*(f"  {line}" for line in lines))
        missed += done.returncode != 0
        verdict = "missed" if done.returncode else "met"
        tell(f"  {verdict}, in {time.monotonic() - began:.0f} s", "")
    tell(f"{missed} of {len(options.row or ROWS)} missed")
    return int(bool(missed))


def tell(*lines: str) -> None:
    """Print at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
