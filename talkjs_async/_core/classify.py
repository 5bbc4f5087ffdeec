"""
Turns an error answer into its error: the status decides, the body explains.

Source: TalkJS documentation, REST API introduction (read 2026-11-22).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from talkjs_async.errors import (
    APIError,
    BadRequest,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    UnknownApp,
    UnknownEndpoint,
)

NO_CONTENT: Final = frozenset({204, 205})
"""Successes that have no body. What reads an answer is given null."""

_WORDS_KEPT: Final = 300
"""A reason longer than this is an HTML page, not a sentence."""


_BY_BODY: Final[dict[bytes, tuple[type[APIError], str]]] = {
    b"Not found.": (UnknownApp, "TalkJS knows no app with this ID."),
    b'"Not found"': (UnknownEndpoint, "TalkJS does not know this path or method."),
}
"""Of a 404: neither is about a record (seen live by a third party on 2026-09-01)."""

_BY_STATUS: Final[dict[int, type[APIError]]] = {
    400: BadRequest,
    401: Unauthorized,
    402: Forbidden,
    403: Forbidden,
    404: NotFound,
    429: RateLimited,
}


def classify(
    *, status: int, body: bytes, retry_after: float | None, method: str, path: str
) -> APIError:
    """
    Turn an answer that is no success into its error.

    Args:
        status: HTTP status code, anything but 2xx.
        body: Raw bytes of the answer; any bytes will do.
        retry_after: Seconds, already read from the header.
        method, path: The request.
    """
    kind = ServerError if status >= 500 else _BY_STATUS.get(status, APIError)
    code, reasons, by_key = _read_error_body(body)
    if status == 404 and body in _BY_BODY:
        kind, reason = _BY_BODY[body]
        reasons = (reason,)
    return kind(
        status=status,
        code=code,
        reasons=reasons,
        reasons_by_key=by_key,
        retry_after=retry_after,
        method=method,
        path=path,
    )


_NEVER_SHOWN: Final = ("cookie", "auth", "token", "secret", "key", "signature")
_HEADERS_SHOWN: Final = 50


def shown_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Choose what of an answer's headers errors and events may show.

    Those are what a support asks for: IDs of requests, caches and proxies, limits, dates. What may
    hold a cookie or a credential, by its name or because it looks like a token, is left out.
    """
    shown: dict[str, str] = {}
    for name, value in headers:
        small = name.lower()
        if any(word in small for word in _NEVER_SHOWN) or "Bearer" in value or "eyJ" in value:
            continue
        if len(shown) < _HEADERS_SHOWN:
            shown[small] = value[:_WORDS_KEPT]
    return shown


def _read_error_body(
    body: bytes,
) -> tuple[str | None, tuple[str, ...], dict[str, tuple[str, ...]]]:
    """
    Read `{"errorCode": ..., "reasons": [...] | {key: text | [text]}}` as leniently as possible.

    A body without `reasons` that maps keys to texts is read as reasons too: that is how PUT users
    names its invalid users (documented in words only).
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        # An HTML page of a proxy: its status says all there is to know.
        return None, (), {}
    if not isinstance(data, dict):
        return None, (), {}
    code = data.pop("errorCode", None)
    reasons = data.get("reasons", data)
    if not isinstance(reasons, dict):
        return _text(code), _texts(reasons), {}
    by_key = {str(key): _texts(value) for key, value in reasons.items()}
    flat = tuple(f"{key}: {text}" for key, texts in by_key.items() for text in texts)
    return _text(code), flat, by_key


def _text(value: object) -> str | None:
    return value[:_WORDS_KEPT] if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(item[:_WORDS_KEPT] for item in items if isinstance(item, str))
