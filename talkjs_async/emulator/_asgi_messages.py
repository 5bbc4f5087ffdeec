"""What ASGI passes to and fro: its types, a whole body read, a whole answer sent."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from talkjs_async.emulator._responses import Response

Scope = MutableMapping[str, Any]
AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
AsgiCallable = Callable[[Scope, Receive, Send], Awaitable[None]]


LARGEST_BODY = 64 * 1024 * 1024


async def read_body(receive: Receive, declared: int = 0) -> bytes | None:
    """
    Return a request's whole body, or what had come of it when the client went away.

    Args:
        receive: Gives the next part.
        declared: Its length as the headers have it.

    Returns:
        None when it is, or says it is, larger than `LARGEST_BODY`.
    """
    parts: list[bytes] = []
    size = 0
    while max(size, declared) <= LARGEST_BODY:
        message = await receive()
        if message["type"] != "http.disconnect":
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
    return None


async def send_response(answer: Response, send: Send, *, cut_at: int | None = None) -> None:
    """Send an answer, or the first *cut_at* bytes of its body."""
    length = (b"content-length", str(len(answer.body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*answer.headers, length],
        }
    )
    body = answer.body if cut_at is None else answer.body[:cut_at]
    await send({"type": "http.response.body", "body": body, "more_body": cut_at is not None})
