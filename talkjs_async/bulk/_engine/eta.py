"""How long the rest of a job takes: by the budgets, and by what was seen so far."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.bulk._engine.tally import StageTally, Tally

_NEWS: Final = 1.1
"""Answers come in waves, so that a pace that differs by less says nothing."""


def time_left(client: JobClient, tally: Tally) -> float | None:
    """
    Return the seconds that are left. None while the total or the rate is unknown.

    The budgets say how long it takes at least. Slow answers, repeats and a slow source show in the
    pace of what is stored so far, so the longer of the two is right: while a burst is used up, the
    pace promises too much, and later the budgets do.
    """
    if tally.total is None:
        return None
    stages = tally.stages.values()
    by_budget = _by_budget(client, [(stage, math.ceil(stage.requests_left)) for stage in stages])
    seen = _by_what_was_seen(stages, client.clock.monotonic())
    seconds = seen if seen > _NEWS * by_budget else by_budget
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


def _by_what_was_seen(stages: Iterable[StageTally], now: float) -> float:
    seconds = 0.0
    for stage in stages:
        if stage.begun is not None and stage.stored:
            # Until the last answer, since answers may come in waves, with nothing between them.
            lasted = stage.last_stored - stage.begun
            since = now - stage.last_stored
            seconds += max(0.0, stage.left * lasted / stage.stored - since)
    return seconds


def seconds_for(requests: float, rate: float) -> float:
    """How long so many requests take. The rate is 0 while a limiter lets nothing go."""
    if requests <= 0:
        return 0.0
    return requests / rate if rate else math.inf
