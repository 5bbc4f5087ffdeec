"""What a caller of the app sees when a call of the app to TalkJS fails."""

from __future__ import annotations

import math

import pytest

from talkjs_async import (
    BadRequest,
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    Forbidden,
    LimiterUnavailable,
    NotFound,
    OutcomeUnknown,
    OwnBudgets,
    RateLimited,
    RateLimitWaitTimeout,
    ServerError,
    TalkJSError,
    TokenBucket,
    Unauthorized,
    WebhookError,
)
from talkjs_async.emulator import Emulator
from talkjs_async.fastapi import TalkJSDep
from tests.fastapi.apps import MakeApp, running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (NotFound(status=404, reasons=("words",), path="/users/alice"), 404, None),
        (RateLimitWaitTimeout(retry_after=2.2, max_wait=1.0), 503, "3"),
        (RateLimitWaitTimeout(retry_after=0.01, max_wait=0.0), 503, "1"),
        (RateLimitWaitTimeout(retry_after=math.inf, max_wait=0.0), 503, "3600"),
        (RateLimited(status=429, retry_after=7.0, reasons=("words",)), 503, "7"),
        (RateLimited(status=429), 503, "1"),
        (LimiterUnavailable("words"), 503, "1"),
        (ConnectFailed("words", method="GET", path="/users/alice"), 503, "1"),
        (OutcomeUnknown("words", method="GET", path="/users/alice"), 504, None),
        (ServerError(status=500, reasons=("words",)), 502, None),
        (DecodeError(json_path="$", expected="words", got="words"), 502, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_trouble_with_talkjs_is_not_the_callers_fault(
    make_app: MakeApp, error: TalkJSError, status: int, retry_after: str | None
) -> None:
    app = make_app()

    @app.get("/")
    async def route() -> None:
        raise error

    async with running(app) as http:
        answer = await http.get("/")

    assert status == answer.status_code
    assert retry_after == answer.headers.get("retry-after")
    assert ["detail"] == list(answer.json())
    assert "words" not in answer.text
    assert "alice" not in answer.text


@pytest.mark.parametrize(
    "error",
    [
        BadRequest(status=400),
        Unauthorized(status=401),
        Forbidden(status=403),
        ConfigurationError("text", "must be a text."),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_bug_of_the_app_stays_an_exception(make_app: MakeApp, error: TalkJSError) -> None:
    app = make_app()

    @app.get("/")
    async def route() -> None:
        raise error

    async with running(app) as http:
        with pytest.raises(type(error)):
            await http.get("/")


async def test_a_webhook_error_that_a_route_lets_through_is_an_empty_400(make_app: MakeApp) -> None:
    app = make_app()

    @app.get("/")
    async def route() -> None:
        raise WebhookError("words")

    async with running(app) as http:
        answer = await http.get("/")

    assert (400, b"") == (answer.status_code, answer.content)


async def test_a_caller_learns_when_the_budget_has_room_again(
    make_app: MakeApp, emulator: Emulator
) -> None:
    slow = TokenBucket(rate=0.4, burst=1, clock=emulator.clock)
    batches = TokenBucket(1.0, 500, clock=emulator.clock)
    app = make_app(budgets=OwnBudgets(slow, batches), max_wait=2.0)

    @app.get("/")
    async def route(talkjs: TalkJSDep) -> None:
        await talkjs.users.list().first()

    async with running(app) as http:
        answers = [await http.get("/"), await http.get("/")]

    assert [200, 503] == [answer.status_code for answer in answers]
    assert "3" == answers[1].headers["retry-after"]
