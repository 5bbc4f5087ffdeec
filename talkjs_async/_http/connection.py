"""
A client of the HTTP library with exactly one connection.

Its transport is the library's own, so that tools which watch or replace that class see our calls;
only the pool in it is ours. Without a pool a call takes an eighth less CPU, no cancelled call can
wedge it, and the socket of a call that was cancelled in the TLS handshake is known and closed.
"""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import anyio

from talkjs_async._http.connect import connect
from talkjs_async._http.engine import Engine
from talkjs_async._http.loading import in_thread
from talkjs_async._http.proxies import proxy_for
from talkjs_async._http.stream import SocketStream, SpokeFirst
from talkjs_async._http.watch import Watch
from talkjs_async.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

    import httpcore
    import httpx


_CLOSING_TAKES_AT_MOST: Final = 1.0
"""Seconds. Closing is one step of the event loop; the bound is for a transport that misbehaves."""


class ConnectionRoute(NamedTuple):
    """
    How hosts are reached.

    Attributes:
        tls: Whether https:// will be spoken. If not, no trust store is loaded.
        ssl_context: Whom to trust. None: the library's idea.
        proxy: URL of a proxy. None: what the environment says.
        keepalive: Seconds that a connection may be idle. Load balancers commonly hang up after 60;
            the side that hangs up first has no request cut off by it.
    """

    tls: bool
    ssl_context: ssl.SSLContext | None = None
    proxy: str | None = None
    keepalive: float = 55.0


async def open_client(engine: Engine, route: ConnectionRoute) -> httpx.AsyncClient:
    """
    Make a client that has at most one connection. Its first request makes the connection.

    The first client of a process loads the library and the trust store, off the event loop.

    Raises:
        ConfigurationError: The trust store cannot be read.
    """
    context = route.ssl_context
    if context is None and route.tls:
        context = await engine.tls_context()
    if not engine.loaded:
        await in_thread(engine.load)
    return client_over(engine, engine.transport_over(OneConnection(engine, route, context)))


def client_over(engine: Engine, transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    """Make a client of ours: it keeps no cookie and asks the environment nothing."""
    return engine.AsyncClient(transport=transport, trust_env=False, cookies=_NoCookies())


async def close_client(client: httpx.AsyncClient) -> None:
    """Close *client*, also when the call that used it was cancelled."""
    # Shielded: the usual reason to be here is a cancelled call, and its socket must go.
    with anyio.move_on_after(_CLOSING_TAKES_AT_MOST, shield=True):
        await client.aclose()


class OneConnection:
    """
    In the place of httpcore's pool: one HTTP/1.1 connection, for one request at a time.

    A request is written only if nothing is left to read, neither in the parser nor in TLS nor in
    the socket: whatever lies there would be taken for its answer. Otherwise, and when it was idle
    for too long or the server has closed it, the connection is replaced first.
    """

    __slots__ = (
        "_connection",
        "_context",
        "_engine",
        "_handshakes",
        "_proxy_name",
        "_route",
        "_stream",
        "_watch",
    )

    def __init__(
        self, engine: Engine, route: ConnectionRoute, context: ssl.SSLContext | None
    ) -> None:
        self._engine = engine
        self._route = route
        self._context = context
        self._connection: httpcore.AsyncConnectionInterface | None = None
        self._stream: SocketStream | None = None
        # What named the proxy that is used.
        self._proxy_name: str | None = None
        # Of TLS, until a new connection carries a request.
        self._handshakes = 0
        self._watch = Watch()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send *request*, and return its answer as soon as the status is there."""
        core = self._engine.core
        live = self._connection
        reused = live is not None and _is_clean(live)
        if live is None or not reused:
            await self.aclose()
            live = self._connection = self._connect_later(request)
        self._watch.renew(request, handshakes=0 if reused else self._handshakes)
        content: Any = request.stream
        if isinstance(content, self._engine.module.ByteStream):
            request.stream = _Body(b"".join(content))
        try:
            answer = await live.handle_async_request(request)
        except SpokeFirst:
            await self.aclose()
            if not reused:
                raise core.ConnectError(
                    "the server hung up, or spoke before it was asked"
                ) from None
            return await self.handle_async_request(request)
        except (core.TimeoutException, core.NetworkError, core.RemoteProtocolError) as error:
            if self._watch.begun:
                raise
            late = isinstance(error, core.TimeoutException)
            raise (core.ConnectTimeout if late else core.ConnectError)(str(error)) from error
        if 300 <= answer.status < 400:
            # httpx reads where a redirect leads although it is not to follow it, and fails if it
            # cannot: the status would be lost.
            answer.headers = [each for each in answer.headers if each[0].lower() != b"location"]
        return answer

    def _connect_later(self, request: httpcore.Request) -> httpcore.AsyncConnectionInterface:
        """Make a connection object of httpcore, which connects at its first request."""
        core = self._engine.core
        options: dict[str, Any] = {
            "ssl_context": self._context,
            "keepalive_expiry": self._route.keepalive,
            "network_backend": self,
        }
        url = request.url
        scheme, host = url.scheme.decode(), url.host.decode()
        given = self._route.proxy
        proxy = given or proxy_for(scheme, host, url.origin.port)
        # Without TLS to the host itself, all that httpcore writes is the request.
        self._handshakes = 1 if scheme == "https" else 0
        if proxy is None:
            self._proxy_name = None
            pool = core.AsyncConnectionPool(**options)
        else:
            self._proxy_name = name = "proxy" if given else f"{scheme.upper()}_PROXY"
            pool = self._through(proxy, name, options)
        made: httpcore.AsyncConnectionInterface = pool.create_connection(url.origin)
        return made

    def _through(self, proxy: str, name: str, options: dict[str, Any]) -> Any:
        core, module = self._engine.core, self._engine.module
        try:
            # httpx takes user name and password out of the URL. No error may quote it.
            read = module.Proxy(proxy)
            url = core.URL(
                scheme=read.url.raw_scheme, host=read.url.raw_host, port=read.url.port, target=b"/"
            )
            if read.url.scheme.startswith("socks"):
                return core.AsyncSOCKSProxy(url, proxy_auth=read.raw_auth, **options)
            own_tls = self._context if read.url.scheme == "https" else None
            if own_tls is not None and self._handshakes:
                self._handshakes += 1
            return core.AsyncHTTPProxy(
                url, proxy_auth=read.raw_auth, proxy_ssl_context=own_tls, **options
            )
        except (ValueError, module.InvalidURL):
            raise ConfigurationError(
                name, "must look like http://proxy:8080; https:// and socks5:// are known too."
            ) from None
        except (ImportError, RuntimeError):
            # httpcore raises the latter where the package is missing.
            raise ConfigurationError(
                name, "names a SOCKS proxy, for which the package socksio must be installed."
            ) from None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore names it
        **_options: Any,
    ) -> SocketStream:
        """Connect for httpcore, as its network back end, and remember the socket."""
        core = self._engine.core
        name = self._proxy_name
        where = "" if name is None else f"the proxy {host}:{port}, which {name} names: "
        try:
            sock = await connect(host, port, timeout)
        except TimeoutError as error:
            raise core.ConnectTimeout(f"{where}too slow") from error
        except OSError as error:
            raise core.ConnectError(f"{where}{error}") from error
        self._stream = SocketStream(sock, core, self._watch)
        return self._stream

    async def aclose(self) -> None:
        """Close the connection, whatever state it is in."""
        connected, self._stream, self._connection = self._stream, None, None
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


class _NoCookies(CookieJar):
    """Keeps none."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        pass

    def add_cookie_header(self, request: Any) -> None:
        pass


def _is_clean(live: Any) -> bool:
    """
    Tell whether *live* can carry a request: it is idle, not for too long, and its parser is empty.

    What lies in the socket or in TLS is seen when the request is written. What an answer left in
    the parser is known to httpcore's inner object only. If that has moved, no connection is used
    twice: slow, and noticed by a test, but right.
    """
    if not live.is_available() or live.has_expired():
        return False
    while (inner := getattr(live, "_connection", None)) is not None:
        live = inner
    parser = getattr(live, "_h11_state", None)
    return parser is not None and parser.trailing_data == (b"", False)
