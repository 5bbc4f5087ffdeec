"""How fast the budgets let requests go, and so how long the rest of a job takes."""

from __future__ import annotations

import math

from talkjs_async.batch import MOST_OPERATIONS
from talkjs_async.bulk._engine.tally import Tally
from talkjs_async.client import AsyncTalkJS
from talkjs_async.resources.users import MOST_USERS_PER_PUT


def time_left(talkjs: AsyncTalkJS, tally: Tally) -> float | None:
    """Return the seconds that are left. None while the total or the rate is unknown."""
    if tally.total is None:
        return None
    records = max(0, tally.total - tally.through - tally.answered)
    requests = math.ceil(records / tally.per_request)
    tokens, rate = pace(talkjs, tally.per_request)
    seconds = seconds_for(requests - tokens, rate)
    return None if seconds == math.inf else seconds


def seconds_for(requests: float, rate: float) -> float:
    """How long so many requests take. The rate is 0 while a limiter lets nothing go."""
    if requests <= 0:
        return 0.0
    return requests / rate if rate else math.inf


def pace(talkjs: AsyncTalkJS, per_request: int) -> tuple[float, float]:
    """
    Return how many requests have left or could leave at once, and how many per second after that.

    Args:
        per_request: How many records go into one, which tells what may be taken along by batches.
    """
    ordinary = talkjs.budget
    tokens, rate = max(0.0, ordinary.tokens) + ordinary.in_flight, ordinary.effective_rate
    if may_overflow(talkjs, per_request):
        batch = talkjs._pipeline.limiters["batch"].statistics()  # noqa: SLF001
        tokens += MOST_OPERATIONS * (max(0.0, batch.tokens) + batch.in_flight)
        rate += MOST_OPERATIONS * batch.effective_rate
    return tokens, rate


def may_overflow(talkjs: AsyncTalkJS, per_request: int) -> bool:
    """Whether batches take along requests of so many records: not those of `PUT /users`."""
    # The client has no public face for this.
    dispatchers = talkjs._dispatchers  # noqa: SLF001
    if dispatchers is None or per_request >= MOST_USERS_PER_PUT:
        return False
    return dispatchers.here().active
