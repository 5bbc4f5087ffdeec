"""What opens the client when a FastAPI app starts, and closes it when it ends."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from starlette.applications import Starlette

from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError
from talkjs_async.fastapi._app_state import DEFAULT_NAME, Opened, check_free, check_name, held
from talkjs_async.webhooks import Webhooks

__all__ = ["Lifespan", "lifespan", "lifespan_with"]

Lifespan: TypeAlias = Callable[[Starlette], AbstractAsyncContextManager[None]]
"""What FastAPI runs around the life of an app."""


def lifespan_with(
    client: Callable[..., AsyncTalkJS] = AsyncTalkJS,
    *,
    webhooks: Callable[[], Webhooks] | None = None,
    name: str = DEFAULT_NAME,
    **options: Any,
) -> Lifespan:
    """
    Make a lifespan with options of your own: `lifespan_with(max_wait=2.0)`.

    Args:
        client: Makes the client, when the app starts.
        webhooks: Makes what verifies webhooks. None: `Webhooks` with the option *secret_key*, or
            else the environment's TALKJS_SECRET_KEY, if that is set.
        name: What the client is called in the app, when there are several TalkJS apps in it: see
            `talkjs_named` and `webhook_router`. It is also there as `app.state.talkjs_<name>`.
        options: What *client* is called with; the options of `AsyncTalkJS`.

    Raises:
        TypeError: *client* takes no such option.
        ConfigurationError: *name* is not valid, or *client* or *webhooks* is no function. At the
            start of the app: a credential is missing, or another lifespan has this name.
    """
    check_name(name)
    _check_function("client", client, "lambda: AsyncTalkJS()")
    _check_options(client, options)
    if webhooks is not None:
        _check_function("webhooks", webhooks, "lambda: Webhooks()")

    @asynccontextmanager
    async def open_client(app: Starlette) -> AsyncIterator[None]:
        check_free(app, name, open_client)
        verifier = _verifier(options) if webhooks is None else webhooks()
        async with client(**options) as talkjs:
            with held(app, name, Opened(open_client, talkjs, verifier)):
                yield

    return open_client


def _check_function(argument: str, function: object, example: str) -> None:
    if not callable(function):
        raise ConfigurationError(
            argument, f"must be a function that makes one when the app starts: {example}."
        )


def _check_options(client: Callable[..., AsyncTalkJS], options: Mapping[str, Any]) -> None:
    """Find a wrong option where it is written, and not when the app starts."""
    try:
        signature = inspect.signature(client)
    except ValueError:
        return
    signature.bind(**options)


def _verifier(options: Mapping[str, Any]) -> Webhooks | None:
    secret_key = options.get("secret_key") or os.environ.get("TALKJS_SECRET_KEY")
    if not secret_key:
        return None
    clock = options.get("clock")
    return Webhooks(secret_key) if clock is None else Webhooks(secret_key, clock=clock)


_from_environment = lifespan_with()


def lifespan(app: Starlette) -> AbstractAsyncContextManager[None]:
    """
    Open one client when the app starts and close it when it ends: `FastAPI(lifespan=lifespan)`.

    The client is `AsyncTalkJS()`, with its credentials from the environment; see `lifespan_with`
    for another. Inside a lifespan of your own: `async with lifespan(app): yield`. The client is
    also there as `app.state.talkjs`. A mounted app has a state of its own, so enter this for it
    too.

    Raises:
        ConfigurationError: A credential is missing, or another lifespan runs. The app does not
            start.
    """
    return _from_environment(app)
