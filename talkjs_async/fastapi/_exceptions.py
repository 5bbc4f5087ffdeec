"""What the caller of a route sees when a call of TalkJS fails."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from talkjs_async.errors import (
    ConnectFailed,
    DecodeError,
    LimiterUnavailable,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
    ServerError,
    WebhookError,
)
from talkjs_async.telemetry import log

__all__ = ["talkjs_exception_handler"]

_LONGEST_RETRY_AFTER: Final = 3600.0
"""Seconds. Whatever is estimated to take longer than an hour is a guess."""


async def talkjs_exception_handler(request: Request, error: Exception) -> Response:
    """
    Answer for a `TalkJSError` that a route lets through.

    Register it with `FastAPI(exception_handlers={TalkJSError: talkjs_exception_handler})`. What
    happens between this app and TalkJS is not the caller's fault, so it never sees TalkJS's own
    status or words, only this:

    - 404: `NotFound`, since the ID is nearly always the caller's.
    - 503 with `Retry-After` in seconds: `RateLimitWaitTimeout`, `RateLimited`,
      `LimiterUnavailable`, `ConnectFailed`. Too busy or out of reach, for now.
    - 504: `OutcomeUnknown`. It may have been done; trying again may do it twice.
    - 502: `ServerError`, `DecodeError`.
    - 400 without a body: `WebhookError`.
    - All others are bugs or wrong settings of this app. They are raised again, and become the
      500 of any other exception, with its traceback in the log.
    """
    match error:
        case NotFound():
            return _problem(404)
        case RateLimitWaitTimeout(retry_after=wait) | RateLimited(retry_after=wait):
            answer = _problem(503, {"Retry-After": _whole_seconds(wait)})
        case LimiterUnavailable() | ConnectFailed():
            answer = _problem(503, {"Retry-After": _whole_seconds(None)})
        case OutcomeUnknown():
            answer = _problem(504)
        case ServerError() | DecodeError():
            answer = _problem(502)
        case WebhookError():
            answer = Response(status_code=400)
        case _:
            raise error
    # Starlette does not log what a handler answers.
    about = request.url.path, answer.status_code, error
    log(logging.WARNING, "%s answered %d: %s", *about)
    return answer


def _problem(status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": HTTPStatus(status).phrase}, status, headers)


def _whole_seconds(wait: float | None) -> str:
    """Round up, since early is too early. None, when it cannot be told, is a second."""
    return str(math.ceil(min(max(wait or 0.0, 1.0), _LONGEST_RETRY_AFTER)))
