"""
Makes TCP connections: names to addresses, addresses to sockets.

Sockets of ours, because those of an event loop's streams are read before bytes are wanted.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Final

import anyio

_NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds that an address has before the next is tried beside it. RFC 8305, section 5."""


async def connect(host: str, port: int, seconds: float | None) -> socket.socket:
    """
    Connect to the first address of *host* that answers, trying a further one each quarter second.

    Raises:
        OSError: No address answers, or the host has none. TimeoutError: *seconds* are over.
    """
    made: list[socket.socket] = []
    errors: list[OSError] = []

    async def attempt(family: int, address: Any, ended: anyio.Event) -> None:
        try:
            made.append(await _reach(family, address))
            tasks.cancel_scope.cancel()
        except OSError as error:
            errors.append(error)
        finally:
            ended.set()

    try:
        with anyio.fail_after(seconds):
            found = await _addresses(host, port)
            async with anyio.create_task_group() as tasks:
                for family, _, _, _, address in found:
                    ended = anyio.Event()
                    tasks.start_soon(attempt, family, address, ended)
                    with anyio.move_on_after(_NEXT_ADDRESS_AFTER):
                        await ended.wait()
    except BaseException:
        for each in made:
            each.close()
        raise
    for late in made[1:]:
        late.close()
    if not made:
        raise errors[-1] if errors else OSError("the host has no address")
    made[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made[0]


async def _addresses(host: str, port: int) -> list[Any]:
    try:
        return list(await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except UnicodeError as error:
        # A label that is too long, say: no name server was asked.
        raise OSError(f"not a host name: {error}") from error


async def _reach(family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            sock.connect(address)
        except BlockingIOError:
            await anyio.wait_writable(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code)) from None
    except BaseException:
        sock.close()
        raise
    return sock
