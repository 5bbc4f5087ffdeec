"""
TalkJS in a FastAPI app: one client for the app's life, and a route for its webhooks.

    bot = webhook_router("/webhooks/talkjs")

    @bot.on(MessageSent)
    async def log(event: MessageSent, talkjs: AsyncTalkJS) -> None: ...

    app = FastAPI(lifespan=lifespan, exception_handlers={TalkJSError: talkjs_exception_handler})
    app.include_router(bot)

Dependencies, a router and an exception handler; no middleware. Extra `[fastapi]`.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import anyio
import anyio.to_thread

from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import (
    ConfigurationError,
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
from talkjs_async.models.events import BaseEvent, Event, UnknownEvent
from talkjs_async.webhooks import Webhooks

__all__ = [
    "Handler",
    "Lifespan",
    "TalkJSDep",
    "WebhookEventDep",
    "WebhookRouter",
    "WebhooksDep",
    "get_talkjs",
    "get_webhook_event",
    "get_webhooks",
    "lifespan",
    "lifespan_with",
    "talkjs_exception_handler",
    "webhook_router",
]

try:
    from fastapi import APIRouter, Depends, HTTPException
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.requests import ClientDisconnect, HTTPConnection, Request
    from starlette.responses import JSONResponse, Response
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "talkjs_async.fastapi needs FastAPI. Install it with: pip install 'talkjs-async[fastapi]'",
        name=_missing.name,
    ) from _missing

_logger: Final = logging.getLogger("talkjs_async")

E = TypeVar("E", bound=BaseEvent)

Lifespan: TypeAlias = Callable[[Starlette], AbstractAsyncContextManager[None]]
"""What FastAPI runs around the life of an app."""

Handler: TypeAlias = Callable[[E, AsyncTalkJS], Awaitable[object]]
"""What runs when an event comes: an async function of the event and the app's client."""

_LONGEST_RETRY_AFTER: Final = 3600.0
"""Seconds. Whatever is estimated to take longer than an hour is a guess."""


def lifespan_with(
    client: Callable[[], AsyncTalkJS] = AsyncTalkJS,
    *,
    webhooks: Callable[[], Webhooks] | None = None,
) -> Lifespan:
    """
    Make a lifespan with options of your own.

    Args:
        client: Makes the client, when the app starts: `partial(AsyncTalkJS, max_wait=2.0)`.
        webhooks: Makes what verifies webhooks. None: `Webhooks` with the environment's
            TALKJS_SECRET_KEY, if that is set.
    """

    @asynccontextmanager
    async def opened(app: Starlette) -> AsyncIterator[None]:
        app.state.talkjs_webhooks = (webhooks or _webhooks_from_environment)()
        async with client() as app.state.talkjs:
            try:
                yield
            finally:
                del app.state.talkjs, app.state.talkjs_webhooks

    return opened


def lifespan(app: Starlette) -> AbstractAsyncContextManager[None]:
    """
    Open one client when the app starts and close it when it ends: `FastAPI(lifespan=lifespan)`.

    The client is `AsyncTalkJS()`, with its credentials from the environment; see `lifespan_with`
    for another. Inside a lifespan of your own: `async with lifespan(app): yield`. The client is
    also there as `app.state.talkjs`. A mounted app has a state of its own, so enter this for it
    too.

    Raises:
        ConfigurationError: A credential is missing. The app does not start.
    """
    return lifespan_with()(app)


def _webhooks_from_environment() -> Webhooks | None:
    secret_key = os.environ.get("TALKJS_SECRET_KEY")
    return Webhooks(secret_key) if secret_key else None


# The dependencies are `async def` without awaiting, because FastAPI sends others to a thread.


async def get_talkjs(connection: HTTPConnection) -> AsyncTalkJS:
    """
    Depend on the app's client. Use `TalkJSDep`; this is what tests override.

    Raises:
        ConfigurationError: The app runs without the lifespan.
    """
    talkjs = getattr(connection.app.state, "talkjs", None)
    if isinstance(talkjs, AsyncTalkJS):
        return talkjs
    raise ConfigurationError(
        "lifespan",
        "did not run for this app: build it as FastAPI(lifespan=talkjs_async.fastapi.lifespan), "
        "or enter lifespan(app) in a lifespan of yours.",
    )


async def get_webhooks(connection: HTTPConnection) -> Webhooks:
    """
    Depend on what verifies the app's webhooks.

    Raises:
        ConfigurationError: The app runs without the lifespan, or no key is known.
    """
    webhooks = getattr(connection.app.state, "talkjs_webhooks", None)
    if isinstance(webhooks, Webhooks):
        return webhooks
    raise ConfigurationError(
        "webhooks",
        "have no key: run the app with talkjs_async.fastapi.lifespan and set TALKJS_SECRET_KEY, "
        "or pass lifespan_with(webhooks=...).",
    )


async def get_webhook_event(
    request: Request, webhooks: Annotated[Webhooks, Depends(get_webhooks)]
) -> Event:
    """
    Depend on the verified event of a request, in a webhook route of your own.

    Use `WebhookEventDep`. Whether the event came before is yours to ask (`Webhooks.is_repeat`).

    Raises:
        HTTPException: 400, always the same, for whatever `Webhooks.parse` refuses.
    """
    try:
        return await _verified(request, webhooks)
    except WebhookError:
        raise HTTPException(400) from None


TalkJSDep: TypeAlias = Annotated[AsyncTalkJS, Depends(get_talkjs)]
"""The app's client, as a parameter of a route: `async def route(talkjs: TalkJSDep)`."""

WebhooksDep: TypeAlias = Annotated[Webhooks, Depends(get_webhooks)]
"""What verifies the app's webhooks, as a parameter of a route."""

WebhookEventDep: TypeAlias = Annotated[Event, Depends(get_webhook_event)]
"""The verified event of a webhook, as a parameter of a route of your own."""


class WebhookRouter(APIRouter):
    """
    A router with one route, which takes TalkJS's webhooks. Made by `webhook_router`.

    It verifies the raw body, answers 200 at once and then calls the handlers of the event. A
    request that is not genuine gets 400 without a body. TalkJS's repeat of an event gets 200 and
    calls nobody.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._handlers: list[tuple[type[BaseEvent], Handler[Any]]] = []
        self.add_api_route(
            path,
            self._receive,
            methods=["POST"],
            name="talkjs_webhook",
            response_model=None,
            include_in_schema=False,
        )

    def on(self, kind: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """
        Have a function called for every event of a class: `@router.on(MessageSent)`.

        A class may have any number of handlers; they run at the same time. One that raises is
        logged, with its traceback, and does not disturb the others. `BaseEvent` stands for all
        events.

        Args:
            kind: A class of `talkjs_async.models.events`.

        Raises:
            ConfigurationError: *kind* is something else.
        """
        if not (isinstance(kind, type) and issubclass(kind, BaseEvent)):
            raise ConfigurationError(
                "kind", f"must be a class of talkjs_async.models.events, not {kind!r}."
            )

        def register(handler: Handler[E]) -> Handler[E]:
            self._handlers.append((kind, handler))
            return handler

        return register

    async def _receive(
        self, request: Request, webhooks: WebhooksDep, talkjs: TalkJSDep
    ) -> Response:
        try:
            event = await _verified(request, webhooks)
        except WebhookError:
            return Response(status_code=400)
        return Response(background=BackgroundTask(self._handle, event, webhooks, talkjs))

    async def _handle(self, event: Event, webhooks: Webhooks, talkjs: AsyncTalkJS) -> None:
        # Asked only now that the answer is out: had it failed, TalkJS's repeat would be the first.
        if await _came_before(event, webhooks):
            _logger.info("The event %s (%s) came again", event.id, event.type)
            return
        handlers = [handler for kind, handler in self._handlers if isinstance(event, kind)]
        if not handlers:
            # One that could not be read ends here as well, so it must not go by in silence.
            level = logging.WARNING if isinstance(event, UnknownEvent) else logging.DEBUG
            _logger.log(level, "No handler takes the event %s (%s)", event.id, event.type)
        async with anyio.create_task_group() as tasks:
            for handler in handlers:
                tasks.start_soon(_call, handler, event, talkjs)


def webhook_router(path: str = "/webhooks/talkjs") -> WebhookRouter:
    """
    Make a router that takes TalkJS's webhooks: `app.include_router(router)`.

    The app needs the lifespan, for the key and for the client that handlers get. Handlers run in
    this process's memory after the answer: what must survive a crash belongs into a queue of yours,
    by a route with `WebhookEventDep`.

    Args:
        path: Of the route, as it is told to TalkJS's dashboard.
    """
    return WebhookRouter(path)


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
    _logger.warning("%s answered %d: %s", request.url.path, answer.status_code, error)
    return answer


def _problem(status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": HTTPStatus(status).phrase}, status, headers)


def _whole_seconds(wait: float | None) -> str:
    """Round up, since early is too early. None, when nobody can tell, is a second."""
    return str(math.ceil(min(max(wait or 0.0, 1.0), _LONGEST_RETRY_AFTER)))


async def _verified(request: Request, webhooks: Webhooks) -> Event:
    try:
        # Pairs, not a mapping: a header that comes twice must be seen twice.
        return webhooks.parse(request.headers.raw, await _read(request, webhooks))
    except WebhookError as error:
        _logger.warning("Refused a webhook: %s", error)
        raise


async def _read(request: Request, webhooks: Webhooks) -> bytes:
    body = bytearray()
    try:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > webhooks.largest_body:
                    raise WebhookError("The body is larger than allowed.")
    except ClientDisconnect:
        raise WebhookError("The sender hung up.") from None
    return bytes(body)


async def _came_before(event: Event, webhooks: Webhooks) -> bool:
    try:
        # In a thread: with several processes, the memory is a database.
        return await anyio.to_thread.run_sync(webhooks.is_repeat, event)
    except Exception:
        # Rather twice than never: TalkJS will not send it again.
        _logger.exception("Could not tell whether the event %s came before", event.id)
        return False


async def _call(handler: Handler[Any], event: Event, talkjs: AsyncTalkJS) -> None:
    try:
        await handler(event, talkjs)
    except Exception:
        name = getattr(handler, "__qualname__", repr(handler))
        _logger.exception("%s failed on the event %s (%s)", name, event.id, event.type)
