"""How soon a batch takes a call along, in numbers."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from talkjs_async import Lane
from talkjs_async.batch._supply import (
    lacks_tokens,
    must_wait,
    seconds_of_background,
    seconds_of_interactive,
)
from talkjs_async.limits import Budget


def budget(**values: Any) -> Budget:
    """A budget of TalkJS that is used up."""
    used_up = Budget(
        tokens=0.0,
        burst=600,
        rate=9.0,
        effective_rate=9.0,
        in_flight=0,
        max_in_flight=None,
        waiting_interactive=0,
        waiting_background=0,
        estimated_wait=0.0,
        estimated_wait_background=0.0,
        paused_for=0.0,
        granted=0,
        throttled=0,
    )
    return attrs.evolve(used_up, **values)


@pytest.mark.parametrize(
    ("lane", "values", "lacks"),
    [
        ("interactive", {"waiting_interactive": 3, "tokens": 3.0}, False),
        ("interactive", {"waiting_interactive": 3, "tokens": 2.9}, True),
        # Float noise is no lack.
        ("interactive", {"waiting_interactive": 3, "tokens": 3.0 - 1e-9}, False),
        ("interactive", {"waiting_background": 9, "tokens": 0.0}, False),
        ("interactive", {"tokens": 9.0, "background_reserve": 30}, False),
        ("background", {"waiting_interactive": 3, "waiting_background": 2, "tokens": 5.0}, False),
        ("background", {"waiting_interactive": 3, "waiting_background": 2, "tokens": 4.9}, True),
        ("background", {"waiting_background": 2, "tokens": 6.0, "background_reserve": 4}, False),
        ("background", {"waiting_background": 2, "tokens": 5.0, "background_reserve": 4}, True),
        ("interactive", {"tokens": 9.0, "paused_for": 0.1}, True),
        ("background", {"tokens": 9.0, "paused_for": 0.1}, True),
    ],
)
def test_a_lane_lacks_tokens_when_more_calls_wait_than_there_are(
    lane: Lane, values: dict[str, Any], lacks: bool
) -> None:
    assert lacks is lacks_tokens(budget(**values), lane)


def test_a_call_must_wait_when_its_own_lane_does() -> None:
    waits = budget(estimated_wait=0.2), budget(estimated_wait_background=0.2)

    assert [(True, False), (False, True)] == [
        (must_wait(each, "interactive"), must_wait(each, "background")) for each in waits
    ]


@pytest.mark.parametrize(
    ("ahead", "ordinary", "batch", "seconds"),
    [
        # The first batch comes after a second, with the first ten.
        (0, {}, {}, 1.0),
        (0, {}, {"tokens": 0.75}, 0.25),
        (9, {}, {}, 1.0),
        # Ten of eleven are not enough.
        (10, {"tokens": -50.0}, {"tokens": 1.0}, 1.0),
        (10, {}, {}, 1.0),
        # Nine more have left alone by then; the 26th call leaves alone, with the 16th token.
        (18, {}, {}, 1.0),
        (25, {}, {}, 16 / 9),
        # A part of a token lets no call go.
        (10, {"effective_rate": 0.01}, {}, 2.0),
        # Batches that are there take all that wait.
        (99, {}, {"tokens": 10.0}, 0.0),
        (99, {"tokens": -50.0}, {"tokens": 9.0}, 1.0),
        (5, {"tokens": 5.0}, {"tokens": -1.0}, 2.0),
        # No batch leaves in a pause.
        (0, {}, {"tokens": 10.0, "paused_for": 5.0}, 5.0),
        (25, {"paused_for": 60.0}, {}, 3.0),
        # Two in flight, each for a second.
        (100, {"tokens": 600.0, "max_in_flight": 2, "in_flight": 2, "answer_time": 1.0}, {}, 9.0),
        (30, {}, {"tokens": 9.0, "max_in_flight": 1, "in_flight": 1, "answer_time": 4.0}, 4.0),
        # How long answers take is not known yet.
        (9, {}, {"tokens": 1.0, "max_in_flight": 1, "in_flight": 1}, 0.0),
    ],
)
def test_a_call_is_taken_along_when_those_before_it_have_left(
    ahead: int, ordinary: dict[str, Any], batch: dict[str, Any], seconds: float
) -> None:
    batches = budget(**{"rate": 1.0, "effective_rate": 1.0, **batch})

    found = seconds_of_interactive(ahead, budget(**ordinary), batches)

    assert pytest.approx(seconds, abs=1e-6) == found


@pytest.mark.parametrize(
    ("interactive", "background", "ordinary", "batch", "seconds"),
    [
        # The last tokens of batches are for interactive calls, too.
        (0, 0, {}, {"tokens": 12.0}, 14.0),
        (0, 0, {}, {"tokens": 40.0}, 0.0),
        (0, 149, {}, {"tokens": 40.0}, 0.0),
        (0, 150, {"tokens": -500.0}, {"tokens": 40.0}, 1.0),
        # Ten of eleven go with the batch, the other one with the token beyond the reserve.
        (0, 10, {"tokens": 31.0, "effective_rate": 0.0}, {"tokens": 25.0}, 1.0),
        # A batch that takes interactive ones has room.
        (5, 4, {}, {"tokens": 1.0}, 0.0),
        # It has none, but what it took stands no longer before the token of its own.
        (10, 0, {}, {"tokens": 1.0}, 31 / 9),
        (19, 0, {}, {}, 1.0 + 31 / 9),
        # Interactive ones take of the tokens what they need, and no more.
        (20, 0, {}, {"tokens": 28.0}, 0.0),
        (20, 0, {}, {"tokens": 27.0}, 1.0),
        (20, 0, {"tokens": 20.0}, {"tokens": 26.0}, 0.0),
        (0, 0, {}, {"tokens": 30.0, "max_in_flight": 4, "in_flight": 4, "answer_time": 2.0}, 0.5),
        (0, 0, {}, {"tokens": 30.0, "paused_for": 5.0}, 5.0),
        (5, 10, {}, {"tokens": 28.0, "paused_for": 5.0}, 5.0),
    ],
)
def test_a_background_call_is_taken_along_after_the_interactive_ones(
    interactive: int,
    background: int,
    ordinary: dict[str, Any],
    batch: dict[str, Any],
    seconds: float,
) -> None:
    requests = budget(background_reserve=30, **ordinary)
    batches = budget(**{"rate": 1.0, "effective_rate": 1.0, "background_reserve": 25, **batch})

    found = seconds_of_background(interactive, background, requests, batches, alone=True)

    assert pytest.approx(seconds, abs=1e-6) == found


def test_a_batch_takes_as_long_as_a_request_while_none_was_answered() -> None:
    requests = budget(answer_time=2.0)
    batches = budget(rate=1.0, effective_rate=1.0, tokens=9.0, max_in_flight=1, in_flight=1)

    assert pytest.approx(2.0) == seconds_of_interactive(20, requests, batches)


def test_where_no_batch_comes_the_wait_has_no_end() -> None:
    nothing = budget(effective_rate=0.0)

    assert 1e12 < seconds_of_interactive(0, nothing, nothing) < math.inf
