"""
Downloads from hosts that are not TalkJS's, by URLs that were found in messages.

A URL in a message is what some user has put there, so it is followed with care: https only, to
public addresses only, wherever a name or a redirect leads, without any credential, cookie or proxy,
and within bounds of size, time and redirects. Knows HTTP and disks, nothing of records.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from socket import SOCK_STREAM
from typing import Any, Final, Literal

import anyio
import anyio.to_thread
import attrs

from talkjs_async._http.engine import Engine
from talkjs_async._http.loading import in_thread
from talkjs_async.bulk.errors import StorageError

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_ATTEMPTS: Final = 3
_PAUSE: Final = 1.0
"""Seconds before the second attempt, and twice as many before the third."""
_TIMEOUTS: Final = {"connect": 10.0, "read": 30.0, "write": 10.0, "pool": 60.0}
_FLUSH: Final = 1 << 20
"""Bytes that are collected before they go to the disk."""
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,127}/[\w.+-]{1,127}", re.ASCII)
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "talkjs-async"}


class DownloadRefused(Exception):
    """A file that cannot be had, or must not; the text says why, without the query of the URL."""


class _Passing(Exception):
    """What may be gone at the next attempt."""


class Downloads:
    """Downloads files, each into a file of the disk."""

    def __init__(
        self,
        *,
        most_bytes: int,
        seconds: float,
        allow_loopback: bool = False,
        transport: Any = None,
    ) -> None:
        """
        Say what to allow.

        Args:
            most_bytes: Of one file.
            seconds: For one file, with all its redirects.
            allow_loopback: Whether this machine may be asked, also by http.
            transport: An httpx transport that takes the place of the network.
        """
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._allow_loopback = allow_loopback
        self._transport = transport
        self._engine = Engine("httpx")

    async def download(self, url: str, path: Path) -> str | None:
        """
        Write a file to the disk.

        Returns:
            Its media type. None: the host does not say.

        Raises:
            DownloadRefused: It cannot be had.
            StorageError: It cannot be written.
        """
        await in_thread(self._engine.load)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with anyio.fail_after(self._seconds):
                    return await self._attempt(url, path)
            except TimeoutError:
                raise DownloadRefused(f"it took more than {self._seconds:g} s") from None
            except _Passing as error:
                if attempt == _ATTEMPTS:
                    raise DownloadRefused(str(error)) from None
            await anyio.sleep(_PAUSE * attempt)
        raise AssertionError("not reached")

    async def _attempt(self, url: str, path: Path) -> str | None:
        async with self._network() as (network, stop):
            for _ in range(_MOST_REDIRECTS + 1):
                request = self._request(url)
                try:
                    answer = await network.handle_async_request(request)
                except self._engine.exceptions as error:
                    raise _failure(error) from None
                try:
                    if answer.status_code not in _REDIRECTS:
                        return await self._save(answer, path, stop)
                    url = self._behind(request, answer)
                finally:
                    with anyio.move_on_after(1.0, shield=True):
                        await answer.aclose()
        raise DownloadRefused(f"it is behind more than {_MOST_REDIRECTS} redirects")

    def _request(self, url: str) -> Any:
        try:
            read = self._engine.URL(url)
        except (self._engine.module.InvalidURL, ValueError, TypeError):
            raise DownloadRefused("its URL is not valid") from None
        loopback = self._allow_loopback and read.scheme == "http" and read.host in _LOOPBACK
        if (read.scheme != "https" and not loopback) or not read.host:
            raise DownloadRefused("its URL is not one of https")
        # Without user name and password: they are no business of the host that someone named.
        plain = read.copy_with(username=None, password=None, fragment=None)
        request = self._engine.Request(
            "GET", plain, headers=_HEADERS, extensions={"timeout": _TIMEOUTS}
        )
        request.headers.pop("Authorization", None)
        return request

    def _behind(self, request: Any, answer: Any) -> str:
        try:
            return str(request.url.join(answer.headers["location"]))
        except (KeyError, ValueError, self._engine.module.InvalidURL):
            raise DownloadRefused("it is behind a redirect to nowhere") from None

    async def _save(self, answer: Any, path: Path, stop: Callable[[], None]) -> str | None:
        status = answer.status_code
        if status in _PASSING:
            raise _Passing(f"its host answers {status}")
        if status != 200:
            raise DownloadRefused(f"its host answers {status}")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise DownloadRefused("its host sends it compressed, unlike it was asked to")
        length = answer.headers.get("content-length", "0")
        if length.isascii() and length.isdecimal() and int(length) > self._most_bytes:
            raise self._too_large()
        await self._write(answer, path, stop)
        media_type = _MEDIA_TYPE.match(answer.headers.get("content-type", ""))
        return media_type[0] if media_type else None

    async def _write(self, answer: Any, path: Path, stop: Callable[[], None]) -> None:
        count = 0
        piece = bytearray()
        await _append(path, piece, mode="wb")
        try:
            async for chunk in answer.stream:
                count += len(chunk)
                if count > self._most_bytes:
                    # The next read fails, which ends the generators of the library one by one.
                    stop()
                    continue
                piece += chunk
                if len(piece) >= _FLUSH:
                    await _append(path, piece)
        except self._engine.exceptions as error:
            if count <= self._most_bytes:
                raise _failure(error) from None
        if count > self._most_bytes:
            raise self._too_large()
        await _append(path, piece)

    def _too_large(self) -> DownloadRefused:
        return DownloadRefused(f"it has more than {self._most_bytes:,} bytes")

    @asynccontextmanager
    async def _network(self) -> AsyncIterator[tuple[Any, Callable[[], None]]]:
        if self._transport is not None:
            yield self._transport, lambda: None
            return
        backend = _PublicNetwork(self._engine.core, allow_loopback=self._allow_loopback)
        context: ssl.SSLContext = await self._engine.tls_context()
        pool = self._engine.core.AsyncConnectionPool(
            ssl_context=context, max_keepalive_connections=0, network_backend=backend
        )
        try:
            yield self._engine.transport_over(pool), backend.stop
        finally:
            with anyio.move_on_after(1.0, shield=True):
                await pool.aclose()


async def _append(path: Path, piece: bytearray, *, mode: Literal["ab", "wb"] = "ab") -> None:
    def write() -> None:
        try:
            with path.open(mode) as file:
                file.write(piece)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StorageError(path=str(path), reason=reason) from error

    await anyio.to_thread.run_sync(write)
    piece.clear()


def _failure(error: Exception) -> _Passing:
    """Say what became of an attempt, in words that hold no URL."""
    return _Passing(f"its host gives no whole answer ({type(error).__name__})")


_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as IPv6 networks without IPv4 have them. RFC 6052."""


@attrs.define
class _PublicNetwork:
    """
    In the place of httpcore's network: connects to public addresses only.

    A name is looked up here and the address that was looked at is the one that is used, so that no
    second look-up can lead elsewhere.
    """

    core: Any
    allow_loopback: bool
    stopped: bool = False

    def stop(self) -> None:
        """Let every read from now on fail."""
        self.stopped = True

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore names the arguments
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Any = None,
    ) -> Any:
        try:
            with anyio.fail_after(timeout):
                found = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = f"its host has no address ({type(error).__name__})"
            raise self.core.ConnectError(reason) from None
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        if not addresses or not all(self._allows(address) for address in addresses):
            raise DownloadRefused("its host has an address that is not public")
        failure: Exception | None = None
        for address in addresses:
            try:
                stream = await self.core.AnyIOBackend().connect_tcp(
                    address, port, timeout=timeout, socket_options=socket_options
                )
                return _Stream(stream, self)
            except (self.core.ConnectError, self.core.ConnectTimeout) as error:
                failure = error
        raise failure or self.core.ConnectError("no address")

    def _allows(self, text: str) -> bool:
        address = _inner(ip_address(text.partition("%")[0]))
        if address.is_loopback:
            return self.allow_loopback
        return address.is_global and not (address.is_multicast or address.is_reserved)

    async def connect_unix_socket(self, *_args: Any, **_options: Any) -> Any:
        raise DownloadRefused("its URL is not one of https")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@attrs.frozen
class _Stream:
    """A connection, as httpcore wants it, that can be told to give no more."""

    _stream: Any
    _network: _PublicNetwork

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self._network.stopped:
            raise self._network.core.ReadError("stopped")
        data: bytes = await self._stream.read(max_bytes, timeout=timeout)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout=timeout)

    async def start_tls(self, *args: Any, **options: Any) -> _Stream:
        return _Stream(await self._stream.start_tls(*args, **options), self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if not isinstance(address, IPv6Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = None if address.teredo is None else address.teredo[1]
    for inner in (address.ipv4_mapped, address.sixtofour, teredo):
        if inner is not None:
            return inner
    return address
