"""What the pipeline needs of a budget, wherever its tokens are kept."""

from __future__ import annotations

from typing import Protocol

from talkjs_async._core.call import Lane
from talkjs_async.limits._budget import Budget
from talkjs_async.limits._permit import Permit


class Limiter(Protocol):
    """
    What the pipeline needs of a budget.

    All methods, and those of its permits, may be called from any thread and event loop. A limiter
    that has a method like `TokenBucket.listen` is heard by the hooks of its clients.
    """

    async def acquire(self, *, lane: Lane = "interactive", max_wait: float | None = None) -> Permit:
        """
        Wait for the permit of one attempt.

        Args:
            lane: Where to queue.
            max_wait: Seconds to wait at most. None for as long as it takes, 0 for not at all.

        Returns:
            The permit. The caller ends it, in a `finally`.

        Raises:
            RateLimitWaitTimeout: The wait would be longer (at once), or has become longer.
            LimiterUnavailable: The limiter is closed, or was closed meanwhile.
            ConfigurationError: No such lane, or a *max_wait* that is negative or NaN.
        """
        ...

    def statistics(self) -> Budget:
        """Look at the budget."""
        ...

    async def aclose(self) -> None:
        """Refuse all calls from now on; those that wait get `LimiterUnavailable`."""
        ...
