"""
uvicorn, taught to break connections.

The only module that imports uvicorn, so that everything else works without it.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from talkjs_async.emulator._asgi_messages import AsgiCallable, Receive, Scope, Send
from talkjs_async.emulator.asgi import CONNECTION
from talkjs_async.emulator.webhooks import Receiver, WebhookSender

# SO_LINGER on, with no time to linger: closing sends a reset.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

# Longer than any client keeps a connection, so that a client never meets one that we just closed.
_KEEP_ALIVE = 120
_GRACE = 1


class EmulatorServer(uvicorn.Server):
    """A server that says when it is ready and leaves signals alone."""

    def __init__(
        self,
        app: AsgiCallable,
        webhooks: WebhookSender,
        protocol: type[asyncio.Protocol] | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=PROTOCOLS[0] if protocol is None else protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._webhooks = webhooks
        self._forwarder: asyncio.Task[None] | None = None
        self.ready = threading.Event()
        self.on_ready: Callable[[], object] | None = None
        self.while_true: Callable[[], bool] | None = None

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to end; asked ten times a second."""
        ended = self.while_true is not None and not self.while_true()
        return await super().on_tick(counter) or ended

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening."""
        await super().startup(sockets)
        self._forwarder = asyncio.create_task(self._deliver_webhooks())
        self.ready.set()
        if self.on_ready is not None:
            self.on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and break off whatever is still under way."""
        if self._forwarder is not None:
            self._forwarder.cancel()
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Breakable):
                connection.transport.abort()
        await super().shutdown(sockets)

    async def _deliver_webhooks(self) -> None:
        webhooks = self._webhooks
        loop = asyncio.get_running_loop()
        something_new = asyncio.Event()
        under_way: dict[Receiver, asyncio.Task[None]] = {}
        webhooks.on_event = lambda: loop.call_soon_threadsafe(something_new.set)
        if not webhooks.held:
            # What waits already: it came before there was anything to tell.
            something_new.set()
        try:
            while True:
                await something_new.wait()
                something_new.clear()
                for receiver in webhooks.receivers:
                    # One at a time each, side by side with all others.
                    if receiver not in under_way or under_way[receiver].done():
                        under_way[receiver] = asyncio.create_task(webhooks.drain(receiver, []))
        finally:
            webhooks.on_event = None
            for task in under_way.values():
                task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command line: a server in a `with` block must not take them."""
        yield


class _Breakable:
    """Hands every request the means to break its connection; to be mixed into a protocol."""

    app: Any
    transport: asyncio.Transport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app = self.app

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {CONNECTION: UvicornConnection(self.transport)}
            await app(scope, receive, send)

        self.app = with_connection


class _BreakableH11(_Breakable, H11Protocol):
    """HTTP in Python, wherever uvicorn is."""


def _fastest() -> type[asyncio.Protocol]:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: PLC0415
    except ModuleNotFoundError:
        return _BreakableH11

    class BreakableHttpTools(_Breakable, HttpToolsProtocol):
        """HTTP in C, with the extra `[emulator]`; a request costs half as much."""

    return BreakableHttpTools


PROTOCOLS: tuple[type[asyncio.Protocol], ...] = tuple(dict.fromkeys((_fastest(), _BreakableH11)))
"""What there is to speak HTTP with, the fastest first."""


class UvicornConnection:
    """What may be done to the connection of a request."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def close(self) -> None:
        self._transport.close()

    def reset(self) -> None:
        sock = self._transport.get_extra_info("socket")
        # The client may have gone already.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def write(self, data: bytes) -> None:
        self._transport.write(data)
