"""The answers of the script. Knows nothing of their meaning."""

from __future__ import annotations

import json
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class ScriptAnswer:
    """
    What the script answers.

    Attributes:
        now: The time of the bucket.
        generation: Which life of the bucket this is; another one means that data was lost.
        version: How many questions it has seen.
        granted: Tokens to use at once.
        reserved: Tokens to use from *wait* on, one per interval.
        wait: Seconds until the first reserved token; without one, until it is worth asking again;
            -1 when that depends on answers to requests.
        epoch: How many bursts of 429s there were.
        rate, burst: The settings in force.
        part: Part of the rate that is in use.
        free: Tokens that are left. Negative when some are promised.
        missing: Tokens that are refilling.
        members: Processes that said something lately.
        used: Tokens that all have had lately, those of long ago counting less.
        paused: Seconds until anything is granted again, after a 429.
        grace: The same, after the store was away.
        lost: Why what the asker saw is not there: the data is "gone", or "older". None: it is.
    """

    now: float
    generation: str
    version: int
    granted: int
    reserved: int
    wait: float
    epoch: int
    rate: float
    burst: float
    part: float
    free: float
    missing: float
    members: int
    used: float
    paused: float
    grace: float
    lost: str | None = None


def read(answer: str | bytes) -> ScriptAnswer | None:
    """Read what the script returned. None: the question came too late, and nothing was done."""
    values: dict[str, Any] = json.loads(answer)
    if values.pop("undone"):
        return None
    return ScriptAnswer(**values)
