"""
Whether calls have to wait, and how soon a batch takes one along when so many wait before it.

Pure numbers about two budgets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from talkjs_async._core.call import Lane
from talkjs_async.batch._encoding import MOST_OPERATIONS
from talkjs_async.limits import Budget

_PRECISION: Final = 60
"""Steps of a bisection: more than floats have digits."""


def must_wait(budget: Budget, lane: Lane) -> bool:
    """Whether a new call in *lane* would have to wait."""
    if lane == "interactive":
        return budget.estimated_wait > 0
    return budget.estimated_wait_background > 0


def lacks_tokens(budget: Budget, lane: Lane) -> bool:
    """Whether the last call in *lane* waits for a token."""
    if budget.paused_for:
        return True
    ahead, tokens = budget.waiting_interactive, budget.tokens
    if lane == "background":
        ahead += budget.waiting_background
        tokens -= budget.background_reserve
    # Float noise is no reason to send a batch.
    return ahead > tokens + 1e-6


def seconds_of_interactive(ahead: int, ordinary: Budget, batch: Budget) -> float:
    """
    Seconds until a batch takes an interactive call along.

    The calls before it leave one by one with tokens of the *ordinary* budget, and by tens with the
    *batch* budget.

    Args:
        ahead: Calls that wait before it.
        ordinary, batch: The budgets now.
    """
    return _first(partial(_is_served, ahead, ahead, ordinary, _as_slow_as(ordinary, batch)))


def seconds_of_background(
    interactive: int, background: int, ordinary: Budget, batch: Budget, *, alone: bool
) -> float:
    """
    Seconds until a batch takes a background call along, or until it leaves alone.

    Args:
        interactive, background: Calls of each lane that wait before it.
        ordinary, batch: The budgets now.
        alone: Whether it may also leave with its own token, once batches took others out of its
            way.
    """
    batch = _as_slow_as(ordinary, batch)
    # First the interactive ones, with batches that the reserve is no bar to. The last of these
    # batches has room for others.
    begins, tokens, batches = 0.0, 0, 0
    if interactive:
        begins = _first(partial(_is_served, interactive - 1, interactive, ordinary, batch))
        tokens = min(_supply(ordinary, begins), interactive)
        batches = -(-(interactive - tokens) // MOST_OPERATIONS)
        background -= tokens + MOST_OPERATIONS * batches - interactive
        if background < 0:
            return begins
    most_alone = background + 1 if alone and batches else background
    rest = _rest(ordinary, begins, tokens), _rest(batch, begins, batches)
    return begins + _first(partial(_is_served, background, most_alone, *rest))


def _as_slow_as(ordinary: Budget, batch: Budget) -> Budget:
    """*batch*, which takes as long as an *ordinary* request while none was answered yet."""
    if batch.answer_time:
        return batch
    return attrs.evolve(batch, answer_time=ordinary.answer_time)


def _is_served(ahead: int, alone: int, ordinary: Budget, batch: Budget, seconds: float) -> bool:
    """Whether the call behind *ahead* others has left, where at most *alone* leave one by one."""
    carried = MOST_OPERATIONS * _supply(batch, seconds)
    return carried + min(_supply(ordinary, seconds), alone) > ahead


def _rest(budget: Budget, seconds: float, used: int) -> Budget:
    """What background calls find of *budget* after *seconds* in which so much was *used*."""
    return attrs.evolve(
        budget,
        tokens=budget.tokens + budget.effective_rate * seconds - used - budget.background_reserve,
        paused_for=max(budget.paused_for - seconds, 0.0),
    )


def _first(holds: Callable[[float], bool]) -> float:
    """Find the moment from which on something holds."""
    if holds(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not holds(high):
        low, high = high, 2 * high
        if high > 1e12:
            return high
    for _ in range(_PRECISION):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _supply(budget: Budget, seconds: float) -> int:
    """Permits that *budget* grants within *seconds*, for whichever calls."""
    if seconds < budget.paused_for:
        return 0
    permits = budget.tokens + budget.effective_rate * seconds + 1e-9
    if budget.max_in_flight is not None and budget.answer_time:
        rounds = seconds / budget.answer_time
        permits = min(permits, budget.max_in_flight * (1 + rounds) - budget.in_flight)
    return max(int(permits), 0)
