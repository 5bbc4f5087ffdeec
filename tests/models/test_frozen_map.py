"""A frozen map reads like a dict and cannot be changed."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from talkjs_async.models._frozen_map import FrozenMap


def change(key: str) -> Callable[[Any], object]:
    """The ways to change a dict."""
    return {
        "set": lambda d: d.__setitem__("a", 2),
        "delete": lambda d: d.__delitem__("a"),
        "clear": lambda d: d.clear(),
        "pop": lambda d: d.pop("a"),
        "popitem": lambda d: d.popitem(),
        "setdefault": lambda d: d.setdefault("b", 2),
        "update": lambda d: d.update(a=2),
        "or": lambda d: d.__ior__({"a": 2}),
    }[key]


@pytest.mark.parametrize(
    "way", ["set", "delete", "clear", "pop", "popitem", "setdefault", "update", "or"]
)
def test_it_cannot_be_changed(way: str) -> None:
    frozen = FrozenMap({"a": 1})

    with pytest.raises(TypeError, match="frozen"):
        change(way)(frozen)

    assert {"a": 1} == frozen


def test_it_reads_compares_and_encodes_like_a_dict() -> None:
    frozen = FrozenMap({"a": "1", "b": "2"})

    assert {"b": "2", "a": "1"} == frozen
    assert '{"a": "1", "b": "2"}' == json.dumps(frozen)
    assert {"a": "1", "b": "2", "c": "3"} == frozen | {"c": "3"}


def test_it_is_hashable_whatever_the_order_of_its_keys() -> None:
    assert hash(FrozenMap({"a": 1, "b": 2})) == hash(FrozenMap({"b": 2, "a": 1}))


def test_it_survives_pickling_and_copying() -> None:
    frozen = FrozenMap({"a": [1]})

    assert isinstance(pickle.loads(pickle.dumps(frozen)), FrozenMap)
    assert frozen == pickle.loads(pickle.dumps(frozen))
    assert frozen is copy.copy(frozen)
    assert frozen["a"] is not copy.deepcopy(frozen)["a"]
