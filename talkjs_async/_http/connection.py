"""
A client of the HTTP library with exactly one connection.

Its transport sits directly on one connection of httpcore, without a pool: that saves an eighth of a
call's CPU, and it lets us close the socket of a call that was cancelled in the middle of the TLS
handshake, which httpcore loses track of (it stays open until the garbage collector comes by).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import anyio.to_thread
from anyio.lowlevel import current_token

from talkjs_async._http.engine import Engine
from talkjs_async.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

    import httpcore
    import httpx


_CLOSING_TAKES_AT_MOST: Final = 1.0
"""Seconds. Closing is one step of the event loop; the bound is for a transport that misbehaves."""


async def open_client(engine: Engine, *, tls: bool, keepalive: float) -> httpx.AsyncClient:
    """
    Make a client that has at most one connection. Its first request makes the connection.

    The first client of a process loads the library and the trust store, off the event loop. Proxies
    that the environment names are used in the way of the library.

    Args:
        tls: Whether https:// will be spoken. If not, no trust store is loaded.
        keepalive: Seconds that the connection may be idle.

    Raises:
        ConfigurationError: The trust store or the environment's proxies cannot be used.
    """
    context = await engine.tls_context() if tls else None
    if not engine.loaded:
        # A cancelled call leaves at once; the thread finishes the work for the next one.
        await anyio.to_thread.run_sync(engine.load, abandon_on_cancel=True)
    proxies = _environment_names_proxies()
    if proxies:
        return _through_proxies(engine, context, keepalive)
    transport: Any = OneConnection(engine, context, keepalive)
    return engine.AsyncClient(transport=transport, trust_env=False)


async def close_client(client: httpx.AsyncClient) -> None:
    """Close *client*, also when the call that used it was cancelled."""
    # Shielded: the usual reason to be here is a cancelled call, and its socket must go.
    with anyio.move_on_after(_CLOSING_TAKES_AT_MOST, shield=True):
        await client.aclose()


class OneConnection:
    """
    A transport of httpx or httpx2 over one HTTP/1.1 connection, for one request at a time.

    The answer is read whole before it is handed on. A connection that the server has closed in the
    meantime, or that was idle for longer than *keepalive* seconds, is replaced before the request
    is sent.
    """

    __slots__ = ("_connection", "_context", "_engine", "_keepalive", "_socket")

    def __init__(self, engine: Engine, context: ssl.SSLContext | None, keepalive: float) -> None:
        self._engine = engine
        self._context = context
        self._keepalive = keepalive
        self._connection: httpcore.AsyncHTTPConnection | None = None
        self._socket: httpcore.AsyncNetworkStream | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and read its answer."""
        core = self._engine.core
        url = request.url
        live = self._connection
        if live is None or not live.is_available() or live.has_expired():
            await self.aclose()
            live = self._connection = core.AsyncHTTPConnection(
                core.Origin(url.raw_scheme, url.raw_host, url.port or _default_port(url)),
                ssl_context=self._context,
                keepalive_expiry=self._keepalive,
                network_backend=self,
            )
        target = core.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        answer = await live.handle_async_request(
            core.Request(
                request.method,
                target,
                headers=request.headers.raw,
                content=self._content(request),
                extensions=request.extensions,
            )
        )
        try:
            body = await answer.aread()
        finally:
            await answer.aclose()
        return self._engine.Response(
            answer.status, headers=answer.headers, content=body, extensions=answer.extensions
        )

    def _content(self, request: httpx.Request) -> Any:
        # Uploads come as a stream of ours, everything else as bytes.
        if isinstance(request.stream, self._engine.module.ByteStream):
            return _Body(request.content)
        return request.stream

    async def connect_tcp(self, host: str, port: int, **options: Any) -> Any:
        """Connect for httpcore, as its network back end, and remember the socket."""
        core = self._engine.core
        backend = core.TrioBackend() if _on_trio() else core.AnyIOBackend()
        try:
            self._socket = await backend.connect_tcp(host, port, **options)
        except UnicodeError as error:
            # A label that is too long, say: no name server was asked, let alone the host.
            raise core.ConnectError(f"not a host name: {error}") from error
        return self._socket

    async def aclose(self) -> None:
        """Close the connection, whatever state it is in."""
        connected, self._socket, self._connection = self._socket, None, None
        if connected is not None:
            # Not through the connection: in the middle of a TLS handshake it has no stream yet.
            await connected.aclose()


class _Body:
    """
    The bytes of a request, as the stream that httpcore wants.

    No generator: httpcore leaves it half-way when a write fails, and trio warns of such generators.
    """

    __slots__ = ("_rest",)

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        content, self._rest = self._rest, b""
        if not content:
            raise StopAsyncIteration
        return content


def _default_port(url: httpx.URL) -> int:
    return 443 if url.scheme == "https" else 80


def _environment_names_proxies() -> bool:
    from urllib.request import getproxies  # noqa: PLC0415 - slow to import, and httpx just did

    named = getproxies()
    return any(named.get(each) for each in ("http", "https", "all"))


def _through_proxies(
    engine: Engine, context: ssl.SSLContext | None, keepalive: float
) -> httpx.AsyncClient:
    try:
        return engine.AsyncClient(
            verify=context or _trusting_nobody(),
            limits=engine.module.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=keepalive
            ),
        )
    except (ValueError, ImportError, engine.module.InvalidURL) as error:
        raise ConfigurationError("HTTPS_PROXY", f"the proxy cannot be used: {error}") from error


def _trusting_nobody() -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 - slow to import, and httpx just did

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _on_trio() -> bool:
    return type(current_token().native_token).__module__.startswith("trio")
