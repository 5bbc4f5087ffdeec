"""
Which budget pays for the operations of a batch.

TalkJS documents a budget for batch requests. Whether their operations are charged to the ordinary
one as well, it does not say. We believe that they are not, until an operation gets a 429 in a batch
that itself was let in: only another budget can have refused it. From then on each operation pays.
"""

from __future__ import annotations

import logging
import weakref
from typing import Final

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import Clock
from talkjs_async.errors import LimiterUnavailable, RateLimitWaitTimeout
from talkjs_async.limits import Limiter, Permit
from talkjs_async.telemetry import log


class Charges:
    """
    What has been seen.

    Attributes:
        each: Whether every operation costs a token of the ordinary budget.
    """

    __slots__ = ("__weakref__", "each")

    def __init__(self) -> None:
        self.each = False

    async def refused(self, ordinary: Limiter) -> None:
        """Note that an operation got a 429, and have *ordinary* learn that its bucket is empty."""
        if self.each:
            return
        self.each = True
        log(
            logging.WARNING,
            "An operation of a batch got a 429, so TalkJS charges operations to the ordinary "
            "budget. From now on each of them waits for it, and no more calls overflow.",
        )
        try:
            # Only a permit can end in a 429, and no operation has one.
            permit = await ordinary.acquire(max_wait=0)
        except (RateLimitWaitTimeout, LimiterUnavailable):
            return  # it knows
        permit.throttled()


_known: Final[weakref.WeakKeyDictionary[Limiter, Charges]] = weakref.WeakKeyDictionary()


def charges_of(ordinary: Limiter) -> Charges:
    """What is known to everybody who shares *ordinary*."""
    try:
        return _known.setdefault(ordinary, Charges())
    except TypeError:
        return Charges()  # it cannot be a key: each client learns for itself


async def pay_for_each(
    ordinary: Limiter, operations: int, *, lane: Lane, max_wait: float | None, clock: Clock
) -> Permit:
    """
    Wait for a token of the ordinary budget for each operation of a batch.

    The tokens of a batch that is not sent after all count as spent, but for the last one.

    Args:
        ordinary: The budget.
        operations: How many, at least one.
        lane: Where to queue.
        max_wait: Seconds that all of it may take.
        clock: What they are seconds of.

    Returns:
        The permit of the last one. Only that one stays in flight: the batch is one request, and
        several batches that hold a part of the slots each would wait for each other for ever.
    """
    asked = clock.monotonic()
    for _ in range(operations - 1):
        permit = await ordinary.acquire(lane=lane, max_wait=_left(max_wait, asked, clock))
        permit.settle()
    return await ordinary.acquire(lane=lane, max_wait=_left(max_wait, asked, clock))


def _left(max_wait: float | None, asked: float, clock: Clock) -> float | None:
    return None if max_wait is None else max(max_wait - (clock.monotonic() - asked), 0.0)
