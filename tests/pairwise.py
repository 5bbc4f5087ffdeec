"""
Tests under other answers of TalkJS: `python -m tests.pairwise`.

Runs tests that ask an emulator once per setting of all its switches, by the environment variable
`TALKJS_EMULATOR_SWITCHES`. In short: each choice of each switch once, in a few settings, for the
tests of resources and routes. With `--long`: every two choices of different switches together, in
some thirty settings, for all tests that ask an emulator. What sets a switch itself keeps it; what
is about a default keeps that, see `pinned_switches.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

from talkjs_async.emulator.switches import ENVIRONMENT, Switches

SHORT = ("tests/resources", "tests/emulator/routes", "tests/fastapi")
LONG = (*SHORT, "tests/emulator", "tests/batch", "tests/bulk", "tests/cli", "tests/contracts")
# Each of them goes through all settings by itself, or asks no emulator.
LEFT_OUT = (
    "tests/resources/test_undocumented.py",
    "tests/resources/test_wrong_arguments.py",
    "tests/contracts/test_live.py",
    "tests/contracts/test_probes.py",
)
PINNED = Path(__file__).with_name("pinned_switches.json")
"""Per switch: which tests keep its default, and why."""

Pair = tuple[str, Any, str, Any]


def pairwise(choices: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return few settings that hold every pair of choices: greedy, and always the same."""
    open_pairs = dict.fromkeys(
        (one, first, other, second)
        for one, other in combinations(choices, 2)
        for first, second in product(choices[one], choices[other])
    )
    settings = []
    while open_pairs:
        one, first, other, second = next(iter(open_pairs))
        setting = {one: first, other: second}
        for name, values in choices.items():
            if name not in setting:
                setting[name] = max(
                    values, key=lambda value: _new(open_pairs, setting, name, value)
                )
        settings.append(setting)
        for pair in _pairs(setting, choices):
            open_pairs.pop(pair, None)
    return settings


def _new(open_pairs: Mapping[Pair, None], setting: Mapping[str, Any], name: str, value: Any) -> int:
    """Count the open pairs that a choice would close."""
    return sum(
        (name, value, other, chosen) in open_pairs or (other, chosen, name, value) in open_pairs
        for other, chosen in setting.items()
    )


def _pairs(setting: Mapping[str, Any], choices: Mapping[str, Sequence[Any]]) -> list[Pair]:
    return [(one, setting[one], other, setting[other]) for one, other in combinations(choices, 2)]


def each_choice(choices: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return settings that hold every choice but the defaults: all second ones, all third ones."""
    most = max(len(values) for values in choices.values())
    return [
        {name: values[min(number, len(values) - 1)] for name, values in choices.items()}
        for number in range(1, most)
    ]


def kept(settings: str, node_id: str) -> str:
    """Return settings, as in the environment, without the switches whose default a test keeps."""
    test = node_id.partition("[")[0]
    pins = json.loads(PINNED.read_text())
    about = {name for name, pinned in pins.items() if test in pinned["tests"]}
    parts = settings.split(",")
    return ",".join(part for part in parts if part.partition("=")[0] not in about)


def main(arguments: Sequence[str]) -> int:
    """Run the tests under each setting; return 1 if any of them is red."""
    long = "--long" in arguments
    for_pytest = [argument for argument in arguments if argument != "--long"]
    red = 0
    for setting in (pairwise if long else each_choice)(Switches.choices()):
        environment = ",".join(f"{name}={choice}" for name, choice in setting.items())
        sys.stderr.write(f"{ENVIRONMENT}={environment}\n")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-m", "not benchmark and not harness"),
                *(f"--ignore={one}" for one in LEFT_OUT),
                # What TalkJS answers depends neither on the event loop nor on the library.
                *(() if long else ("-k", "not trio and not httpx2")),
                *(LONG if long else SHORT),
                *for_pytest,
            ],
            env={**os.environ, ENVIRONMENT: environment},
            check=False,
        )
        red += done.returncode != 0
    return min(red, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
