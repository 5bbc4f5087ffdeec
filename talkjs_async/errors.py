"""
Everything that can go wrong, as one tree.

    TalkJSError
    ├── ConfigurationError      a wrong argument or setting: fix the code (also a ValueError)
    ├── RateLimitWaitTimeout    the budget's queue is longer than *max_wait*
    ├── LimiterUnavailable      the limiter is closed, or its shared store is out of reach
    ├── TransportError          no answer
    │   ├── ConnectFailed       the request never left: nothing happened at TalkJS
    │   └── OutcomeUnknown      it left, no answer came: it may or may not have happened
    ├── APIError                TalkJS answered with an error status
    │   ├── BadRequest (400)  Unauthorized (401)  Forbidden (403)  NotFound (404)
    │   ├── RateLimited (429)
    │   └── ServerError (5xx)
    ├── DecodeError             an answer that is not what the API promises
    └── WebhookError            a webhook that is not genuine, not fresh or not readable

A subclass exists only where a caller would act differently. Errors survive pickling and never hold
a secret, a token or a body that was sent.
"""

from __future__ import annotations

from typing import Any

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
    "WebhookError",
]


class TalkJSError(Exception):
    """
    Base of every error that this library raises.

    Subclasses take keyword arguments only and keep each of them as an attribute of the same name.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # A keyword-only __init__ breaks the default, which calls the class with self.args.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[TalkJSError], args: tuple[Any, ...], state: dict[str, Any]) -> TalkJSError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


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
        estimated_wait: Seconds that the call would have had to wait.
        max_wait: The bound that was given, in seconds.
    """

    def __init__(self, *, estimated_wait: float, max_wait: float) -> None:
        super().__init__(
            f"The rate budget is {estimated_wait:.1f} s away and max_wait is {max_wait:.1f} s: "
            "try again later, raise max_wait, or use the lane 'background'."
        )
        self.estimated_wait = estimated_wait
        self.max_wait = max_wait


class LimiterUnavailable(TalkJSError):
    """The limiter cannot grant a token: it is closed, or its shared store is out of reach."""


class TransportError(TalkJSError):
    """
    No answer came.

    Attributes:
        method, path: The request, without host and query.
        attempts: How many times it was tried.
    """

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
    The request left and no answer came back.

    It may have been carried out. You get this only when repeating was not safe (a notification, an
    import) or when every repeat ended the same way.
    """


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
        return f"{asked}: {self.status}{said}{why}{_tries(self.attempts)}{later}"


class BadRequest(APIError):
    """400: TalkJS refuses the arguments."""


class Unauthorized(APIError):
    """401: the app ID, the secret key or this machine's clock is wrong."""


class Forbidden(APIError):
    """402 or 403: the plan or the settings of the app do not allow this."""


class NotFound(APIError):
    """404: no such user, conversation or message."""


class RateLimited(APIError):
    """429: the app's budget is used up. Attribute `retry_after`: seconds, when TalkJS says so."""


class ServerError(APIError):
    """5xx: TalkJS had a problem. Rare, and already retried when you see it."""


class DecodeError(TalkJSError):
    """
    An answer is not what the API promises.

    Attributes:
        json_path: Where in the answer, for example "$.data[3].createdAt".
        expected: What should be there.
        got: What is there, in a few words; never the value of a whole document.
        method, path: The request. Empty when a model was read from somewhere else.
    """

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

    There is one class for all of it on purpose: whoever forges requests must not learn why.
    """


def _tries(attempts: int) -> str:
    return f" (tried {attempts} times)" if attempts > 1 else ""
