"""
TalkJS in a FastAPI app: one client for the app's life, and a route for its webhooks.

    bot = webhook_router("/webhooks/talkjs")

    @bot.on(MessageSent)
    async def log(event: MessageSent, talkjs: AsyncTalkJS) -> None: ...

    app = FastAPI(lifespan=lifespan, exception_handlers={TalkJSError: talkjs_exception_handler})
    app.include_router(bot)

Dependencies, a router and an exception handler; no middleware. Extra `[fastapi]`.
"""

try:
    import fastapi as _fastapi  # noqa: F401
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "talkjs_async.fastapi needs FastAPI. Install it with: pip install 'talkjs-async[fastapi]'",
        name=_missing.name,
    ) from _missing

from talkjs_async.fastapi._dependencies import (
    TalkJSDep,
    WebhookEventDep,
    WebhooksDep,
    get_talkjs,
    get_webhook_event,
    get_webhooks,
    talkjs_named,
    webhook_event_named,
    webhooks_named,
)
from talkjs_async.fastapi._exceptions import talkjs_exception_handler
from talkjs_async.fastapi._lifespan import Lifespan, lifespan, lifespan_with
from talkjs_async.fastapi._webhook_router import Handler, WebhookRouter, webhook_router

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
    "talkjs_named",
    "webhook_event_named",
    "webhook_router",
    "webhooks_named",
]
