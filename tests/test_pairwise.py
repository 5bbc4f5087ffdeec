"""Every pair occurs, in few settings."""

from __future__ import annotations

import ast
import json
from itertools import combinations, product
from pathlib import Path

import pytest

from talkjs_async.emulator import Emulator, Switches
from talkjs_async.emulator.switches import ENVIRONMENT
from tests.pairwise import PINNED, each_choice, kept, pairwise


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


def test_settings_of_the_environment_reach_the_emulators_of_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "empty_phone=list")

    assert "list" == Emulator().switches.empty_phone
