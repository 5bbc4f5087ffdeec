"""
Which budget pays for the operations of a batch.

TalkJS documents a budget for batch requests. Whether their operations are charged to the ordinary
one as well, it does not say. We believe that they are not, until an operation gets a 429 in a batch
that itself was let in: only another budget can have refused it. From then on each operation pays.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Final

from talkjs_async._core.call import Lane
from talkjs_async.errors import LimiterUnavailable, RateLimitWaitTimeout, TalkJSError
from talkjs_async.limits import Limiter, Outcome, Permit
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
        if not self.each:
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
    ordinary: Limiter, operations: int, *, lane: Lane, left: Callable[[], float | None]
) -> Permit:
    """
    Wait for a token of the ordinary budget for each operation of a batch.

    Only one of their permits stays in flight: the batch is one request, and several batches that
    hold a part of the slots each would wait for each other for ever. So the tokens of a batch that
    is not sent after all count as spent, but for the last one.

    Args:
        ordinary: The budget.
        operations: How many, at least one.
        lane: Where to queue.
        left: Seconds that all of it may take from now on. None for as long as it takes.

    Returns:
        The last permit.
    """
    permit = await ordinary.acquire(lane=lane, max_wait=left())
    for _ in range(operations - 1):
        permit.settle()
        permit = await ordinary.acquire(lane=lane, max_wait=left())
    return permit


def both(batch: Permit, ordinary: Permit) -> Permit:
    """One permit of both budgets. When the batch gets a 429, its operations were not charged."""

    def end(_permit: Permit, outcome: Outcome, retry_after: float | None) -> None:
        match outcome:
            case "settled":
                batch.settle()
                ordinary.settle()
            case "refunded":
                batch.refund()
                ordinary.refund()
            case "throttled":
                batch.throttled(retry_after)
                ordinary.refund()

    return Permit(end)
