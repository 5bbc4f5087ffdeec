"""
What happens inside, as data: frozen events for hooks.

A hook is any callable that takes one event. It runs in the task that makes the call, so it must be
quick and must not block. Events hold no secret, no token, no body and no query.

`AttemptEnded` and `RetryScheduled` are about the calls of one client. The others are about a
budget, and cover all clients of the app that share it, also those in other threads, in which the
hook then runs.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Final, TypeVar

import attrs

from talkjs_async._core.call import Bucket, Lane
from talkjs_async.errors import ConfigurationError, shown

__all__ = [
    "AttemptEnded",
    "Drained",
    "Hook",
    "LimiterEvent",
    "Listener",
    "Paused",
    "RetryScheduled",
    "SettingsDiffer",
    "StoreAway",
    "StoreBack",
    "StoreLostData",
    "TelemetryEvent",
    "Waited",
    "log_events",
]

logger: Final = logging.getLogger("talkjs_async")


@attrs.frozen(kw_only=True)
class AttemptEnded:
    """
    One attempt of a call is over.

    Attributes:
        method, path: The request, below `/v1/{appId}`.
        attempt: 1 for the first.
        status: HTTP status. None when no answer came.
        error: Class name of the error, also of one that is not ours: of an *auth*, or of the source
            of an upload. "Cancelled" when the call was. None after a success; whether its data can
            be decoded shows later.
        waited: Seconds spent waiting for the budget.
        elapsed: Seconds from leaving to the whole answer, the wait for a connection included.
        headers: Of the answer, by small letters, without cookies and credentials. Empty when no
            answer came.
    """

    method: str
    path: str
    attempt: int
    status: int | None
    error: str | None
    waited: float
    elapsed: float
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)


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


@attrs.frozen(kw_only=True)
class Waited:
    """
    A call had to queue for the budget and got its token.

    Attributes:
        lane: Where it queued.
        seconds: How long.
        bucket: Which budget of a client: "ordinary" or "batch". None for who listens to the limiter
            itself.
    """

    lane: Lane
    seconds: float
    bucket: Bucket | None = None


@attrs.frozen(kw_only=True)
class Drained:
    """
    A 429 showed that the server's bucket is emptier than ours; once per burst of 429s.

    Attributes:
        generation: The number of such 429s so far.
        tokens: What we believed to have.
        in_flight: Requests that are not answered yet.
        effective_rate: Requests per second from now on.
        bucket: As in `Waited`.
    """

    generation: int
    tokens: float
    in_flight: int
    effective_rate: float
    bucket: Bucket | None = None


@attrs.frozen(kw_only=True)
class Paused:
    """
    No call may leave for a while, after a 429.

    Attributes:
        seconds: How long from now.
        retry_after: What the server asked for, in seconds. None when it did not say.
        bucket: As in `Waited`.
    """

    seconds: float
    retry_after: float | None
    bucket: Bucket | None = None


@attrs.frozen(kw_only=True)
class StoreAway:
    """
    The store that processes share cannot be used; this process goes on without it.

    Attributes:
        reason: What went wrong.
        effective_rate: Requests per second that this process allows itself meanwhile. 0 for none.
        bucket: As in `Waited`.
    """

    reason: str
    effective_rate: float
    bucket: Bucket | None = None


@attrs.frozen(kw_only=True)
class StoreBack:
    """
    The shared store is in use again.

    Attributes:
        spent: Requests that this process let through without it.
        bucket: As in `Waited`.
    """

    spent: int
    bucket: Bucket | None = None


@attrs.frozen(kw_only=True)
class StoreLostData:
    """
    The shared store has lost what it knew of the budget, which goes on without a burst.

    Attributes:
        reason: What shows it.
        bucket: As in `Waited`.
    """

    reason: str
    bucket: Bucket | None = None


@attrs.frozen(kw_only=True)
class SettingsDiffer:
    """
    Processes that share a budget were given different settings; the smaller ones hold for all.

    Attributes:
        rate, burst: What this process was given.
        rate_in_force, burst_in_force: What holds.
        bucket: As in `Waited`.
    """

    rate: float
    burst: int
    rate_in_force: float
    burst_in_force: int
    bucket: Bucket | None = None


LimiterEvent = Waited | Drained | Paused | StoreAway | StoreBack | StoreLostData | SettingsDiffer
Listener = Callable[[LimiterEvent], None]

TelemetryEvent = AttemptEnded | RetryScheduled | LimiterEvent
Hook = Callable[[TelemetryEvent], None]

E = TypeVar("E", bound=TelemetryEvent)

_UNREMARKABLE: Final = (AttemptEnded, Waited, StoreBack)


def emit(hooks: Sequence[Callable[[E], None]], event: E) -> None:
    """
    Give *event* to every hook.

    A hook that raises is logged and passed over: an observer must not fail the call it observes.
    """
    for hook in hooks:
        try:
            hook(event)
        except Exception:  # noqa: BLE001 - hooks may raise anything
            log(logging.ERROR, "A hook failed on %s", type(event).__name__, exc_info=True)


def check_synchronous(argument: str, function: object) -> None:
    """
    Refuse what would have to be awaited.

    Raises:
        ConfigurationError: *function* is an `async def`, or an object that is called through one.
    """
    called = getattr(function, "__call__", None)  # noqa: B004 - its type is of interest
    if iscoroutinefunction(function) or iscoroutinefunction(called):
        raise ConfigurationError(
            argument,
            f"is called, never awaited: make {shown(function)} a plain function instead of an "
            "`async def`, and have it put the event where a task of yours reads it.",
        )


def log(level: int, message: str, *args: object, exc_info: bool = False) -> None:
    """
    Write to the logger "talkjs_async".

    A handler that fails changes nothing: logging never decides about a call.
    """
    try:
        logger.log(level, message, *args, exc_info=exc_info)
    except Exception:  # noqa: BLE001 - handlers may raise anything
        with contextlib.suppress(Exception):
            traceback.print_exc()


def log_events(event: TelemetryEvent) -> None:
    """Hook that writes each event to the logger "talkjs_async", failures as warnings."""
    failed = not isinstance(event, _UNREMARKABLE) or getattr(event, "error", None) is not None
    level = logging.WARNING if failed else logging.DEBUG
    if logger.isEnabledFor(level):
        logger.log(level, "%s", event)
