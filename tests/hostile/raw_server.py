"""
A server on the loopback that writes exactly the bytes that a test wants, in a thread of its own.

It speaks plain HTTP, TLS, and the language of proxies (a CONNECT is accepted and forgotten). It
knows HTTP only as far as to see where a request ends.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import anyio.to_thread
import attrs

PATIENCE = 60.0
"""Seconds after which a wait for the server is a failed test."""


def answer(
    body: bytes = b"{}", *, status: str = "200 OK", headers: tuple[str, ...] = (), length: int = -1
) -> bytes:
    """Write an answer with a Content-Length, the true one unless *length* is given."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length < 0 else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


@attrs.define
class Exchange:
    """
    One request that has arrived whole, and the connection that it came through.

    Attributes:
        on_connection: Which request of its connection it is, from 0.
    """

    method: str
    target: str
    head: bytes
    body: bytes
    on_connection: int
    _writer: asyncio.StreamWriter
    _reader: asyncio.StreamReader

    async def write(self, *pieces: bytes) -> None:
        """Write *pieces*, each as a segment (under TLS, a record) of its own."""
        for piece in pieces:
            if self._writer.is_closing() or self._reader.at_eof():
                raise ConnectionResetError("the client has hung up")
            self._writer.write(piece)
            await self._writer.drain()
            # asyncio notices a hang-up under TLS only if it gets a turn.
            await asyncio.sleep(0)

    async def write_together(self, *records: bytes) -> None:
        """Write *records* so that they arrive with one segment."""
        for record in records:
            self._writer.write(record)
        await self._writer.drain()

    async def hung_up(self) -> None:
        """Wait until the client has hung up. What else it sends meanwhile is lost."""
        await self._reader.read()

    async def stays(self, until: Coroutine[Any, Any, object]) -> None:
        """Wait for something, for as long as the client does."""
        steps = [asyncio.ensure_future(each) for each in (until, self.hung_up())]
        try:
            await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for step in steps:
                step.cancel()
            await asyncio.gather(*steps, return_exceptions=True)

    def close(self) -> None:
        self._writer.close()

    def cut(self) -> None:
        """End TCP, and under TLS say nothing of it."""
        self._writer.get_extra_info("socket").shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Hang up so that the other side gets an error, not an end."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]
Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """
    Answers each request as *script* wants.

    Args:
        script: Called with each request.
        tls: None: plain.
        converse: Does all that happens on a connection, in place of reading requests.
        tunnel: The answer to CONNECT.

    Attributes:
        accepted: Connections made so far.
        open: Connections that are open now.
        seen: Method and target of each request, in the order of arrival.
    """

    host = "localhost"

    def __init__(
        self,
        script: Script,
        *,
        tls: ssl.SSLContext | None = None,
        converse: Converse | None = None,
        tunnel: bytes = b"HTTP/1.1 200 Go on\r\n\r\n",
    ) -> None:
        self._script = script
        self._tunnel = tunnel
        self._tls = tls
        self._converse = converse or self._read_requests
        self.accepted = self.open = 0
        self.seen: list[tuple[str, str]] = []
        self.port = 0
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

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
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def targets(self) -> list[str]:
        """What was asked for, in the order of arrival."""
        return [target for _, target in self.seen]

    def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        self._loop.call_soon_threadsafe(self._close_all)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is true of this server."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(happened, PATIENCE)

        assert await anyio.to_thread.run_sync(wait)

    async def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run *work*, of an exchange that is over, in the server's event loop."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        await anyio.to_thread.run_sync(future.result)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(
            self._serve, self.host, 0, ssl=self._tls, family=socket.AF_INET, backlog=1024
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        # asyncio loses a connection that it is accepting while the listener is closed: so first
        # accept no more, then let those on the doorstep come in.
        self._loop.remove_reader(server.sockets[0].fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        server.close()
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _close_all(self) -> None:
        for writer in self._tasks.values():
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = writer
        self._count(1, accepted=1)
        try:
            await self._converse(reader, writer)
        except (OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            # "Not open" shall mean closed.
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            del self._tasks[task]
            self._count(-1)

    def _count(self, change: int, *, accepted: int = 0) -> None:
        with self._changed:
            self.open += change
            self.accepted += accepted
            self._changed.notify_all()

    async def _read_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        number = 0
        while not writer.is_closing():
            head = await reader.readuntil(b"\r\n\r\n")
            method, target = head.split(b" ", 2)[:2]
            body = await _read_body(reader, head)
            if method == b"CONNECT":
                writer.write(self._tunnel)
                continue
            with self._changed:
                self.seen.append((method.decode(), target.decode()))
                self._changed.notify_all()
            await self._script(
                Exchange(method.decode(), target.decode(), head, body, number, writer, reader)
            )
            # What the script noted is waited for, too.
            with self._changed:
                self._changed.notify_all()
            number += 1


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length:
        return await reader.readexactly(int(length[1]))
    body = b""
    if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    return body


def user(target: str) -> bytes:
    """The record that *target* asks for."""
    name = target.rpartition("/")[2]
    return b'{"id":"%s","name":"%s","createdAt":1}' % (name.encode(), name.encode())


async def right(exchange: Exchange) -> None:
    """Answer as TalkJS does."""
    await exchange.write(answer(user(exchange.target) if exchange.method == "GET" else b"{}"))


def always(*pieces: bytes) -> Script:
    """Answer every request with the same bytes."""

    async def script(exchange: Exchange) -> None:
        await exchange.write(*pieces)

    return script
