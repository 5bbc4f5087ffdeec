"""
Whether calls have to wait, and how soon a batch takes one along when so many wait before it.

Pure numbers about two budgets.
"""

from __future__ import annotations

from typing import Final

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


def seconds_until(ahead: int, ordinary: Budget, batch: Budget) -> float:
    """
    Seconds until a batch takes the call along that has *ahead* others before it.

    The others leave one by one with tokens of the *ordinary* budget, and by tens with the *batch*
    budget.
    """

    def is_served(seconds: float) -> bool:
        carried = MOST_OPERATIONS * _supply(batch, seconds)
        return carried + min(_supply(ordinary, seconds), ahead) > ahead

    if is_served(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not is_served(high):
        low, high = high, 2 * high
        if high > 1e12:
            return high
    for _ in range(_PRECISION):
        middle = (low + high) / 2
        low, high = (low, middle) if is_served(middle) else (middle, high)
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
