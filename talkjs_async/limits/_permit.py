"""
The right to send one request, and how it ends.

Knows nothing of tokens: what an end means is the business of the limiter that made the permit.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Final, Literal

from talkjs_async.telemetry import log

Outcome = Literal["settled", "refunded", "throttled"]
"""How a permit ended; see the methods of `Permit`."""

LOST_AFTER: Final = 600.0
"""
Seconds after which a permit that did not end counts as lost. No attempt takes so long unless its
timeout allows it, and then the harm is a needless warning and a token that refills a little early.
"""

_untold: Final[deque[str]] = deque()


class Permit:
    """
    The right to send one request. One of `settle`, `refund` and `throttled` ends it.

    The first one counts and later ones do nothing. End it in a `finally`: a permit that is dropped
    without an end is settled and logged as lost.

    Args:
        end: What the limiter does at the end. It is called once, with the permit, the outcome and
            the seconds of a Retry-After; it may run in any thread. When it returns False, the
            permit did not count any more. What it raises is logged: the call has its result.
        grant: How the limiter knows which one it is.
    """

    __slots__ = ("_end", "grant")

    def __init__(
        self, end: Callable[[Permit, Outcome, float | None], object], grant: int = 0
    ) -> None:
        self._end: Callable[[Permit, Outcome, float | None], object] | None = end
        self.grant: int = grant

    def settle(self) -> None:
        """End it: the answer is in, or will never be known. The token starts to refill."""
        self._finish("settled")

    def refund(self) -> None:
        """End it: the request never left. The token is back at once."""
        self._finish("refunded")

    def throttled(self, retry_after: float | None = None) -> None:
        """
        End it: the answer was 429.

        The first 429 of a throttle generation drains the bucket and pauses all calls, those that
        were granted before do nothing more.

        Args:
            retry_after: Seconds that the server asks to wait. None when it does not say.
        """
        self._finish("throttled", retry_after)

    def _finish(self, outcome: Outcome, retry_after: float | None = None) -> None:
        end = self._end
        if end is not None:
            self._end = None
            try:
                end(self, outcome, retry_after)
            except Exception:  # noqa: BLE001 - limiters of users may raise anything
                log(logging.ERROR, "A limiter failed at the end of a permit", exc_info=True)

    def __del__(self) -> None:
        end = self._end
        if end is not None:
            self._end = None
            try:
                counted = end(self, "settled", None) is not False
            except Exception:  # noqa: BLE001 - a clock, say, that needs an event loop
                counted = True
            if counted:
                note_lost("it was dropped")
                if not _in_a_limiter():
                    tell_of_lost()


def note_lost(reason: str) -> None:
    """Remember that a permit was lost. Safe under a limiter's lock; `tell_of_lost` follows."""
    _untold.append(reason)


def tell_of_lost() -> None:
    """Log the permits that were lost. Never under a lock: log handlers are foreign code."""
    while _untold:
        log(
            logging.WARNING,
            "A permit of a limiter did not end (%s): it counts as settled. End each permit in a "
            "`finally`.",
            _untold.popleft(),
        )


def _in_a_limiter() -> bool:
    """Whether a limiter runs further down in this thread, perhaps with its lock held."""
    # A garbage collection can end a permit anywhere. Walking the stack costs something only then;
    # to note the owner of each lock would cost every call.
    # CPython and PyPy have it. When the interpreter ends, nothing has called `__del__`.
    frame: FrameType | None = sys._getframe()  # noqa: SLF001
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        # This module holds no lock.
        if name.startswith(("talkjs_async.limits", "talkjs_async.redis")) and name != __name__:
            return True
        frame = frame.f_back
    return False
