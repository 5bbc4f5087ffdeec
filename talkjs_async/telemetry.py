"""
What happens inside, as data: frozen events for hooks.

A hook is any callable that takes one event. It runs in the task that makes the call, so it must be
quick and must not block. Events hold no secret, no token, no body and no query.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

import attrs

logger: Final = logging.getLogger("talkjs_async")


@attrs.frozen(kw_only=True)
class AttemptEnded:
    """
    One attempt of a call is over.

    Attributes:
        method, path: The request, below `/v1/{appId}`.
        attempt: 1 for the first.
        status: HTTP status. None when no answer came.
        error: Class name of the error. None after a success.
        waited: Seconds spent waiting for the budget.
        elapsed: Seconds from leaving to the whole answer, the wait for a connection included.
    """

    method: str
    path: str
    attempt: int
    status: int | None
    error: str | None
    waited: float
    elapsed: float


@attrs.frozen(kw_only=True)
class RetryScheduled:
    """
    A failed attempt will be repeated.

    Attributes:
        method, path: The request.
        attempt: The attempt that failed.
        delay: Seconds until the next one joins the budget's queue.
        error: Class name of what went wrong.
    """

    method: str
    path: str
    attempt: int
    delay: float
    error: str


Event = AttemptEnded | RetryScheduled
Hook = Callable[[Event], None]


def emit(hooks: Sequence[Hook], event: Event) -> None:
    """
    Give *event* to every hook.

    A hook that raises is logged and passed over: an observer must not fail the call it observes.
    """
    for hook in hooks:
        try:
            hook(event)
        except Exception:
            logger.exception("A hook failed on %s", type(event).__name__)


def log_events(event: Event) -> None:
    """Hook that writes each event to the logger "talkjs_async", failures as warnings."""
    level = (
        logging.DEBUG if isinstance(event, AttemptEnded) and not event.error else logging.WARNING
    )
    if logger.isEnabledFor(level):
        logger.log(level, "%s", event)
