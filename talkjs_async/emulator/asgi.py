"""
The emulator as an ASGI application.

Runs in any ASGI server. To break a connection it needs a server that lets go of it: ours
(`server.py`) puts a `Connection` into the scope's extensions, with others the connection faults
end in that server's own error.
"""

import time
from functools import cached_property
from typing import Protocol

from talkjs_async.emulator._asgi_messages import (
    AsgiCallable,
    Receive,
    Scope,
    Send,
    read_body,
    send_response,
)
from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._downloads import download
from talkjs_async.emulator._paths import FILES, INSPECTION
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import GARBAGE, Response
from talkjs_async.emulator._world import World
from talkjs_async.emulator.admission import admit

__all__ = ["CONNECTION", "AsgiApp", "Connection", "ConnectionLost"]

CONNECTION = "talkjs_async.emulator.connection"


class Connection(Protocol):
    """What a server has to offer for connection faults."""

    def close(self) -> None:
        """Close it, as a server does that goes away."""

    def reset(self) -> None:
        """Reset it, as a network does that breaks."""

    def write(self, data: bytes) -> None:
        """Send these bytes as they are."""


class ConnectionLost(Exception):
    """The connection was to break, and the ASGI server has no way to do it."""


class AsgiApp:
    """An ASGI 3 application."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http" and _is_inspection(scope):
            await self._inspector(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    @cached_property
    def _inspector(self) -> AsgiCallable:
        # Not at the top: only few emulators are ever looked at.
        from talkjs_async.emulator.page import Inspector  # noqa: PLC0415

        return Inspector(self._world)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        world = self._world
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"emulator").decode("latin-1")
        request = Request(
            method=scope["method"],
            path=_raw_path(scope),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=await read_body(receive),
            origin=f"{scope.get('scheme', 'http')}://{host}",
            client=(scope.get("client") or ("",))[0],
            sender_time=time.time,
        )
        if request.path.startswith(FILES):
            await send_response(download(world, request.path), send)
            return
        context = admit(world, request)
        if context.wait:
            await world.clock.sleep(context.wait)
        answer = handle(world, context)
        if answer.cut is None:
            await send_response(answer, send)
        else:
            await _cut(answer, scope, receive, send)


def _is_inspection(scope: Scope) -> bool:
    # Uploaded files are there as well, and have nothing to do with the page.
    path = _raw_path(scope)
    return path.startswith(INSPECTION) and not path.startswith(FILES)


def _raw_path(scope: Scope) -> str:
    # IDs may contain an encoded slash, which the decoded path has lost. The raw path is optional
    # in ASGI, but all known servers have it.
    raw: bytes = scope["raw_path"]
    return raw.partition(b"?")[0].decode("latin-1")


async def _cut(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    connection: Connection | None = scope.get("extensions", {}).get(CONNECTION)
    if connection is None and answer.cut != "stall":
        raise ConnectionLost(f"This ASGI server cannot {answer.cut} a connection.")
    if connection is not None:
        match answer.cut:
            case "truncate":
                await send_response(answer, send, cut_at=len(answer.body) // 2)
                connection.close()
            case "garbage":
                connection.write(GARBAGE)
                connection.close()
            case "drop":
                connection.close()
            case "reset" | "refuse":
                # Too late to refuse: to accept and reset is the nearest thing.
                connection.reset()
    # Nothing more to say: wait until the other side knows it, too.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
