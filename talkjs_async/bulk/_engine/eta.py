"""How long the rest of a job takes: by the budgets, and by what was seen so far."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from talkjs_async.bulk._engine.job_client import JobClient, LatestAttempts
from talkjs_async.bulk._engine.tally import StageTally, Tally

_FEW: Final = 10
"""Answers that are no pace: the first ones tell how long the budget let them wait, not more."""
_NEWS: Final = 1.1
"""Answers come in waves, so that a pace that differs by less says nothing."""


def time_left(client: JobClient, tally: Tally) -> float | None:
    """
    Return the seconds that are left. None while the total or the rate is unknown.

    The budgets say how long it takes at least, with as many attempts for a request as there were
    lately. Slow answers, repeats and a slow source show in the pace of what was stored lately, so
    the longer of the two is right: while a burst is used up, the pace promises too much, and later
    the budgets do. The pace promises too much at the end as well, where nothing is left to follow
    what is under way, and all wait for the request that is repeated most often.
    """
    if tally.total is None:
        return None
    now, attempts = client.clock.monotonic(), client.attempts
    by_budget = _by_budget(
        client,
        [
            (stage, math.ceil(stage.requests_left * attempts.per_request))
            for stage in tally.stages.values()
        ],
    )
    by_pace = slowest = 0.0
    for stage in tally.stages.values():
        if stage.begun is None or not (stage.left and stage.requests):
            continue
        lasted = stage.last_stored - stage.begun
        # A pause between attempts is not seen in what is in flight.
        usual = attempts.together(stage.requests / lasted) if lasted else 0
        side_by_side = max(1, client.pace(batchable=stage.batchable).in_flight, usual)
        pace = _by_pace(stage, now, side_by_side, attempts)
        if stage.requests_left <= side_by_side:
            slowest = max(slowest, _last(stage, pace, side_by_side, attempts))
        else:
            by_pace += pace
            most = _most_attempts(attempts.chance_in_vain, side_by_side)
            slowest = max(slowest, attempts.seconds * (most - attempts.per_request))
    by_pace += slowest
    seconds = by_pace if by_pace > _NEWS * by_budget else by_budget
    return None if seconds == math.inf else seconds


def seconds_planned(client: JobClient, tally: Tally) -> float:
    """Return how long the budgets would make what a dry run has planned take."""
    return _by_budget(client, [(stage, stage.planned_requests) for stage in tally.stages.values()])


def _by_budget(client: JobClient, requests: Iterable[tuple[StageTally, int]]) -> float:
    """Return how long the budgets make requests take: some fit the ordinary one only."""
    everything = alone = 0
    for stage, count in requests:
        everything += count
        alone += 0 if stage.batchable else count
    ordinary, both = client.pace(batchable=False), client.pace(batchable=True)
    return max(
        seconds_for(alone - ordinary.free - ordinary.in_flight, ordinary.rate),
        seconds_for(everything - both.free - both.in_flight, both.rate),
    )


def _by_pace(stage: StageTally, now: float, side_by_side: int, attempts: LatestAttempts) -> float:
    """Return how long the rest of a stage takes at the pace of what was stored lately."""
    lasted = stage.last_stored - (stage.begun or 0.0)
    if stage.rolled:
        # Until the last answer, since answers may come in waves, with nothing between them.
        since = now - stage.last_stored
        return max(0.0, stage.left * lasted / stage.stored - since)
    # So long, the time of the first answer would count much. As many requests end in the time of
    # one as are under way together, unless the source is slower.
    by_attempts = stage.requests_left * attempts.per_request * attempts.seconds / side_by_side
    if stage.requests < _FEW:
        return by_attempts
    return max(by_attempts, stage.left * (lasted - attempts.seconds) / stage.stored)


def _last(stage: StageTally, by_pace: float, side_by_side: int, attempts: LatestAttempts) -> float:
    """Return how long the last requests of a stage take, when nothing is left to follow them."""
    left = math.ceil(stage.requests_left)
    in_vain = attempts.chance_in_vain
    # Attempts end in the order in which they began, unless some of the requests were repeated:
    # then the ages of those that are left are anything.
    repeated = 1.0 - (1.0 - in_vain) ** side_by_side
    this_attempt = (1.0 - repeated) * by_pace + repeated * attempts.seconds * left / (left + 1)
    return this_attempt + attempts.seconds * (_most_attempts(in_vain, left) - 1.0)


def _most_attempts(in_vain: float, requests: int) -> float:
    """Return how many attempts the unluckiest of some requests takes, on average."""
    # The sum of how likely it is that one of them takes more than so many.
    most, number, more = 0.0, 0, 1.0
    while more > 0.01:
        most += more
        number += 1
        more = 1.0 - (1.0 - in_vain**number) ** requests
    return most


def seconds_for(requests: float, rate: float) -> float:
    """How long so many requests take. The rate is 0 while a limiter lets nothing go."""
    if requests <= 0:
        return 0.0
    return requests / rate if rate else math.inf
