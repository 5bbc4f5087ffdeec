"""How long the rest of a job takes: by the budgets, and by what was seen so far."""

from __future__ import annotations

import math

from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.bulk._engine.tally import Tally


def time_left(client: JobClient, tally: Tally) -> float | None:
    """
    Return the seconds that are left. None while the total or the rate is unknown.

    The budgets say how long it takes at least. Slow answers, repeats and a slow source show in the
    pace of what is stored so far, so the longer of the two is right: while a burst is used up, the
    pace promises too much, and later the budgets do.
    """
    if tally.total is None:
        return None
    records = max(0, tally.total - tally.through - tally.answered)
    pace = client.pace(tally.per_request)
    requests = math.ceil(records / tally.per_request)
    by_budget = seconds_for(requests - pace.free - pace.in_flight, pace.rate)
    seconds = max(by_budget, _by_what_was_seen(records, tally, client.clock.monotonic()))
    return None if seconds == math.inf else seconds


def seconds_planned(client: JobClient, tally: Tally) -> float:
    """Return how long the budgets would make what a dry run has planned take."""
    seconds = used = 0.0
    for plan in tally.plans:
        pace = client.pace(plan.per_request)
        seconds += seconds_for(plan.requests - max(0.0, pace.free - used), pace.rate)
        used += plan.requests
    return seconds


def _by_what_was_seen(records: int, tally: Tally, now: float) -> float:
    if tally.first_sent is None or not tally.stored:
        return 0.0
    # Until the last answer, since answers may come in waves, with nothing between them.
    seconds = tally.last_stored - tally.first_sent
    return max(0.0, records * seconds / tally.stored - (now - tally.last_stored))


def seconds_for(requests: float, rate: float) -> float:
    """How long so many requests take. The rate is 0 while a limiter lets nothing go."""
    if requests <= 0:
        return 0.0
    return requests / rate if rate else math.inf
