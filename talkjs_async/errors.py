"""
Everything that can go wrong, as one tree.

    TalkJSError
    ├── ConfigurationError      a wrong argument or setting: fix the code (also a ValueError)
    ├── RateLimitWaitTimeout    the budget's queue is longer than *max_wait*
    ├── LimiterUnavailable      the limiter is closed, or its shared store is out of reach
    ├── TransportError          no answer
    │   ├── ConnectFailed       the request never left: nothing happened at TalkJS
    │   └── OutcomeUnknown      it left, no answer settles it: it may or may not have happened
    ├── APIError                TalkJS answered with an error status
    │   ├── BadRequest (400)  Unauthorized (401)  Forbidden (403)  NotFound (404)
    │   ├── UnknownApp, UnknownEndpoint (404 as well, and neither is a NotFound)
    │   ├── RateLimited (429)
    │   └── ServerError (5xx)
    ├── DecodeError             an answer that is not what the API promises
    └── WebhookError            a webhook that is not genuine, not fresh or not readable

A subclass exists only where a caller would act differently. Errors survive pickling and never hold
a secret, a token or a body that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

__all__ = [
    "APIError",
    "BadRequest",
    "ConfigurationError",
    "ConnectFailed",
    "DecodeError",
    "Forbidden",
    "LimiterUnavailable",
    "NotFound",
    "OutcomeUnknown",
    "RateLimitWaitTimeout",
    "RateLimited",
    "ServerError",
    "TalkJSError",
    "TransportError",
    "Unauthorized",
    "UnknownApp",
    "UnknownEndpoint",
    "WebhookError",
]


class TalkJSError(Exception):
    """
    Base of every error that this library raises.

    Subclasses take keyword arguments only and keep each of them as an attribute of the same name.

    Attributes:
        temporary: Whether it is of the kind that passes by itself, so that calling later may work.
        retry_after: Seconds after which that makes sense. None when there is nothing to tell.
        maybe_done: Whether the call may have been carried out all the same, in its last attempt or
            in an earlier one. Always False for what only reads.
        headers: Of the answer, by small letters: what TalkJS's support asks for. Empty when no
            answer came; never with cookies or credentials. Of a call in a batch, those of the
            batch.
    """

    temporary: ClassVar[bool] = False
    headers: Mapping[str, str] = MappingProxyType({})
    retry_after: float | None = None
    maybe_done: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        # A keyword-only __init__ breaks the default, which calls the class with self.args.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[TalkJSError], args: tuple[Any, ...], state: dict[str, Any]) -> TalkJSError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def shown(value: object, *, most: int = 80) -> str:
    """Show a value that was given, in an error: on one line, whatever it is, and not all of it."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a number of too many digits, or an object of the caller's
        return f"<{type(value).__name__} that cannot be shown>"
    return text if len(text) <= most else f"{text[:most]}..."


class ConfigurationError(TalkJSError, ValueError):
    """
    An argument or a setting breaks a rule. Nothing was sent.

    Attributes:
        argument: Name of the argument, as the caller spelled it.
        rule: What is allowed, and the way out.
    """

    def __init__(self, argument: str, rule: str) -> None:
        super().__init__(f"{argument}: {rule}")
        self.argument = argument
        self.rule = rule


class RateLimitWaitTimeout(TalkJSError, TimeoutError):
    """
    The wait for the rate budget would be longer than *max_wait*. Nothing was sent.

    Attributes:
        retry_after: Seconds that the call would have had to wait.
        max_wait: The bound that was given, in seconds.
    """

    temporary = True
    retry_after: float  # pyright: ignore[reportIncompatibleVariableOverride]  # always known

    def __init__(self, message: str | None = None, *, retry_after: float, max_wait: float) -> None:
        super().__init__(
            message
            or f"The rate budget is {retry_after:.2f} s away and the call may wait for "
            f"{max_wait:.2f} s: try again later, or raise max_wait or total_timeout."
        )
        self.retry_after = retry_after  # pyright: ignore[reportIncompatibleVariableOverride]
        self.max_wait = max_wait


class LimiterUnavailable(TalkJSError):
    """The limiter cannot grant a token: it is closed, or its shared store is out of reach."""

    temporary = True


class TransportError(TalkJSError):
    """
    No answer came.

    Attributes:
        method, path: The request, without host and query.
        attempts: How many times it was tried.
    """

    temporary = True

    def __init__(self, message: str, *, method: str, path: str, attempts: int = 1) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.attempts = attempts

    def __str__(self) -> str:
        return f"{self.method} {self.path or '/'}: {self.args[0]}{_tries(self.attempts)}"


class ConnectFailed(TransportError):
    """No connection could be made. The request never left, so nothing happened at TalkJS."""


class OutcomeUnknown(TransportError):
    """
    An attempt left, and no answer says what became of it.

    The call may have been carried out. You get this when repeating was not safe (a notification, an
    import), and when no repeat settled it: each was lost as well, or refused with a 429, say, or
    could not be made, since an *auth* or a limiter of yours failed. A message can be sent again
    without harm, with the same key:
    `send(..., idempotency_key=error.idempotency_keys[0])`.

    Attributes:
        idempotency_keys: Of the messages that the call was to send, in their order. Empty for other
            calls.
        status: Of an answer whose body could not be read: a success, since an error status speaks
            for itself. None: no status came.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str,
        path: str,
        attempts: int = 1,
        idempotency_keys: tuple[str, ...] = (),
        status: int | None = None,
    ) -> None:
        super().__init__(message, method=method, path=path, attempts=attempts)
        self.idempotency_keys = idempotency_keys
        self.status = status


class APIError(TalkJSError):
    """
    TalkJS answered with an error status.

    Attributes:
        status: HTTP status code.
        code: TalkJS's `errorCode`, for example "USER_NOT_FOUND". None when the answer has none.
        reasons: What TalkJS objects to, as sentences. Empty when the answer says nothing.
        reasons_by_key: The same, when TalkJS names keys: field or user ID to its sentences.
        retry_after: Seconds that the server asks to wait. None when it does not say.
        method, path: The request, without host and query.
        attempts: How many times it was tried.

    Source: errorCode and reasons are read by TalkJS's own SDK; the documentation promises only the
    status (read 2026-11-22).
    """

    def __init__(
        self,
        *,
        status: int,
        code: str | None = None,
        reasons: tuple[str, ...] = (),
        reasons_by_key: dict[str, tuple[str, ...]] | None = None,
        retry_after: float | None = None,
        method: str = "",
        path: str = "",
        attempts: int = 1,
    ) -> None:
        super().__init__(status)
        self.status = status
        self.code = code
        self.reasons = reasons
        self.reasons_by_key: dict[str, tuple[str, ...]] = reasons_by_key or {}
        self.retry_after = retry_after
        self.method = method
        self.path = path
        self.attempts = attempts

    def __str__(self) -> str:
        said = f" {self.code}" if self.code else ""
        why = f": {'; '.join(self.reasons)}" if self.reasons else ""
        later = f" Retry after {self.retry_after:g} s." if self.retry_after is not None else ""
        asked = f"{self.method} {self.path or '/'}"
        done = " It may have been carried out." if self.maybe_done else ""
        return f"{asked}: {self.status}{said}{why}{_tries(self.attempts)}{later}{done}"


class BadRequest(APIError):
    """400: TalkJS refuses the arguments."""


class Unauthorized(APIError):
    """401: the secret key does not belong to the app, or this machine's clock is wrong."""


class Forbidden(APIError):
    """402 or 403: the plan or the settings of the app do not allow this."""


class NotFound(APIError):
    """404: no such user, conversation or message."""


class UnknownApp(APIError):
    """
    404 for every call: TalkJS knows no app with this ID, and did not look at the secret key.

    It is no `NotFound`, which programs take for "there is no such user".

    Source: seen live by a third party on 2026-09-01.
    """


class UnknownEndpoint(APIError):
    """
    404: TalkJS does not know this path or method. No argument of yours is the reason.

    You get it from calls that are inferred and that TalkJS turns out not to have.

    Source: seen live by a third party on 2026-09-01.
    """


class RateLimited(APIError):
    """429: the app's budget is used up. Attribute `retry_after`: seconds, when TalkJS says so."""

    temporary = True


class ServerError(APIError):
    """
    5xx: TalkJS had a problem. Rare, and already retried when you see it.

    `maybe_done` is True for all calls but reads: it may have had the problem after the work.
    """

    temporary = True


class DecodeError(TalkJSError):
    """
    An answer is not what the API promises.

    Attributes:
        json_path: Where in the answer, for example "$.data[3].createdAt".
        expected: What should be there.
        got: What is there, in a few words; never the value of a whole document.
        method, path: The request. Empty when a model was read from somewhere else.
        status: HTTP status of the answer. None when a model was read from somewhere else.
    """

    status: int | None = None

    def __init__(
        self, *, json_path: str, expected: str, got: str, method: str = "", path: str = ""
    ) -> None:
        super().__init__(json_path)
        self.json_path = json_path
        self.expected = expected
        self.got = got
        self.method = method
        self.path = path

    def __str__(self) -> str:
        where = f"{self.method} {self.path}: " if self.method else ""
        return f"{where}expected {self.expected}, got {self.got} at {self.json_path}"


class WebhookError(TalkJSError):
    """
    A webhook is not genuine, not fresh or not readable. Answer 400 and do nothing else.

    There is one class for all of it on purpose: a forger must not learn why.
    """


def _tries(attempts: int) -> str:
    return f" (tried {attempts} times)" if attempts > 1 else ""
