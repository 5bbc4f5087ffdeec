"""How far a running job is."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Progress:
    """
    A running job at one moment.

    Attributes:
        done, unchanged, failed, planned: Records so far; see `Outcome`.
        waiting: Records that were read from the source and are not through yet.
        total: How many records there are. None when the source does not say.
        requests: Requests that TalkJS has answered so far; see `BulkReport`.
        rate: Records per second, on average since the job began.
        budget_wait: Seconds until the app's budget lets another request go; 0 when it has some
            left, infinite while that is unknown.
        elapsed: Seconds since the job began.
        eta: Seconds that are left, by the budget and by the pace so far. None when *total* is None,
            or while the rate is unknown.
        finished: Whether this is the last one.
    """

    done: int = 0
    unchanged: int = 0
    failed: int = 0
    planned: int = 0
    waiting: int = 0
    total: int | None = None
    requests: int = 0
    rate: float = 0.0
    budget_wait: float = 0.0
    elapsed: float = 0.0
    eta: float | None = None
    finished: bool = False

    @property
    def through(self) -> int:
        """Records that need no more work."""
        return self.done + self.unchanged + self.failed + self.planned
