"""
The emulator as an ASGI application.

Runs in any ASGI server. To break a connection it needs a server that lets go of it: ours
(`server.py`) puts a `Connection` into the scope's extensions, with others the connection faults
end in that server's own error.
"""

import time
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

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
from talkjs_async.emulator._hosts import refused_host
from talkjs_async.emulator._paths import CONTROL, FILES, INSPECTION
from talkjs_async.emulator._problems import too_large
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import GARBAGE, Response, problem_response
from talkjs_async.emulator._world import World
from talkjs_async.emulator.admission import admit

if TYPE_CHECKING:
    from talkjs_async.emulator.control import Control

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

    def __init__(self, world: World, *, hosts: Collection[str] | None = None) -> None:
        """
        Make the application.

        Args:
            world: The emulator.
            hosts: Names by which it may be asked. None: the API by any, page and control API by
                those of this machine.
        """
        self._world = world
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path = _raw_path(scope)
        ours = path.startswith(INSPECTION) and not path.startswith(FILES)
        if refused := refused_host(_header(scope, b"host"), self._hosts, ours=ours):
            await send_response(refused, send)
        elif path in _ELSEWHERE:
            await send_response(_ELSEWHERE[path], send)
        elif ours and not path.startswith(CONTROL):
            await self._inspector(scope, receive, send)
        else:
            await self._answer(scope, receive, send, path)

    @cached_property
    def _inspector(self) -> AsgiCallable:
        # Not at the top: only few emulators are ever looked at.
        from talkjs_async.emulator.page import Inspector  # noqa: PLC0415

        return Inspector(self._world)

    @cached_property
    def _control(self) -> "Control":
        # Nor controlled by programs.
        from talkjs_async.emulator.control import Control  # noqa: PLC0415

        return Control(self._world)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        world = self._world
        headers = dict(scope["headers"])
        body = await read_body(receive, _length(headers))
        if body is None:
            await send_response(problem_response(too_large()), send)
            if connection := _connection(scope):
                # Or else the server would go on reading, to no purpose.
                connection.close()
            return
        host = headers.get(b"host", b"emulator").decode("latin-1")
        request = Request(
            method=scope["method"],
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            origin=f"{scope.get('scheme', 'http')}://{host}",
            client=(scope.get("client") or ("",))[0],
            sender_time=time.time,
        )
        if path.startswith(CONTROL):
            await send_response(await self._control.answer(request), send)
            return
        if path.startswith(FILES):
            await send_response(download(world, path), send)
            return
        context = admit(world, request)
        if context.wait:
            await world.clock.sleep(context.wait)
        answer = handle(world, context)
        if answer.cut is None:
            await send_response(answer, send)
        else:
            await _cut(answer, scope, receive, send)


# People who look for the page find it, and browsers ask for an icon.
_ELSEWHERE = {
    "/": Response(307, b"", ((b"location", INSPECTION.encode()),)),
    INSPECTION.rstrip("/"): Response(307, b"", ((b"location", INSPECTION.encode()),)),
    "/favicon.ico": Response(404, b"", ()),
}


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _length(headers: Mapping[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


def _raw_path(scope: Scope) -> str:
    # IDs may contain an encoded slash, which the decoded path has lost. The raw path is optional
    # in ASGI, but all known servers have it.
    raw: bytes = scope["raw_path"]
    return raw.partition(b"?")[0].decode("latin-1")


def _connection(scope: Scope) -> Connection | None:
    connection: Connection | None = scope.get("extensions", {}).get(CONNECTION)
    return connection


async def _cut(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    connection = _connection(scope)
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
