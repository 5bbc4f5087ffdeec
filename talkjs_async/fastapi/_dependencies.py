"""Dependencies of routes: the app's client, what verifies its webhooks, a verified event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection, Request

from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, WebhookError
from talkjs_async.fastapi._app_state import DEFAULT_NAME, check_name, talkjs_in, webhooks_in
from talkjs_async.fastapi._receiving import verified
from talkjs_async.models.events import WebhookEvent
from talkjs_async.webhooks import Webhooks

__all__ = [
    "TalkJSDep",
    "WebhookEventDep",
    "WebhooksDep",
    "get_talkjs",
    "get_webhook_event",
    "get_webhooks",
    "talkjs_named",
    "webhook_event_named",
    "webhooks_named",
]

# They are `async def` without awaiting, because FastAPI sends others to a thread.


async def get_talkjs(connection: HTTPConnection) -> AsyncTalkJS:
    """
    Depend on the app's client. Use `TalkJSDep`; this is what tests override.

    Raises:
        ConfigurationError: The app runs without the lifespan.
    """
    return _talkjs(connection, DEFAULT_NAME)


async def get_webhooks(connection: HTTPConnection) -> Webhooks:
    """
    Depend on what verifies the app's webhooks.

    Raises:
        ConfigurationError: The app runs without the lifespan, or no key is known.
    """
    return _webhooks(connection, DEFAULT_NAME)


async def get_webhook_event(
    request: Request, webhooks: Annotated[Webhooks, Depends(get_webhooks)]
) -> WebhookEvent:
    """
    Depend on the verified event of a request, in a webhook route of your own.

    Use `WebhookEventDep`. Whether the event came before is yours to ask (`Webhooks.is_repeat`).

    Raises:
        HTTPException: 400, always the same, for whatever `Webhooks.verify` refuses.
    """
    return await _event(request, webhooks)


TalkJSDep: TypeAlias = Annotated[AsyncTalkJS, Depends(get_talkjs)]
"""The app's client, as a parameter of a route: `async def route(talkjs: TalkJSDep)`."""

WebhooksDep: TypeAlias = Annotated[Webhooks, Depends(get_webhooks)]
"""What verifies the app's webhooks, as a parameter of a route."""

WebhookEventDep: TypeAlias = Annotated[WebhookEvent, Depends(get_webhook_event)]
"""The verified event of a webhook, as a parameter of a route of your own."""


def talkjs_named(name: str) -> Callable[[HTTPConnection], Awaitable[AsyncTalkJS]]:
    """
    Make the dependency on the client of `lifespan_with(name=...)`: `Depends(talkjs_named("shop"))`.

    The same name gives the same function, so that tests can override it.
    """
    return _DEFAULTS[0] if name == DEFAULT_NAME else _talkjs_named(check_name(name))


def webhooks_named(name: str) -> Callable[[HTTPConnection], Awaitable[Webhooks]]:
    """Make the dependency on what verifies the webhooks of a named TalkJS app."""
    return _DEFAULTS[1] if name == DEFAULT_NAME else _webhooks_named(check_name(name))


def webhook_event_named(name: str) -> Callable[..., Awaitable[WebhookEvent]]:
    """Make the dependency on the verified event of a request from a named TalkJS app."""
    return get_webhook_event if name == DEFAULT_NAME else _webhook_event_named(check_name(name))


_DEFAULTS: Final = (get_talkjs, get_webhooks)


@cache
def _talkjs_named(name: str) -> Callable[[HTTPConnection], Awaitable[AsyncTalkJS]]:
    async def get_named_talkjs(connection: HTTPConnection) -> AsyncTalkJS:
        return _talkjs(connection, name)

    return get_named_talkjs


@cache
def _webhooks_named(name: str) -> Callable[[HTTPConnection], Awaitable[Webhooks]]:
    async def get_named_webhooks(connection: HTTPConnection) -> Webhooks:
        return _webhooks(connection, name)

    return get_named_webhooks


@cache
def _webhook_event_named(name: str) -> Callable[..., Awaitable[WebhookEvent]]:
    async def get_named_webhook_event(
        request: Request,
        webhooks: Webhooks = Depends(webhooks_named(name)),  # noqa: B008 - FastAPI's own way
    ) -> WebhookEvent:
        return await _event(request, webhooks)

    return get_named_webhook_event


def _talkjs(connection: HTTPConnection, name: str) -> AsyncTalkJS:
    talkjs = talkjs_in(connection.app.state, name)
    if talkjs is not None:
        return talkjs
    raise ConfigurationError(
        "lifespan",
        "did not run for this app: build it as FastAPI(lifespan=talkjs_async.fastapi.lifespan), "
        f"or enter lifespan(app) in a lifespan of yours{_of(name)}.",
    )


def _webhooks(connection: HTTPConnection, name: str) -> Webhooks:
    webhooks = webhooks_in(connection.app.state, name)
    if webhooks is not None:
        return webhooks
    raise ConfigurationError(
        "webhooks",
        "have no key: run the app with talkjs_async.fastapi.lifespan and set TALKJS_SECRET_KEY, "
        f"or use lifespan_with(secret_key=...){_of(name)}.",
    )


def _of(name: str) -> str:
    return "" if name == DEFAULT_NAME else f"; its name must be {name!r}"


async def _event(request: Request, webhooks: Webhooks) -> WebhookEvent:
    try:
        return await verified(request, webhooks)
    except WebhookError:
        raise HTTPException(400) from None
