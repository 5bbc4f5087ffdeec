"""Every pair occurs, in few settings."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest

from talkjs_async.emulator import Emulator, Switches
from talkjs_async.emulator.switches import ENVIRONMENT
from tests.pairwise import PINNED, Seen, each_choice, kept, pairwise


def test_every_two_choices_of_different_switches_occur_together() -> None:
    choices = Switches.choices()

    settings = pairwise(choices)

    for one, other in combinations(choices, 2):
        together = {(setting[one], setting[other]) for setting in settings}
        assert together == set(product(choices[one], choices[other]))
    assert all(set(choices) == set(setting) for setting in settings)
    assert len(settings) <= 40


def test_every_choice_but_the_defaults_is_in_one_of_few_settings() -> None:
    choices = Switches.choices()

    settings = each_choice(choices)

    for name, values in choices.items():
        assert set(values[1:]) == {setting[name] for setting in settings}
    assert len(settings) <= 4


def test_a_pinned_switch_keeps_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    [name, *_] = pins = json.loads(PINNED.read_text())
    test = f"{pins[name]['tests'][0]}[asyncio-{name}]"

    assert "else=1,other=2" == kept(f"else=1,{name}=x,other=2", test)
    assert f"{name}=x" == kept(f"{name}=x", "tests/test_pairwise.py::test_of_anything")


def test_every_pin_names_a_switch_a_reason_and_tests_that_there_are() -> None:
    root = Path(__file__).parents[1]
    pins = json.loads(PINNED.read_text())
    there: dict[str, set[str]] = {}

    assert set(pins) <= set(Switches.choices())
    for name, pinned in pins.items():
        assert pinned["why"].endswith("."), name
        assert sorted(set(pinned["tests"])) == pinned["tests"], name
        for test in pinned["tests"]:
            file, _, function = test.partition("::")
            if file not in there:
                tree = ast.walk(ast.parse((root / file).read_text()))
                functions = (ast.FunctionDef, ast.AsyncFunctionDef)
                there[file] = {node.name for node in tree if isinstance(node, functions)}
            assert function in there[file], test


def test_a_test_runs_again_only_where_it_sees_other_choices() -> None:
    [name, *_] = pins = json.loads(PINNED.read_text())
    pinned = pins[name]["tests"][0]
    seen = Seen()
    seen.note("a=1,b=1", {"none": [], "one": ["a"], "both": ["a", "b"]})
    seen.note(f"a=1,{name}=x", {pinned: ["a", name]})

    assert ["none", "one", pinned] == seen.again(f"a=1,b=2,{name}=y")
    assert ["none"] == seen.again("a=2,b=1")
    # Not those of two settings together.
    seen.note("a=2,b=2", {"both": ["a", "b"]})
    assert "both" in seen.again("a=2,b=2")
    assert "both" not in seen.again("a=1,b=2")


def test_what_a_test_reads_is_noted(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import subprocess, sys\n"
        "import pytest\n"
        "from talkjs_async.emulator import Emulator\n"
        "@pytest.fixture\n"
        "def emulator():\n"
        "    made = Emulator()\n"
        "    made.switches.empty_phone\n"
        "    yield made\n"
        "    made.switches.unset_role\n"
        "def test_of_none(): Emulator()\n"
        "def test_of_one(emulator): emulator.switches.order_ties\n"
        "def test_of_a_process(): subprocess.run([sys.executable, '-c', ''], check=True)\n"
        "def test_left_out(): assert False\n"
    )
    (tmp_path / "left_out.json").write_text('["test_some.py::test_left_out"]')

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "tests.switch_reads", "--rootdir", str(tmp_path), str(tmp_path)),
            *("--switch-reads", str(tmp_path / "reads.json")),
            *("--leave-out", str(tmp_path / "left_out.json")),
        ],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout
    reads = json.loads((tmp_path / "reads.json").read_text())
    assert [] == reads["test_some.py::test_of_none"]
    assert ["empty_phone", "order_ties", "unset_role"] == reads["test_some.py::test_of_one"]
    assert sorted(Switches.choices()) == reads["test_some.py::test_of_a_process"]
    assert 3 == len(reads)


def test_settings_of_the_environment_reach_the_emulators_of_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "empty_phone=list")

    assert "list" == Emulator().switches.empty_phone
