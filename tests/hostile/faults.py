"""
What a fault leaves of an answer, and how each call may end then.

A fault has a kind, and the kind with the nature of the call (does it have a result, may it be
repeated) decides about the error, the attempts, the end of the permits and what the server may have
done. See `expected`. The faults themselves are in `table`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import NamedTuple

from tests.hostile.raw_server import Exchange


class Kind(Enum):
    """What a fault leaves of an answer."""

    WHOLE = auto()  # as if nothing had been wrong
    LOST = auto()  # no status
    CUT = auto()  # a success whose body cannot be read
    LARGE = auto()  # a success that is larger than the bound
    FLOOD = auto()  # more than the bound, and no status
    ODD = auto()  # a whole success that is not what the API promises
    ANOTHER = auto()  # a success about another record
    EMPTY = auto()  # a success that has no body by its status
    STATUS = auto()  # an error status, whatever the body
    UNCONNECTED = auto()  # no connection


class CallKind(NamedTuple):
    """
    What matters of a call.

    Attributes:
        result: Whether its answer has something that the caller gets.
        repeatable: Whether it may be sent again when its outcome is unknown.
        record: Whether its answer names the record that was asked for.
        writes: How many things it does at the server.
        batch: Whether other calls are in it.
    """

    result: bool
    repeatable: bool
    record: bool = False
    writes: int = 1
    batch: bool = False


class End(NamedTuple):
    """
    How a call ends.

    Attributes:
        error: Its name. None: a value.
        attempts: Requests.
        permits: How all of their permits end.
        commits: What the server may have done, each thing once however often it was asked to.
    """

    error: str | None
    attempts: int
    permits: str
    commits: int


class Fault(NamedTuple):
    """
    One line of the table.

    Attributes:
        kind: What it leaves of the answer.
        play: Does it. None: there is no connection to do it on.
        status: Of the answer.
        waits: Whether nothing but a deadline ends it.
    """

    kind: Kind
    play: Callable[[Exchange, bytes], Awaitable[None]] | None = None
    status: int = 200
    waits: bool = False


STATUSES = {
    400: "BadRequest",
    401: "Unauthorized",
    402: "Forbidden",
    403: "Forbidden",
    404: "NotFound",
}
REFUSED_BY_TALKJS = range(300, 500)
"""After these, nothing was done."""
SAFE_TO_REPEAT = (429, 500, 503)
"""Statuses after which TalkJS says that nothing was done."""


def has_committed(status: int) -> bool:
    """Whether a server that answers so may have done what it was asked to."""
    return status not in REFUSED_BY_TALKJS and status not in SAFE_TO_REPEAT


def expected(fault: Fault, call: CallKind, attempts: int) -> End:
    """Say how *call* ends when each of its *attempts* meets *fault*."""
    again = attempts if call.repeatable else 1
    if fault.kind is Kind.UNCONNECTED:
        return End("ConnectFailed", attempts, "refunded", 0)
    commits = call.writes if has_committed(fault.status) else 0
    error, sent, permits = _end(fault, call, again, attempts)
    return End(error, sent, permits, commits)


def _end(fault: Fault, call: CallKind, again: int, attempts: int) -> tuple[str | None, int, str]:
    if fault.kind is Kind.STATUS:
        return _end_of_status(fault.status, call, again, attempts)
    if fault.kind is Kind.WHOLE or (not call.result and fault.kind not in {Kind.LOST, Kind.FLOOD}):
        return None, 1, "settled"
    if fault.kind in {Kind.LOST, Kind.CUT} or (fault.kind is Kind.ANOTHER and call.record):
        return "OutcomeUnknown", again, "settled"
    # It would be as large, or as odd, if it was asked for again. What the calls in a batch have
    # done, its answer would have said.
    return "OutcomeUnknown" if call.batch else "DecodeError", 1, "settled"


def _end_of_status(
    status: int, call: CallKind, again: int, attempts: int
) -> tuple[str | None, int, str]:
    if status == 429:
        return "RateLimited", attempts, "throttled"
    if status >= 500:
        return "ServerError", attempts if status in SAFE_TO_REPEAT else again, "settled"
    # A batch that is refused as such is sent call by call, unless it is the key that is wrong.
    alone = call.writes if call.batch and status != 401 else 0
    return STATUSES.get(status, "APIError"), 1 + alone, "settled"
