"""What background work leaves to interactive calls: tokens of the burst, and requests in flight."""

from __future__ import annotations

import math
from typing import Final

from talkjs_async._core.call import Lane

_RESERVE: Final = 0.05
"""Part of the burst that background may not touch: 30 of 600, for a page of some 20 calls."""

_SLOTS_KEPT: Final = 0.2
"""Part of the requests in flight that background leaves to interactive calls."""


def default_reserve(burst: int) -> int:
    """Tokens of *burst* that background leaves alone, unless a limiter says otherwise."""
    return int(burst * _RESERVE)


def bounds_of_lanes(reserve: int, max_in_flight: int | None) -> dict[Lane, tuple[float, float]]:
    """
    Say for each lane which tokens must be there, and which number in flight must not be reached.

    Args:
        reserve: Tokens that background leaves alone.
        max_in_flight: How many requests may be on their way. None for no bound.
    """
    most = math.inf if max_in_flight is None else max_in_flight
    kept = 0 if max_in_flight is None else int(max_in_flight * _SLOTS_KEPT)
    return {"interactive": (1.0, most), "background": (1.0 + reserve, most - kept)}
