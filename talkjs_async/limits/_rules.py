"""
The documented limits of TalkJS, and the rules for the settings of a limiter.

Knows numbers only. Each rule raises a ConfigurationError that names the setting.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Final

from talkjs_async._core.call import Lane
from talkjs_async.errors import ConfigurationError, shown

DOCUMENTED: Final[dict[str, tuple[float, int]]] = {"ordinary": (9.0, 600), "batch": (1.0, 500)}
"""Rate and burst of each endpoint class (documented, read 2026-11-22)."""

SECONDS_PER_PROJECT: Final = 30.0
"""Between two anonymous projects of one IP address (documented)."""

IN_FLIGHT: Final = 20
"""
Requests of one budget that may be on their way at a time.

It bounds the 429s of a process that starts while the server's bucket is empty: 18 with this cap, 48
with 50. The price is a burst out of a rest: 600 calls at a round trip of 100 ms take 3.0 s, and
1.2 s with 50. The burst can come once a minute and merely takes longer; the refused burst holds up
the whole app. At 9/s the cap does not bind until answers take two seconds. Measured by
`python -m benchmarks limiter --section in_flight`.
"""

_MOST: Final = 1e9
"""Of rates and bursts, and one through it the least rate: beyond, floats lose count."""


def is_within(value: float, least: float, most: float) -> bool:
    """Tell whether *value* is a number from *least* to *most*."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and least <= value <= most
        and (isinstance(value, float) or abs(value) <= sys.float_info.max)
    )


def is_whole(value: object, least: int, most: float) -> bool:
    """Tell whether *value* is a whole number from *least* to *most*."""
    return isinstance(value, int) and is_within(value, least, most)


def check_limits(
    rate: float, burst: int, max_in_flight: int | None, background_reserve: int | None
) -> None:
    """
    Check the settings that all limiters have.

    Raises:
        ConfigurationError: A number that is not a number of that kind.
    """
    if not is_within(rate, 1 / _MOST, _MOST):
        raise ConfigurationError("rate", f"requests per second, finite and above 0: {shown(rate)}")
    if not is_within(burst, 1, _MOST) or burst != int(burst):
        raise ConfigurationError("burst", f"a whole number of requests, at least 1: {shown(burst)}")
    if max_in_flight is not None and not is_whole(max_in_flight, 1, _MOST):
        raise ConfigurationError(
            "max_in_flight", f"at least 1, or None for no bound: {shown(max_in_flight)}"
        )
    if background_reserve is not None and not is_whole(background_reserve, 0, burst - 1):
        raise ConfigurationError(
            "background_reserve",
            f"0 or more and less than burst ({burst}): {shown(background_reserve)}",
        )


def check_call(
    lanes: Mapping[Lane, tuple[float, float]], lane: Lane, max_wait: float | None
) -> tuple[float, float]:
    """
    Check the arguments of `acquire`, and return the entry of *lane* in *lanes*.

    Raises:
        ConfigurationError: No such lane, or a *max_wait* that is negative or NaN.
    """
    if max_wait is not None and not is_within(max_wait, 0, math.inf):
        raise ConfigurationError("max_wait", f"seconds, 0 or more, or None: {shown(max_wait)}")
    try:
        return lanes[lane]
    except (KeyError, TypeError):
        raise ConfigurationError("lane", f"'interactive' or 'background': {shown(lane)}") from None
