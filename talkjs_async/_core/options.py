"""
The options that clients share: their defaults, and their rules.

Each rule raises a ConfigurationError that names the option.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import urlsplit

from talkjs_async._core.call import Lane
from talkjs_async._core.retry import RetryPolicy
from talkjs_async._core.wire import checked_word, is_real, is_whole
from talkjs_async._version import __version__
from talkjs_async.auth import Auth
from talkjs_async.errors import ConfigurationError, shown
from talkjs_async.limits import Budgets
from talkjs_async.limits._rules import IN_FLIGHT, is_within
from talkjs_async.telemetry import Hook, check_synchronous

if TYPE_CHECKING:
    import ssl

    import httpx
    import httpx2

DEFAULT_TIMEOUT: Final = 30.0
CONNECT_TIMEOUT: Final = 10.0
"""Seconds. A server that takes longer to shake hands is not going to answer."""

DEFAULT_ATTEMPT_TIMEOUT: Final = 60.0
"""Seconds for one request and its whole answer, however steadily it comes."""

DEFAULT_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""The largest page has 100 messages: 160 KiB for each."""

SLOTS: Final = 2 * IN_FLIGHT
"""
Connections per client and event loop: enough for all that both budgets, ordinary and batch, let
out, so that no call holds a token while it waits for a connection. It does where a limiter
has a higher bound, or none.

How much is in flight is decided there, and explained at IN_FLIGHT. Where a limiter has no such
bound, this is the bound. The CPU time of a call does not depend on it (`python -m benchmarks
transport`). At 9 calls/s one or two slots are in use and the others are closed.
"""

_PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")

_PHASES: Final = ("connect", "read", "write", "pool")

HEADERS: Final = (
    (b"Accept", b"application/json"),
    # The one coding that is read within bounds.
    (b"Accept-Encoding", b"gzip"),
    (b"User-Agent", f"talkjs-async/{__version__}".encode()),
)
"""What every request carries."""


def checked_lane(lane: Lane) -> Lane:
    """Return *lane*."""
    checked_word("lane", lane, get_args(Lane))
    return lane


def checked_retry(retry: RetryPolicy | int) -> RetryPolicy:
    """Return the policy. A number is that of the attempts."""
    if isinstance(retry, RetryPolicy):
        return retry
    if is_whole(retry, least=1):
        return RetryPolicy(attempts=retry)
    raise ConfigurationError(
        "retry",
        f"must be a RetryPolicy or a number of attempts, not {shown(retry)}; 1 never repeats.",
    )


def checked_auth(auth: Auth | None) -> Auth | None:
    """Return *auth*. Never shows it: it may hold a key."""
    if auth is None or (not isinstance(auth, type) and callable(getattr(auth, "bearer", None))):
        return auth
    kind = f"the class {auth.__name__}" if isinstance(auth, type) else type(auth).__name__
    raise ConfigurationError(
        "auth", f"must be an object with a method bearer(now), as AppTokenAuth has, not {kind}."
    )


def checked_wait(max_wait: float | None) -> float | None:
    """Return *max_wait*, in seconds."""
    if max_wait is not None and not is_within(max_wait, 0, math.inf):
        raise ConfigurationError("max_wait", f"must be 0 seconds or more, not {shown(max_wait)}.")
    return max_wait


def checked_hooks(hooks: Sequence[Hook]) -> tuple[Hook, ...]:
    """Return *hooks*, each of which can be called."""
    listed = isinstance(hooks, Sequence) and not isinstance(hooks, str | bytes)
    if not listed or not all(callable(hook) for hook in hooks):
        raise ConfigurationError("hooks", f"must be a list of functions, unlike {shown(hooks)}.")
    for hook in hooks:
        check_synchronous("hooks", hook)
    return tuple(hooks)


def checked_total(total_timeout: float | None) -> float | None:
    """Return *total_timeout*, in seconds."""
    if total_timeout is not None and not is_within(total_timeout, 0, sys.float_info.max):
        raise ConfigurationError(
            "total_timeout", f"must be 0 seconds or more, or None, not {shown(total_timeout)}."
        )
    return total_timeout


def checked_budgets(budgets: Budgets | None) -> Budgets | None:
    """Return *budgets*."""
    if budgets is None or (
        not isinstance(budgets, type) and callable(getattr(budgets, "limiters", None))
    ):
        return budgets
    if callable(getattr(budgets, "acquire", None)):
        raise ConfigurationError(
            "budgets",
            "is a limiter, of which an app needs two: pass OwnBudgets(ordinary, batch), or "
            "OwnBudgets(ordinary) for a client without batches.",
        )
    raise ConfigurationError(
        "budgets", f"must have the methods of talkjs_async.Budgets, unlike {shown(budgets)}."
    )


def checked_attempt_timeout(seconds: float | None) -> float:
    """Return *seconds*; None is for ever."""
    if seconds is None:
        return math.inf
    if not is_within(seconds, 0, math.inf) or not seconds:
        raise ConfigurationError(
            "attempt_timeout", f"must be above 0 seconds, not {shown(seconds)}."
        )
    return seconds


def checked_answer_bytes(largest: int) -> int:
    """Return *largest*."""
    if not is_whole(largest, least=1):
        raise ConfigurationError(
            "max_answer_bytes", f"must be a whole number of bytes from 1 up, not {shown(largest)}."
        )
    return largest


def checked_proxy(proxy: str | None) -> str | None:
    """Return *proxy*. No error quotes it: it may hold a password."""
    if proxy is None:
        return None
    try:
        parts = urlsplit(proxy if isinstance(proxy, str) else "")
        valid = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except (ValueError, AttributeError, TypeError):
        valid = False
    if not valid:
        raise ConfigurationError(
            "proxy", f"must look like http://proxy:8080; known are {', '.join(_PROXY_SCHEMES)}."
        )
    return proxy


def checked_ssl_context(context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return *context*."""
    if context is not None:
        import ssl  # noqa: PLC0415 - slow to import

        if not isinstance(context, ssl.SSLContext):
            raise ConfigurationError(
                "ssl_context", f"must be an ssl.SSLContext, not a {type(context).__name__}."
            )
    return context


def timeouts(timeout: float | httpx.Timeout | httpx2.Timeout | None) -> dict[str, float | None]:
    """Write *timeout* as httpx's four."""
    if timeout is None:
        return dict.fromkeys(_PHASES)
    if isinstance(timeout, int | float):
        if not is_real(timeout) or timeout <= 0:
            raise ConfigurationError(
                "timeout", f"must be above 0 seconds, or None, not {shown(timeout)}."
            )
        return {
            "connect": min(timeout, CONNECT_TIMEOUT),
            "read": timeout,
            "write": timeout,
            # Waiting for a connection is the slots' business, not the library's pool's.
            "pool": None,
        }
    # An httpx.Timeout or httpx2.Timeout, told by its attributes: neither library need be loaded.
    parts: dict[str, Any] = {phase: getattr(timeout, phase, "missing") for phase in _PHASES}
    if not all(each is None or is_within(each, 0, sys.float_info.max) for each in parts.values()):
        raise ConfigurationError(
            "timeout",
            f"must be a number of seconds, an httpx.Timeout or None, not {shown(timeout)}.",
        )
    return {**parts, "pool": None}


def checked_version(api_version: str | None) -> str | None:
    """Return *api_version*. Only what a header can hold is checked: new versions may come."""
    if api_version is None or (
        isinstance(api_version, str)
        and api_version != ""
        and api_version == api_version.strip()
        and api_version.isascii()
        and api_version.isprintable()
    ):
        return api_version
    raise ConfigurationError(
        "api_version", "must be a date such as '2024-01-01', without blanks around it."
    )
