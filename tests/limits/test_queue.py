"""The queue in front of a budget: whose turn it is, in numbers, and what time it is."""

from __future__ import annotations

import math

import pytest

from talkjs_async import Lane
from talkjs_async.limits._queue import Queue

AT_REST = -18
"""What background is owed when it was served freely until now: two turns less than none."""


class Turns:
    """A source of tokens that tells what it is asked: how many come before, and how."""

    grace = 0.0
    interval = 1.0

    def due(self, lane: Lane, now: float, *, owed: bool) -> float:
        return math.inf

    def take(self, lane: Lane, now: float) -> int:
        raise NotImplementedError

    def untake(self, number: int) -> object:
        raise NotImplementedError

    def estimate(self, now: float, *, ahead: int, faster: int, lane: Lane) -> float:
        # Background's own tokens come later, and more so behind many that have none.
        return now + ahead + (0.0 if lane == "interactive" else 0.5 + 0.001 * faster)


class Watch:
    """A clock that a test sets."""

    def __init__(self, moment: float = 0.0) -> None:
        self.moment = moment

    def time(self) -> float:
        return self.moment

    def monotonic(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def queue(*, interactive: int, background: int, owed: int) -> Queue:
    made = Queue(Turns(), Watch())
    made._interactive.waiting = interactive
    made._background.waiting = background
    made._owed = owed
    return made


@pytest.mark.parametrize(
    ("interactive", "background", "owed", "ahead"),
    [
        (0, 0, AT_REST, 0),
        (20, 5, AT_REST, 20),
        # After 27 turns background gets one, and each ninth from then on.
        (26, 5, AT_REST, 26),
        (27, 5, AT_REST, 28),
        (36, 5, AT_REST, 38),
        (500, 5, AT_REST, 505),
        (0, 3, 9, 1),
        (9, 3, 9, 11),
    ],
)
def test_a_new_interactive_call_waits_for_its_lane_and_the_share_of_background(
    interactive: int, background: int, owed: int, ahead: int
) -> None:
    made = queue(interactive=interactive, background=background, owed=owed)

    assert 100.0 + ahead == made.estimate("interactive", 100.0)


@pytest.mark.parametrize(
    ("interactive", "background", "owed", "wait"),
    [
        # Behind all others, with a token of its own.
        (0, 0, AT_REST, 0.5),
        (10, 3, AT_REST, 13.5 + 0.010),
        (26, 0, AT_REST, 26.5 + 0.026),
        # Its share comes first: after 27 turns, and nine more for each one before it.
        (27, 0, AT_REST, 27.0),
        (500, 0, AT_REST, 27.0),
        (500, 4, AT_REST, 63.0 + 4.0),
        (500, 0, 9, 0.0),
        (500, 0, 30, 0.0),
        (500, 2, 9, 18.0 + 2.0),
    ],
)
def test_a_new_background_call_waits_for_its_share_or_for_all_others(
    interactive: int, background: int, owed: int, wait: float
) -> None:
    made = queue(interactive=interactive, background=background, owed=owed)

    assert pytest.approx(wait) == made.estimate("background", 0.0)


def test_nothing_waits_in_front_of_a_new_queue() -> None:
    made = Queue(Turns(), Watch())

    assert (0, False, math.inf, None) == (made.waiting, made.closed, made.due, made.last)


def test_a_clock_that_goes_back_stands_still_and_then_goes_on() -> None:
    watch = Watch(100.0)
    made = Queue(Turns(), watch)

    seen = []
    for moment in (100.0, 103.0, 90.0, 95.0, 20.0, 20.5, 20.5):
        watch.moment = moment
        seen.append(made.now())

    assert [100.0, 103.0, 103.0, 108.0, 108.0, 108.5, 108.5] == seen
