"""What the pipeline needs of a budget, wherever its tokens are kept."""

from __future__ import annotations

from typing import Protocol

from talkjs_async._core.call import Lane
from talkjs_async.limits._budget import Budget


class Limiter(Protocol):
    """
    What the pipeline needs of a budget.

    Every granted `acquire` ends in exactly one of `settle`, `refund` and `throttled`. All methods
    may be called from any thread and event loop. One that has a method like `TokenBucket.listen` is
    heard by the hooks of its clients.
    """

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> int:
        """
        Wait for the token of one attempt.

        Args:
            lane: Where to queue.
            max_wait: Seconds to wait at most. None for as long as it takes, 0 for not at all.

        Returns:
            The epoch of the grant, for `throttled`.

        Raises:
            RateLimitWaitTimeout: The wait would be longer (at once), or has become longer.
            LimiterUnavailable: The limiter is closed, or was closed meanwhile.
            ConfigurationError: No such lane, or a *max_wait* that is negative or NaN.
        """
        ...

    def settle(self) -> None:
        """End a permit: the answer is in, or will never be known. Its token starts to refill."""
        ...

    def refund(self) -> None:
        """End a permit: the attempt never left. Its token is back at once."""
        ...

    def throttled(self, epoch: int, retry_after: float | None = None) -> None:
        """
        End a permit: the answer was 429.

        The first 429 of an epoch drains the bucket and pauses everybody, the rest of the herd does
        nothing more.

        Args:
            epoch: What `acquire` returned for this attempt.
            retry_after: Seconds that the server asks to wait. None when it does not say.
        """
        ...

    def statistics(self) -> Budget:
        """Look at the budget."""
        ...

    async def aclose(self) -> None:
        """Refuse everybody from now on; those who wait get `LimiterUnavailable`."""
        ...
