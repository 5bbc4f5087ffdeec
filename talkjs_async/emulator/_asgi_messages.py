"""What ASGI passes to and fro: its types, a whole body read, a whole answer sent."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from talkjs_async.emulator._responses import Response

Scope = MutableMapping[str, Any]
AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
AsgiCallable = Callable[[Scope, Receive, Send], Awaitable[None]]


async def read_body(receive: Receive) -> bytes:
    """Return a request's whole body, or what had come of it when the client went away."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


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
