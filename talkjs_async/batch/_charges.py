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
from talkjs_async.errors import LimiterUnavailable, RateLimitWaitTimeout, TalkJSError
from talkjs_async.limits import Limiter, Permit
from talkjs_async.telemetry import log


class Charges:
    """
    What has been seen.

    Attributes:
        each: Whether every operation costs a token of the ordinary budget.
        warned: Whether it was logged that batches are refused.
    """

    __slots__ = ("__weakref__", "each", "warned")

    def __init__(self) -> None:
        self.each = False
        self.warned = False

    def warn_of_refusal(self, error: TalkJSError) -> None:
        """Note that a batch was refused as such."""
        if not self.warned:
            self.warned = True
            log(
                logging.WARNING,
                "A batch was refused as such, so its calls are sent alone, and no more calls "
                "overflow: %s",
                error,
            )

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
    """What all who share *ordinary* know."""
    try:
        return _known.setdefault(ordinary, Charges())
    except TypeError:
        return Charges()  # it cannot be a key: each client learns for itself


async def pay_for_each(
    ordinary: Limiter,
    operations: int,
    paid: list[Permit],
    *,
    lane: Lane,
    max_wait: float | None,
    asked: float,
    clock: Clock,
) -> None:
    """
    Wait for a token of the ordinary budget for each operation of a batch.

    The tokens of a batch that is not sent after all count as spent, but for the last one.

    Args:
        ordinary: The budget.
        operations: How many, at least one.
        paid: Where the permit of the last one is put. Only that one stays in flight: the batch is
            one request, and several batches that hold a part of the slots each would wait for each
            other for ever.
        lane: Where to queue.
        max_wait: Seconds from *asked* on that all of it may take.
        asked: When the wait began, by *clock*.
        clock: What they are seconds of.
    """
    for _ in range(operations):
        while paid:
            paid.pop().settle()
        left = None if max_wait is None else max(max_wait - (clock.monotonic() - asked), 0.0)
        paid.append(await ordinary.acquire(lane=lane, max_wait=left))
