"""From a request to a verified event. Reads no more of a body than may be there."""

from __future__ import annotations

import logging
from contextlib import aclosing

from starlette.requests import ClientDisconnect, Request

from talkjs_async.errors import WebhookError
from talkjs_async.models.events import WebhookEvent
from talkjs_async.telemetry import log
from talkjs_async.webhooks import Webhooks


async def verified(request: Request, webhooks: Webhooks) -> WebhookEvent:
    """
    Read a request and verify it.

    Raises:
        WebhookError: It is refused, which is logged.
    """
    try:
        # Pairs, not a mapping: a header that comes twice must be seen twice.
        return webhooks.verify(await _read(request, webhooks), request.headers.raw)
    except WebhookError as error:
        log(logging.WARNING, "Refused a webhook: %s", error)
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
    # Where Starlette keeps a body that was read as a whole: a route may want the bytes, too.
    request._body = bytes(body)  # noqa: SLF001 - see above
    return request._body  # noqa: SLF001
