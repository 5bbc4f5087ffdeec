"""
Whether a source keeps up with the budgets.

Numbers only; the flow passes in what the source gives, and when.
"""

from __future__ import annotations

from typing import Final

_SLOW: Final = 0.5
"""
A source is slow when the budgets could have let this many more requests go than it has filled.

Half a request: a fuller one is worth the wait, and a source that catches up is soon not slow.
"""
_MOST: Final = 1.0
"""More than that is forgotten: what the budgets could have done in a long pause is past."""


class SourcePace:
    """
    Compares how fast a source gives records with how fast the budgets let them go.

    While the budgets are faster, waiting for full requests gains nothing: the tokens would go
    unused. While the source is faster, each token should carry a full request.
    """

    def __init__(self, per_request: int) -> None:
        """Begin before the first record; *per_request* of them go into a request."""
        self._per_request = per_request
        self._behind = 0.0
        self._asked_at: float | None = None

    def asked(self, now: float) -> None:
        """Note that the job begins to wait for the source."""
        self._asked_at = now

    def gave(self, records: int, now: float, rate: float) -> None:
        """Note that the source gave records, while the budgets let *rate* requests go a second."""
        behind = self._behind_at(now, rate)
        self._behind, self._asked_at = max(0.0, behind - records / self._per_request), None

    def seconds_until_slow(self, now: float, rate: float) -> float:
        """
        Seconds until the source is slow if it gives nothing more; 0 or less when it is slow.

        Args:
            rate: Requests per second that the budgets let go, more than 0.
        """
        return (_SLOW - self._behind_at(now, rate)) / rate

    def _behind_at(self, now: float, rate: float) -> float:
        waited = 0.0 if self._asked_at is None else now - self._asked_at
        return min(_MOST, self._behind + rate * waited)
