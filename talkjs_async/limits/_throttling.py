"""
What a 429 does: how long all calls pause, and what it teaches about level and rate.

Numbers only; `Level` applies them.
"""

from __future__ import annotations

from typing import Final

DEBT: Final = 0.5
"""Seconds of the rate that a 429 puts us below zero: enough for a server that refills in ticks."""

MARGIN: Final = 0.05
"""Part of the burst that 429s can teach us not to use."""

SUSPICIOUS: Final = 900.0
"""
Seconds. The first 429 says that we were wrong about the level of the bucket (a restart, say). One
more within this time says that somebody else draws on it, so that the rate is wrong too.
"""

CUT: Final = 0.85
"""What is left of the rate after such a 429."""

RECOVERY: Final = 0.001
"""Part of the full rate that comes back per second."""

RECOVERY_STEP: Final = 1.0
"""Seconds between two corrections of the rate."""

LEAST_RATE: Final = 0.02
"""Part of the full rate that is always tried: fifty strangers in one app."""

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
