"""How long the rest of a job takes: by the budgets, and by its pace so far."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from talkjs_async.bulk._engine.job_client import JobClient, LatestAttempts
from talkjs_async.bulk._engine.tally import StageTally, Tally

_FEW: Final = 10
"""Fewer answers than this show no pace, only how long the budget made them wait."""
_NEWS: Final = 1.1
"""Answers come in waves: a pace that is slower by a smaller factor says nothing."""


def time_left(client: JobClient, tally: Tally) -> float | None:
    """
    Return the seconds that are left. None while the total or the rate is unknown.

    The budgets give the least time, at the recent number of attempts per request. Slow answers,
    repeats and a slow source show in the recent pace only, and a burst makes that pace too fast:
    the longer of the two times counts. Time for the last requests is added to the pace, because
    no others follow them and the job waits for the one that is repeated most often.
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
        # A request that pauses between attempts is not in flight.
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
    """Return how long the requests that a dry run has planned would take, by the budgets."""
    return _by_budget(client, [(stage, stage.planned_requests) for stage in tally.stages.values()])


def _by_budget(client: JobClient, requests: Iterable[tuple[StageTally, int]]) -> float:
    """Return how long requests take by the budgets: some can use the ordinary one only."""
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
        # Measured to the last answer: answers may come in waves, with nothing between them.
        since = now - stage.last_stored
        return max(0.0, stage.left * lasted / stage.stored - since)
    # Until then, the wait for the first answer would count too much. In the time of one request,
    # as many end as are under way together, unless the source is slower.
    by_attempts = stage.requests_left * attempts.per_request * attempts.seconds / side_by_side
    if stage.requests < _FEW:
        return by_attempts
    return max(by_attempts, stage.left * (lasted - attempts.seconds) / stage.stored)


def _last(stage: StageTally, by_pace: float, side_by_side: int, attempts: LatestAttempts) -> float:
    """Return how long the last requests of a stage take, when nothing is left to follow them."""
    left = math.ceil(stage.requests_left)
    in_vain = attempts.chance_in_vain
    # Attempts end in the order in which they began, unless some of the requests were repeated:
    # then those that are left may have any age.
    repeated = 1.0 - (1.0 - in_vain) ** side_by_side
    this_attempt = (1.0 - repeated) * by_pace + repeated * attempts.seconds * left / (left + 1)
    return this_attempt + attempts.seconds * (_most_attempts(in_vain, left) - 1.0)


def _most_attempts(in_vain: float, requests: int) -> float:
    """Return how many attempts the unluckiest of some requests takes, on average."""
    # The sum over n of the probability that one of them takes more than n.
    most, number, more = 0.0, 0, 1.0
    while more > 0.01:
        most += more
        number += 1
        more = 1.0 - (1.0 - in_vain**number) ** requests
    return most


def seconds_for(requests: float, rate: float) -> float:
    """Return how long requests take. The rate is 0 while a limiter lets nothing go."""
    if requests <= 0:
        return 0.0
    return requests / rate if rate else math.inf
