"""
What the attempts of one call leave open: whether it may have been carried out.

It belongs to the call, whatever carries it: a request of its own or a batch, from the first attempt
to the error that the caller sees. Pure; knows nothing of time but numbers.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from talkjs_async._core.call import Call
from talkjs_async.errors import (
    APIError,
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    LimiterUnavailable,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
    ServerError,
    TalkJSError,
    TransportError,
)

_NOTHING_DONE: Final = (
    RateLimitWaitTimeout,
    LimiterUnavailable,
    RateLimited,
    ConnectFailed,
    ConfigurationError,
)
"""What promises that nothing was carried out. That holds for one attempt."""


@attrs.define
class CallHistory:
    """
    What became of the attempts of one call.

    Attributes:
        call: The call.
        attempts: How many there were.
        first_sent: When the first one might leave.
        maybe_done: Whether one of them may have been carried out. Never, for a call that reads.
    """

    call: Call[Any]
    attempts: int = 0
    first_sent: float = 0.0
    maybe_done: bool = False

    def begin(self, now: float) -> None:
        """Count an attempt that may leave *now*."""
        self.attempts += 1
        if self.attempts == 1:
            self.first_sent = now

    def take_back(self) -> None:
        """Do not count the attempt: the batch that was to carry it was refused as such."""
        self.attempts -= 1

    def failed(self, error: TalkJSError) -> None:
        """Take in how an attempt ended, and write into *error* what it cannot know by itself."""
        if self.call.method != "GET" and isinstance(
            error, OutcomeUnknown | ServerError | DecodeError
        ):
            self.maybe_done = True
        error.maybe_done = self.maybe_done
        if isinstance(error, APIError | TransportError):
            error.attempts = self.attempts
        if isinstance(error, OutcomeUnknown):
            error.idempotency_keys = self.call.idempotency_keys

    def is_success(self, error: TalkJSError) -> bool:
        """Tell whether *error* says that what the call was to delete is gone, as intended."""
        deleted = self.maybe_done and self.call.method == "DELETE"
        return (deleted or self.call.missing_ok) and isinstance(error, NotFound)

    def verdict(self, error: TalkJSError) -> TalkJSError:
        """
        Say what to raise, where *error* is how the last attempt ended.

        Returns:
            *error*, or OutcomeUnknown where it only says that the last attempt was not carried out.
        """
        if self.maybe_done and isinstance(error, _NOTHING_DONE):
            return self.lost(error)
        error.maybe_done = error.maybe_done or self.maybe_done
        return error

    def lost(self, error: Exception) -> OutcomeUnknown:
        """
        Say that the call may have been carried out, and why nothing settled it.

        Args:
            error: How the last attempt ended. It need not be ours: an *auth*, a limiter, a
                transport or a file of the user's may have failed, also when it was to be closed.
        """
        if isinstance(error, TalkJSError):
            what = "an earlier attempt may have been carried out; the last one was not"
        else:
            what = "an attempt may have been carried out; then code of the caller's failed"
        unknown = self._unknown(f"{what} ({type(error).__name__}).")
        if isinstance(error, TalkJSError):
            unknown.retry_after = error.retry_after
            unknown.headers = error.headers
        unknown.__cause__ = error
        return unknown

    def has_expired(self, now: float) -> bool:
        """Tell whether a repeat would come too late to be recognised as one."""
        return self.maybe_done and now - self.first_sent > self.call.repeatable_for

    def expiry(self) -> OutcomeUnknown:
        """Say that the call is not repeated any more."""
        return self._unknown(
            "an earlier attempt may have been carried out, and repeating it is no longer safe."
        )

    def _unknown(self, message: str) -> OutcomeUnknown:
        error = OutcomeUnknown(message, method=self.call.method, path=self.call.path)
        self.failed(error)
        return error
