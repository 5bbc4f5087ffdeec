"""
What a 429 does: how long all calls pause, and what it teaches about level and rate.

Numbers only; `Level` applies them.
"""

from __future__ import annotations

import math
from typing import Final

DEBT: Final = 0.5
"""Seconds of the rate that a 429 puts us below zero: enough for a server that refills in ticks."""

MARGIN: Final = 0.05
"""Part of the burst that 429s can teach us not to use."""

SUSPICIOUS: Final = 900.0
"""
Seconds. The first 429 says that we were wrong about the level of the bucket (a restart, say). One
more within this time says that another client draws on it, so that the rate is wrong too.
"""

CUT: Final = 0.85
"""What is left of the rate after such a 429."""

RECOVERY: Final = 0.016
"""Part of the full rate that comes back per second, at most: 90 % within a minute."""

LEAST_RECOVERY: Final = 0.0005
"""The same after an hour of 429s, when each attempt to get more of the rate costs another one."""

STORM: Final = 20.0
"""Seconds. 429s over a longer time are no storm, but another client that goes on."""

DOUBLING: Final = 120.0
"""Seconds without a 429 after which the rate comes back twice as fast."""

RECOVERY_STEP: Final = 1.0
"""Seconds between two corrections of the rate."""

LEAST_RATE: Final = 0.02
"""Part of the full rate that is always tried: enough for fifty other clients in one app."""

_LONGEST_PAUSE: Final = 60.0
"""Seconds. A longer Retry-After is tested once a minute rather than believed for a day."""


def pause_of(retry_after: float | None) -> float:
    """Seconds to pause for a Retry-After: 0 for none or nonsense, at most a minute."""
    if retry_after is None or not retry_after > 0:
        return 0.0
    return min(retry_after, _LONGEST_PAUSE)


def pause_after(asked: float, interval: float) -> float:
    """
    Seconds that all calls pause after the first 429 of a throttle generation.

    Args:
        asked: Seconds of the Retry-After, as `pause_of` reads it.
        interval: Seconds per token.
    """
    return max(DEBT + interval, asked)


def recovery_speed(span: float, quiet: float) -> float:
    """
    Say which part of the full rate comes back per second.

    Args:
        span: Seconds from the first to the latest 429 of the trouble.
        quiet: Seconds since the latest.
    """
    least = RECOVERY * (STORM / span) ** 2 if span > STORM else RECOVERY
    return min(max(least, LEAST_RECOVERY) * math.exp2(min(quiet / DOUBLING, 10.0)), RECOVERY)
