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

import attrs

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import Clock
from talkjs_async.errors import LimiterUnavailable, RateLimitWaitTimeout
from talkjs_async.limits import Budget, Limiter

_logger: Final = logging.getLogger("talkjs_async")


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
        _logger.warning(
            "An operation of a batch got a 429, so TalkJS charges operations to the ordinary "
            "budget. From now on each of them waits for it, and no more calls overflow."
        )
        try:
            # Nobody has a permit for the operation, and only a permit can end in a 429.
            epoch = await ordinary.acquire(max_wait=0)
        except (RateLimitWaitTimeout, LimiterUnavailable):
            return  # it knows
        ordinary.throttled(epoch)


_known: Final[weakref.WeakKeyDictionary[Limiter, Charges]] = weakref.WeakKeyDictionary()


def charges_of(ordinary: Limiter) -> Charges:
    """What is known to everybody who shares *ordinary*."""
    try:
        return _known.setdefault(ordinary, Charges())
    except TypeError:
        return Charges()  # it cannot be a key: each client learns for itself


@attrs.define
class PayingForEach:
    """
    A limiter for one batch whose operations cost a token of the ordinary budget each.

    The tokens of a batch that is not sent after all count as spent, but for the last one.

    Attributes:
        operations: How many, at least one.
    """

    batch: Limiter
    ordinary: Limiter
    operations: int = attrs.field(kw_only=True)
    clock: Clock = attrs.field(kw_only=True)
    _epoch: int | None = attrs.field(default=None, init=False)

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> int:
        """Wait for the token of the batch, then for those of its operations."""
        asked = self.clock.monotonic()
        # In this order: whoever waits for a batch holds nothing that ordinary calls could use.
        epoch = await self.batch.acquire(lane=lane, max_wait=max_wait)
        try:
            for number in range(self.operations):
                if number:
                    self._epoch = None
                    # Only the last one stays in flight. It is one request, and several batches that
                    # hold a part of the places each would wait for each other for ever.
                    self.ordinary.settle()
                left = max_wait
                if max_wait is not None:
                    left = max(max_wait - (self.clock.monotonic() - asked), 0.0)
                self._epoch = await self.ordinary.acquire(lane=lane, max_wait=left)
        except BaseException:
            self.batch.refund()
            raise
        return epoch

    def settle(self) -> None:
        """End the permit of the batch; `end` is for that of its operations."""
        self.batch.settle()

    def refund(self) -> None:
        """End the permits: nothing was sent."""
        self.batch.refund()
        self._give_back()

    def throttled(self, epoch: int, retry_after: float | None = None) -> None:
        """End the permits: the batch was refused as a whole."""
        self.batch.throttled(epoch, retry_after)
        self._give_back()

    def end(self, *, refused: bool) -> None:
        """End the permit of the operations, if it is open; *refused*: one of them got a 429."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        if refused:
            self.ordinary.throttled(epoch)
        else:
            self.ordinary.settle()

    def _give_back(self) -> None:
        self._epoch = None
        self.ordinary.refund()

    def statistics(self) -> Budget:
        """Look at the budget of batches."""
        return self.batch.statistics()

    async def aclose(self) -> None:
        """Do nothing: the limiters are not ours to close."""
