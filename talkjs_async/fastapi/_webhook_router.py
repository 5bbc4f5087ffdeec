"""A route that takes TalkJS's webhooks and calls the handlers of their events."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, WebhookError, shown
from talkjs_async.fastapi._app_state import DEFAULT_NAME
from talkjs_async.fastapi._dependencies import talkjs_named, webhooks_named
from talkjs_async.fastapi._receiving import verified
from talkjs_async.models.events import BaseEvent, UnknownEvent, WebhookEvent
from talkjs_async.telemetry import log
from talkjs_async.webhooks import Webhooks

__all__ = ["Handler", "WebhookRouter", "webhook_router"]

E = TypeVar("E", bound=BaseEvent)

Handler: TypeAlias = Callable[[E, AsyncTalkJS], Awaitable[object] | object]
"""
What runs when an event comes: a function of the event and the app's client.

An async function, or a plain one, which runs in a worker thread as FastAPI's plain routes do.
"""


_NO_PATH: Final = re.compile(r"[?#\s]")
"""What no path of a request has: a route with it is never met."""


class WebhookRouter(APIRouter):
    """
    A router with one route, which takes TalkJS's webhooks. Made by `webhook_router`.

    It verifies the raw body, answers 200 at once and then calls the handlers of the event. A
    request that is not genuine gets 400 without a body. TalkJS's repeat of an event gets 200 and
    calls no handler.
    """

    def __init__(self, path: str, *, name: str = DEFAULT_NAME) -> None:
        """See `webhook_router`."""
        if not (isinstance(path, str) and (path == "" or path.startswith("/"))):
            raise ConfigurationError("path", f"must begin with a slash, as in {f'/{path}'!r}.")
        if _NO_PATH.search(path):
            raise ConfigurationError("path", f"holds '?', '#' or a blank, unlike paths: {path!r}.")
        super().__init__()
        self._handlers: list[tuple[type[BaseEvent], Handler[Any]]] = []

        async def receive(
            request: Request,
            webhooks: Webhooks = Depends(webhooks_named(name)),  # noqa: B008 - FastAPI's own way
            talkjs: AsyncTalkJS = Depends(talkjs_named(name)),  # noqa: B008
        ) -> Response:
            return await self._receive(request, webhooks, talkjs)

        self.add_api_route(
            path,
            receive,
            methods=["POST"],
            name="talkjs_webhook",
            response_model=None,
            include_in_schema=False,
        )

    def on(self, kind: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """
        Have a function called for every event of a class: `@router.on(MessageSent)`.

        A class may have any number of handlers; they run at the same time. One that fails, in
        whatever way, is logged with its traceback, and does not disturb the others. `BaseEvent`
        stands for all events.

        Args:
            kind: A class of `talkjs_async.models.events`.

        Raises:
            ConfigurationError: *kind* is something else, or the function does not take an event
                and the client, or yields.
        """
        if not (isinstance(kind, type) and issubclass(kind, BaseEvent)):
            raise ConfigurationError(
                "kind", f"must be a class of talkjs_async.models.events, not {shown(kind)}."
            )

        def register(handler: Handler[E]) -> Handler[E]:
            if not _takes_two(handler):
                raise ConfigurationError(
                    "handler", f"must take the event and the client, unlike {_name_of(handler)}."
                )
            if _yields(handler):
                # Called, it makes a generator, and none of its code runs.
                raise ConfigurationError(
                    "handler", f"must not yield, as {_name_of(handler)} does: it would never run."
                )
            self._handlers.append((kind, handler))
            return handler

        return register

    async def _receive(self, request: Request, webhooks: Webhooks, talkjs: AsyncTalkJS) -> Response:
        try:
            event = await verified(request, webhooks)
        except WebhookError:
            return Response(status_code=400)
        return Response(background=BackgroundTask(self._handle, event, webhooks, talkjs))

    async def _handle(self, event: WebhookEvent, webhooks: Webhooks, talkjs: AsyncTalkJS) -> None:
        # Asked only now that the answer is out: had it failed, TalkJS's repeat would be the first.
        if await _came_before(event, webhooks):
            log(logging.INFO, "The event %s (%s) came again", event.id, event.type)
            return
        handlers = [handler for kind, handler in self._handlers if isinstance(event, kind)]
        if isinstance(event, UnknownEvent) and event.reason is not None:
            # The handlers of its type do not get it, which must not go by in silence.
            about = event.id, event.type, event.reason
            log(logging.WARNING, "The event %s (%s) is taken for an UnknownEvent: %s", *about)
        elif not handlers:
            level = logging.WARNING if isinstance(event, UnknownEvent) else logging.DEBUG
            log(level, "No handler takes the event %s (%s)", event.id, event.type)
        async with anyio.create_task_group() as tasks:
            for handler in handlers:
                tasks.start_soon(_call, handler, event, talkjs)


def webhook_router(path: str = "/webhooks/talkjs", *, name: str = DEFAULT_NAME) -> WebhookRouter:
    """
    Make a router that takes TalkJS's webhooks: `app.include_router(router)`.

    The app needs the lifespan, for the key and for the client that handlers get. Handlers run in
    this process's memory after the answer: what must survive a crash belongs into a queue of yours,
    by a route with `WebhookEventDep`.

    Args:
        path: Of the route, as it is told to TalkJS's dashboard.
        name: Of the TalkJS app, as in `lifespan_with(name=...)`.

    Raises:
        ConfigurationError: *path* does not begin with a slash, or is none.
    """
    return WebhookRouter(path, name=name)


async def _came_before(event: WebhookEvent, webhooks: Webhooks) -> bool:
    try:
        # In a thread: with several processes, the memory is a database.
        return await anyio.to_thread.run_sync(webhooks.is_repeat, event)
    except Exception:  # noqa: BLE001 - it may be a database
        # Rather twice than never: TalkJS will not send it again.
        log(
            logging.ERROR,
            "Could not tell whether the event %s came before",
            event.id,
            exc_info=True,
        )
        return False


async def _call(handler: Handler[Any], event: WebhookEvent, talkjs: AsyncTalkJS) -> None:
    """Run a handler; log how it fails."""
    try:
        await _apart(_run(handler, event, talkjs))
    except (KeyboardInterrupt, anyio.get_cancelled_exc_class()):
        # The server ends.
        raise
    except BaseException:  # noqa: BLE001 - handlers may raise anything
        # Also what calls itself no Exception, such as SystemExit: it ends this handler only.
        about = _name_of(handler), event.id, event.type
        log(logging.ERROR, "%s failed on the event %s (%s)", *about, exc_info=True)


async def _run(handler: Handler[Any], event: WebhookEvent, talkjs: AsyncTalkJS) -> None:
    try:
        if _is_async(handler):
            result = handler(event, talkjs)
        else:
            # Packed, since trio takes a coroutine that comes out of a thread for a mistake.
            (result,) = await anyio.to_thread.run_sync(lambda: (handler(event, talkjs),))
        if inspect.isawaitable(result):
            await result
    except (SystemExit, BaseExceptionGroup) as error:
        # asyncio would end the event loop for the first, and anyio the other handlers.
        raise _HandlerFailed(f"{type(error).__name__}: {error}") from error


class _HandlerFailed(Exception):
    """Stands for what must not go through a task as it is."""


async def _apart(run: Any) -> None:
    """
    Wait for a handler in a task of its own.

    asyncio cannot tell a handler that awaits something cancelled from one that is cancelled itself:
    both raise CancelledError, and a task group then cancels the other handlers. trio can.
    """
    if not _on_asyncio():
        await run
        return
    task = asyncio.ensure_future(run)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    if task.cancelled():
        raise _HandlerFailed("It was cancelled, or awaited what was.")
    task.result()


def _on_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _is_async(handler: Handler[Any]) -> bool:
    return any(map(inspect.iscoroutinefunction, _functions_of(handler)))


def _yields(handler: Handler[Any]) -> bool:
    return any(
        inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        for function in _functions_of(handler)
    )


def _functions_of(handler: Handler[Any]) -> tuple[Any, ...]:
    # Of an object, its class may have it.
    return handler, getattr(handler, "__call__", None)  # noqa: B004


def _takes_two(handler: Handler[Any]) -> bool:
    if not callable(handler):
        return False
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):
        # Written in C, for example.
        return True
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _name_of(handler: object) -> str:
    return getattr(handler, "__qualname__", repr(handler))
