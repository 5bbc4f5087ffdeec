# ruff: noqa: ASYNC109 - httpcore names the arguments
"""
The bytes of one connection: a socket that is read only when bytes are wanted, and TLS over it.

The streams of httpcore read ahead, into a queue of the event loop and into one of TLS, and neither
can be looked into. Here nothing is kept but in the kernel and in the TLS object, so that before a
request is written it is known whether anything lies in front of its answer. Called by httpcore.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

from talkjs_async._http.watch import Watch

if TYPE_CHECKING:
    import socket
    import ssl

T = TypeVar("T")

_READ: Final = 32 * 1024
"""
Bytes read at once. As many interim answers of 17 bytes keep the parser busy for some 40 ms, and
other tasks have their turn between two reads.
"""
_RECORDS: Final = 16
"""Reads of housekeeping of TLS between two requests; a server that sends more is not kept."""


class SpokeFirst(Exception):
    """Something lies in a connection that a request is about to be written to."""


class SocketStream:
    """A TCP connection, as httpcore wants it."""

    def __init__(self, sock: socket.socket, core: Any, watch: Watch) -> None:
        self.sock = sock
        self.core = core
        self.watch = watch

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # Waiting comes first, also as the point where a fast sender lets other tasks go on.
        while True:
            await self.watch.wait(anyio.wait_readable, self.sock, timeout, self.core.ReadTimeout)
            data = self.read_now(min(max_bytes, _READ))
            if data is not None:
                self.watch.count(len(data))
                return data

    def read_now(self, max_bytes: int) -> bytes | None:
        """Read what has arrived. None: nothing has. Empty: the end."""
        try:
            return self.sock.recv(max_bytes)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise self.core.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # Now and not before: httpcore lets other tasks run between the choice of a connection and
        # the first byte of the request.
        if self.watch.writing() and self.has_leftover():
            raise SpokeFirst
        await self.send(buffer, timeout)

    async def send(self, buffer: bytes, timeout: float | None) -> None:
        """Write all of *buffer*, the request or what TLS needs."""
        rest = memoryview(buffer)
        while rest:
            try:
                rest = rest[self.sock.send(rest) :]
            except (BlockingIOError, InterruptedError):
                await self.watch.wait(
                    anyio.wait_writable, self.sock, timeout, self.core.WriteTimeout
                )
            except OSError as error:
                raise self.core.WriteError(str(error)) from error

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> TLSStream:
        try:
            over = TLSStream(self, ssl_context, server_hostname)
        except ValueError as error:
            raise self.core.ConnectError(f"no name for TLS: {error}") from error
        await over.handshake(timeout)
        self.watch.shook_hands()
        return over

    def get_extra_info(self, info: str) -> Any:
        # To "is_readable" the answer is no: `write` looks for itself.
        return self.sock if info == "socket" else None

    def has_leftover(self) -> bool:
        """Whether anything has arrived that belongs to no request, the end included."""
        try:
            return self.read_now(1) is not None
        except self.core.ReadError:
            return True

    async def aclose(self) -> None:
        self.sock.close()


class TLSStream(SocketStream):
    """TLS over a connection, or over the TLS of a proxy."""

    def __init__(
        self, lower: SocketStream, context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        super().__init__(lower.sock, lower.core, lower.watch)
        import ssl  # noqa: PLC0415 - slow to import, and the library just did

        self._ssl = ssl
        self._lower = lower
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )

    async def handshake(self, timeout: float | None) -> None:
        """Agree on keys, and on who the other one is."""
        await self._run(self._tls.do_handshake, timeout, self.core.ConnectError)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._run(partial(self._tls.read, max_bytes), timeout, self.core.ReadError)

    def read_now(self, max_bytes: int) -> bytes | None:
        for _ in range(_RECORDS):
            try:
                return self._tls.read(max_bytes)
            except self._ssl.SSLWantReadError:
                # Tickets and new keys are not part of an answer: look behind them.
                arrived = self._lower.read_now(_READ)
                if arrived is None:
                    return None
                self._feed(arrived)
            except self._ssl.SSLError:
                break
        return b""

    async def send(self, buffer: bytes, timeout: float | None) -> None:
        rest = memoryview(buffer)
        while rest:
            written = await self._run(partial(self._tls.write, rest), timeout, self.core.WriteError)
            rest = rest[written:]

    def get_extra_info(self, info: str) -> Any:
        return self._tls if info == "ssl_object" else super().get_extra_info(info)

    def _feed(self, arrived: bytes) -> None:
        if arrived:
            self._incoming.write(arrived)
        else:
            self._incoming.write_eof()

    async def _run(self, step: Callable[[], T], timeout: float | None, bad: type[Exception]) -> T:
        while True:
            result: list[T] = []
            try:
                result.append(step())
            except self._ssl.SSLWantReadError:
                pass
            except self._ssl.SSLError as error:
                # What it has to say to the other side is an alert: why we leave.
                raise bad(str(error)) from error
            if self._outgoing.pending:
                await self._lower.send(self._outgoing.read(), timeout)
            if result:
                return result[0]
            self._feed(await self._lower.read(_READ, timeout))
