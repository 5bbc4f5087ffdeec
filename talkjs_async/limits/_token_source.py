"""What a queue asks of the tokens behind it, wherever they are kept."""

from __future__ import annotations

from typing import Protocol

from talkjs_async._core.call import Lane


class TokenSource(Protocol):
    """
    Where the tokens come from.

    Attributes:
        grace: Seconds that a *max_wait* is prolonged by, while the source asks elsewhere.
        interval: Seconds per token.
    """

    grace: float
    interval: float

    def due(self, lane: Lane, now: float, *, owed: bool) -> float:
        """
        When one more caller may be granted a token; *now* or earlier means at once.

        Args:
            lane: Where it stands.
            now: The clock.
            owed: Whether a background caller has waited for so long that no reserve counts.

        Returns:
            A moment. Infinity when only an event can help, after which `dispatch` is called.
        """
        ...

    def take(self, lane: Lane, now: float) -> int:
        """Take the token that is due for *lane*, and return the number of the grant."""
        ...

    def untake(self, number: int) -> object:
        """Take back a grant whose caller has gone."""
        ...

    def estimate(self, now: float, *, ahead: int, faster: int, lane: Lane) -> float:
        """
        Seconds until a token is due for a new caller.

        Args:
            now: The clock.
            ahead: How many others come before it.
            faster: How many of those have the slots and tokens of interactive callers, where the
                new one has not.
            lane: Where the new one stands.
        """
        ...
