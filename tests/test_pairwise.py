"""Every pair occurs, in few settings."""

from __future__ import annotations

from itertools import combinations, product

from talkjs_async.emulator import Switches
from tests.pairwise import pairwise


def test_every_two_choices_of_different_switches_occur_together() -> None:
    choices = Switches.choices()

    settings = pairwise(choices)

    for one, other in combinations(choices, 2):
        together = {(setting[one], setting[other]) for setting in settings}
        assert together == set(product(choices[one], choices[other]))
    assert all(set(choices) == set(setting) for setting in settings)
    assert len(settings) <= 40
