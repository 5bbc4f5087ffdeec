"""
Tests under other answers of TalkJS: `python -m tests.pairwise`.

Runs tests that ask an emulator once per setting of all its switches, by the environment variable
`TALKJS_EMULATOR_SWITCHES`. In short: each choice of each switch once, in a few settings, for the
tests of resources and routes. With `--long`: every two choices of different switches together, in
some thirty settings, for all tests that ask an emulator. What sets a switch itself keeps it; what
is about a default keeps that, see `pinned_switches.json`.

`--settings 3-5` runs some of them, and `--seen FILE` keeps for the next such run what the tests
have seen.

A test runs again only where it sees other choices: the first run notes which switches it has read,
see `tests.switch_reads`. No pair is lost, since a test that has read neither of two switches tells
nothing of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations, product
from pathlib import Path
from tempfile import TemporaryDirectory
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
    about = {name for name, pinned in _pins().items() if test in pinned["tests"]}
    parts = settings.split(",")
    return ",".join(part for part in parts if part.partition("=")[0] not in about)


@cache
def _pins() -> dict[str, Any]:
    pins: dict[str, Any] = json.loads(PINNED.read_text())
    return pins


class Seen:
    """What the tests have seen of the settings so far."""

    def __init__(self, choices: dict[str, list[dict[str, str]]] | None = None) -> None:
        self.choices: dict[str, list[dict[str, str]]] = choices or {}

    def note(self, environment: str, reads: Mapping[str, Sequence[str]]) -> None:
        """Note which switches each test has read under a setting, by the test's ID."""
        for node_id, names in reads.items():
            choices = _as_mapping(kept(environment, node_id))
            # A pinned switch has its default.
            seen = {name: choices.get(name, "") for name in names}
            self.choices.setdefault(node_id, []).append(seen)

    def again(self, environment: str) -> list[str]:
        """Return the tests that would see the same choices once more."""
        return [
            node_id
            for node_id, all_seen in self.choices.items()
            if any(
                {**dict.fromkeys(seen, ""), **_as_mapping(kept(environment, node_id))}.items()
                >= seen.items()
                for seen in all_seen
            )
        ]


def _as_mapping(environment: str) -> dict[str, str]:
    return dict(part.split("=") for part in environment.split(",") if part)


def main(arguments: Sequence[str]) -> int:
    """Run the tests under each setting; return 1 if any of them is red."""
    options = ArgumentParser(allow_abbrev=False)
    options.add_argument("--long", action="store_true")
    options.add_argument("--settings")
    options.add_argument("--seen", type=Path)
    chosen, for_pytest = options.parse_known_args(arguments)
    settings = (pairwise if chosen.long else each_choice)(Switches.choices())
    if chosen.settings is not None:
        first, _, last = chosen.settings.partition("-")
        settings = settings[int(first) - 1 : int(last or first)]
    kept_choices = chosen.seen is not None and chosen.seen.exists()
    seen = Seen(json.loads(chosen.seen.read_text()) if kept_choices else None)
    red = 0
    for setting in settings:
        environment = ",".join(f"{name}={choice}" for name, choice in setting.items())
        sys.stderr.write(f"{ENVIRONMENT}={environment}\n")
        with TemporaryDirectory() as directory:
            reads, left_out = Path(directory, "reads.json"), Path(directory, "left_out.json")
            left_out.write_text(json.dumps(seen.again(environment)))
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-q", "-m", "not benchmark and not harness"),
                    *("-p", "tests.switch_reads"),
                    *(f"--switch-reads={reads}", f"--leave-out={left_out}"),
                    *(f"--ignore={one}" for one in LEFT_OUT),
                    # What TalkJS answers depends neither on the event loop nor on the library.
                    *(() if chosen.long else ("-k", "not trio and not httpx2")),
                    *(LONG if chosen.long else SHORT),
                    *for_pytest,
                ],
                env={**os.environ, ENVIRONMENT: environment},
                check=False,
            )
            if reads.exists():
                seen.note(environment, json.loads(reads.read_text()))
                if chosen.seen is not None:
                    chosen.seen.write_text(json.dumps(seen.choices))
        # 5: there is nothing left to run.
        red += done.returncode not in (0, 5)
    return min(red, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
