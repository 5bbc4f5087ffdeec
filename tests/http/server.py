"""
A small HTTP server on the loopback, in a thread of its own, so that it serves any event loop.

It does what real servers do to clients: answer late, hang up, close idle connections, send rubbish.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio.to_thread

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

PATIENCE = 60.0
"""Seconds after which a wait for the server is a failed test."""


class Server:
    """
    Answers `GET /ok` with `{}`; other paths, and what it counts, are below.

    /hold         answers when `release` is called
    /after/N      answers after N milliseconds
    /drop         hangs up without an answer
    /echo         answers with the body of the request
    /silence      never answers, reads on
    anything else that was given in *answers*: those bytes, and then it hangs up

    Attributes:
        accepted: Connections made so far.
        open: Connections that are open now.
        seen: Paths of the requests, in the order of arrival.
    """

    def __init__(
        self, *, answers: dict[str, bytes] | None = None, requests_per_connection: int | None = None
    ) -> None:
        self.answers = answers or {}
        self.requests_per_connection = requests_per_connection
        self.accepted = 0
        self.seen: list[str] = []
        self.port = 0
        self.blind_answer: bytes | None = None
        self.connections: set[_Connection] = set()
        self.held: list[_Connection] = []
        self.changed = threading.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        return len(self.connections)

    def release(self) -> None:
        """Answer everything that is held, and hold nothing from now on."""
        self.loop.call_soon_threadsafe(self._release)

    def answer_everything_with(self, content: bytes) -> None:
        """Answer whatever arrives, HTTP or not, and hang up."""
        self.blind_answer = content

    def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        self.loop.call_soon_threadsafe(self._hang_up)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is true of this server."""

        def wait() -> bool:
            with self.changed:
                return self.changed.wait_for(happened, PATIENCE)

        assert await anyio.to_thread.run_sync(wait)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._holding = True
        listener = await self.loop.create_server(
            lambda: _Connection(self), "127.0.0.1", 0, backlog=1024
        )
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        # asyncio loses a connection that it is accepting while the listener is closed: so first
        # accept no more, then let those on the doorstep come in.
        self.loop.remove_reader(listener.sockets[0].fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        listener.close()
        self._hang_up()
        await self.until(lambda: not self.connections)

    def _hang_up(self) -> None:
        for each in list(self.connections):
            each.close()

    def _release(self) -> None:
        self._holding = False
        while self.held:
            self.held.pop(0).answer(OK)

    def serve(self, connection: _Connection, path: str) -> None:
        if path in self.answers:
            connection.answer(self.answers[path])
            connection.close()
        elif path == "/hold" and self._holding:
            self.held.append(connection)
        elif path.startswith("/after/"):
            self.loop.call_later(int(path[7:]) / 1000, connection.answer, OK)
        elif path == "/drop":
            connection.close()
        elif path == "/echo":
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(connection.body)
            connection.answer(head + connection.body)
        elif path != "/silence":
            connection.answer(OK)


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._received = b""
        self._answered = 0
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        with self._server.changed:
            self._server.accepted += 1
            self._server.connections.add(self)
            self._server.changed.notify_all()

    def connection_lost(self, exc: Exception | None) -> None:
        # The socket is closed after this call, and "not open" shall mean closed.
        self._server.loop.call_soon(self._forget)

    def _forget(self) -> None:
        with self._server.changed:
            self._server.connections.discard(self)
            self._server.changed.notify_all()

    def data_received(self, data: bytes) -> None:
        if self._server.blind_answer is not None:
            self.answer(self._server.blind_answer)
            self.close()
            return
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self.body, self._received = rest[:size], rest[size:]
            path = head.split(b" ", 2)[1].decode()
            with self._server.changed:
                self._server.seen.append(path)
                self._server.changed.notify_all()
            self._server.serve(self, path)

    def answer(self, content: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(content)
        self._answered += 1
        if self._answered == self._server.requests_per_connection:
            self.close()

    def close(self) -> None:
        self._transport.close()
