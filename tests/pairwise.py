"""Settings of all switches such that every two choices of different switches occur together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

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
