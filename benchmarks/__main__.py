"""
Run a benchmark: `python -m benchmarks [name] [--smoke] [--json]`.

Each benchmark is a module here with a `main(argv)`; its exit status is not 0 when a figure that we
promise is missed. Without a name, all of them run. `python -m benchmarks NAME --help` tells more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

NAMES = (
    "speed",
    "transport",
    "decode",
    "limiter",
    "redis",
    "overflow",
    "bulk",
    "emulator",
    "versions",
)


def main(argv: Sequence[str]) -> int:
    """Run the benchmark that the first argument names, or all."""
    names: Sequence[str] = NAMES
    if argv and argv[0] in {"-h", "--help"}:
        print(f"{(__doc__ or '').strip()}\n\nNames: {', '.join(NAMES)}")
        return 0
    if argv and not argv[0].startswith("-"):
        if argv[0] not in NAMES:
            print(f"no benchmark {argv[0]!r}: {', '.join(NAMES)}", file=sys.stderr)
            return 2
        names, argv = (argv[0],), argv[1:]
    missed = 0
    for name in names:
        missed |= int(import_module(f"benchmarks.{name}").main(argv))
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
