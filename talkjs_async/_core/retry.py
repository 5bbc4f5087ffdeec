"""
Which failures are worth another attempt, and after how long.

Pure decisions; the loop itself is tenacity's. See `docs/explanation/retries.md`.
"""

from __future__ import annotations

import math
import random
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import attrs

from talkjs_async._core.history import CallHistory
from talkjs_async._core.wire import is_real, is_whole
from talkjs_async.errors import (
    APIError,
    ConfigurationError,
    ConnectFailed,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
    ServerError,
    TalkJSError,
    shown,
)

if TYPE_CHECKING:
    import httpx
    from tenacity import AsyncRetrying

    from talkjs_async._core.clock import Clock

_TALKJS_OWN = frozenset({500, 503})
"""Server errors of TalkJS itself. Others come from a proxy, and do not say what was done."""


_NO_TIME: Final = 1e-6
"""Seconds in which no answer comes: what rounding leaves of the time that a call has in all."""

_WAITS: Final = re.compile(r"\s*((?:[A-Za-z]{3,9},)?[^,]*)(?:,|$)")
"""Several values in one header; the comma behind the name of a day parts nothing."""
_SECONDS: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """
    Read a Retry-After header.

    Args:
        value: Seconds, or an HTTP date; one without a zone is UTC. Of several, as two headers make
            them, the longest wait counts. None when there is no such header.
        now: Unix time in seconds, for the date form.

    Returns:
        Seconds to wait, never negative. None when nothing in *value* is of either form.

    Source: RFC 9110, sections 10.2.3 and 5.6.7.
    """
    if value is None:
        return None
    waits = [_wait(part.strip(), now) for part in _WAITS.findall(value)]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(part: str, now: float) -> float | None:
    if _SECONDS.fullmatch(part):
        seconds = float(part)
    else:
        # Loaded only when a server sends a date.
        from email.utils import parsedate_to_datetime  # noqa: PLC0415

        try:
            moment = parsedate_to_datetime(part)
            # Without a zone, Python would take it for the time of this machine.
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _positive(_instance: Any, field: attrs.Attribute[float], value: float) -> None:
    if not is_real(value) or value < 0:
        raise ConfigurationError(
            field.name, f"must be a number of seconds from 0 up, not {shown(value)}."
        )


def _count(_instance: Any, field: attrs.Attribute[int], value: int) -> None:
    if not is_whole(value, least=1):
        raise ConfigurationError(
            field.name, f"must be a whole number from 1 up, not {shown(value)}."
        )


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """
    How persistent a client is.

    Attributes:
        attempts: How often a request is tried at most. 1 means never to retry.
        base_delay: The first pause is drawn between 0 and this, in seconds; the bound doubles with
            each further attempt (exponential back-off with full jitter).
        max_delay: No pause is drawn longer than this, in seconds.
        max_retry_after: A `Retry-After` up to this many seconds is obeyed; above it the error is
            raised at once, with its `retry_after`.
        max_elapsed: No attempt starts later than this many seconds after the first one, not
            counting the time spent waiting for the rate budget.

    Raises:
        ConfigurationError: A value is negative, not finite, or *attempts* is below 1.
    """

    attempts: int = attrs.field(default=8, validator=_count)
    base_delay: float = attrs.field(default=0.5, validator=_positive)
    max_delay: float = attrs.field(default=20.0, validator=_positive)
    max_retry_after: float = attrs.field(default=60.0, validator=_positive)
    max_elapsed: float = attrs.field(default=120.0, validator=_positive)

    def allows(self, error: BaseException, *, idempotent: bool) -> bool:
        """
        Tell whether *error* is of a kind that another attempt may cure and cannot make worse.

        An allow-list: cancellation and bugs are never repeated.
        """
        if isinstance(error, RateLimited):
            return (error.retry_after or 0.0) <= self.max_retry_after
        if isinstance(error, ServerError):
            # "Treat like a connection error, safe to retry", says TalkJS of its 5xx.
            return (idempotent or error.status in _TALKJS_OWN) and (
                (error.retry_after or 0.0) <= self.max_retry_after
            )
        return isinstance(error, ConnectFailed) or (
            idempotent and isinstance(error, OutcomeUnknown)
        )

    def delay(self, error: BaseException, attempt: int) -> float:
        """
        Draw the pause after the failed *attempt* (1 is the first), in seconds.

        `Retry-After` is a lower bound. Jitter comes on top of it, or all who were refused come back
        at the same moment.
        """
        bound = min(self.max_delay, self.base_delay * 2.0 ** min(attempt - 1, 60))
        # Jitter needs no secrecy.
        jitter = random.uniform(0.0, bound)  # noqa: S311
        asked = error.retry_after if isinstance(error, APIError) else None
        return jitter if asked is None else asked + min(jitter, 1.0)


@attrs.define
class RetryState:
    """
    One call's use of the policy: how often and how long it has tried.

    Attributes:
        history: What became of its attempts.
        ends_at: When all of it must be over, by *clock*.
        total_timeout: Seconds from the beginning to there.
        queued: Seconds in the budget's queue, the first wait not counted.
        over: Whether another attempt is out of the question, whatever the policy says.
        answered: Status and headers of the latest answer.
    """

    policy: RetryPolicy
    clock: Clock
    history: CallHistory
    ends_at: float = math.inf
    total_timeout: float = math.inf
    queued: float = 0.0
    over: bool = False
    answered: tuple[int, httpx.Headers] | None = None

    def check_leaving(self) -> None:
        """
        Refuse an attempt that comes too late.

        Raises:
            OutcomeUnknown: The call may have been carried out, and its idempotency has expired.
            RateLimitWaitTimeout: There is no time left for an answer.
        """
        if self.history.has_expired(self.clock.monotonic()):
            self.over = True
            raise self.history.expiry()
        if self.ends_at - self.clock.monotonic() <= _NO_TIME:
            raise self.out_of_time(sent=False)

    def out_of_time(self, *, sent: bool) -> TalkJSError:
        """
        Say what to raise when all of it must be over.

        Args:
            sent: Whether the attempt that is under way has left.
        """
        self.over = True
        if not sent:
            total = self.total_timeout
            return RateLimitWaitTimeout(
                # It need not have been the budget: the wait for a connection counts as well.
                f"The call could not leave in {total:.2f} s: try later, or raise total_timeout.",
                retry_after=total,
                max_wait=total,
            )
        call = self.history.call
        return OutcomeUnknown(
            f"no answer came in the {self.total_timeout:.1f} s that the call had in all.",
            method=call.method,
            path=call.path,
        )

    def begin(self, waited: float) -> None:
        """Count an attempt that may now leave, after *waited* seconds in the budget's queue."""
        if self.history.attempts:
            self.queued += waited
        self.history.begin(self.clock.monotonic())

    def left(self, bound: float | None) -> float | None:
        """Seconds that the next step may take: at most *bound*, and not beyond the end of all."""
        if self.ends_at == math.inf:
            return bound
        left = max(self.ends_at - self.clock.monotonic(), 0.0)
        return left if bound is None else min(bound, left)

    def allows(self, error: BaseException) -> bool:
        """Tell whether *error* is of a kind that another attempt may cure."""
        return not self.over and self.policy.allows(error, idempotent=self.history.call.idempotent)

    def retrying(self) -> AsyncRetrying:
        """
        Build the tenacity loop of this call.

        One object per call: tenacity keeps the run's state on it, so a shared one mixes up tasks.
        """
        # Imported at the first failure of a process: tenacity is slow to import (it pulls in
        # tornado where that is installed), and most calls never fail.
        from tenacity import AsyncRetrying  # noqa: PLC0415
        from tenacity.retry import retry_if_exception  # noqa: PLC0415

        policy, history = self.policy, self.history

        def stop(state: Any) -> bool:
            now = self.clock.monotonic()
            spent = now - history.first_sent - self.queued
            # Drawn by `wait`, which comes first.
            pause = state.upcoming_sleep
            return (
                history.attempts >= policy.attempts
                or spent + pause > policy.max_elapsed
                or now + pause >= self.ends_at
            )

        def wait(state: Any) -> float:
            return policy.delay(state.outcome.exception(), history.attempts)

        return AsyncRetrying(
            sleep=self.clock.sleep,
            stop=stop,
            wait=wait,
            retry=retry_if_exception(self.allows),
            reraise=True,
        )
