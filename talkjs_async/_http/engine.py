"""
The HTTP library under the client: which one, loaded when first needed, and what its errors mean.

Knows httpx and httpx2 by name only: nothing is imported before a call needs it, and
never a library that the user did not choose. Called by the slots and by the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

import anyio

from talkjs_async._core.wire import checked_word
from talkjs_async._http.loading import in_thread
from talkjs_async.errors import ConfigurationError, ConnectFailed, OutcomeUnknown, TransportError

if TYPE_CHECKING:
    import ssl

    import httpx

Outcome = Literal["never_left", "unknown"]
"""What a failed exchange did at the server: certainly nothing, or perhaps something."""

_CORE: Final = {"httpx": "httpcore", "httpx2": "httpcore2"}
"""Library to the one below it."""

_NEVER_LEFT: Final = (
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    # The proxy refused to open the tunnel: it was asked for a connection, not for the request.
    "ProxyError",
    "UnsupportedProtocol",
)
"""
Classes after which not one byte of the request has been written.

Not among them: WriteError and WriteTimeout (a part was written), LocalProtocolError (over HTTP/2 it
can also come in the middle of an exchange), and a kept-alive connection that the server dropped
before its answer (the request may have been read before the drop).
"""


class Engine:
    """
    One HTTP library, by its name in the constructor of the client.

    Attributes:
        name: "httpx" or "httpx2".
        module, core: The modules httpx and httpcore, or httpx2 and httpcore2.
        Request, URL, Timeout, Response, AsyncClient: Its classes, typed as httpx's: httpx2 has the
            same ones.
        plain_headers: What a client of the library sends by itself.
        exceptions: Everything that `AsyncClient.send` raises when no whole answer came. Empty
            until the library is loaded, so that `except engine.exceptions` is always right.

    All but `name` and `exceptions` exist once the library is loaded, which the first loan of a
    connection sees to.
    """

    module: Any
    core: Any
    Request: type[httpx.Request]
    Response: type[httpx.Response]
    URL: type[httpx.URL]
    Timeout: type[httpx.Timeout]
    AsyncClient: type[httpx.AsyncClient]
    plain_headers: dict[str, str]

    def __init__(self, name: str) -> None:
        checked_word("engine", name, _CORE)
        if find_spec(name) is None:
            raise ConfigurationError(
                "engine", f"{name!r} is not installed: pip install 'talkjs-async[{name}]'"
            )
        self.name = name
        self.loaded: bool = False
        self.exceptions: tuple[type[Exception], ...] = ()

    def __repr__(self) -> str:
        return f"Engine({self.name!r})"

    def load(self) -> None:
        """
        Import the library. The first time in a process it takes some 100 ms of CPU.

        Call it in a worker thread when an event loop is running.
        """
        if self.loaded:
            return
        library: Any = import_module(self.name)
        core: Any = import_module(_CORE[self.name])
        # What signs and what looks up a host come next. Loaded here, it is a thread that waits and
        # not the event loop.
        import_module("jwt.algorithms")
        import_module("encodings.idna")
        self.module = library
        self.core = core
        self.Request = library.Request
        self.Response = library.Response
        self.URL = library.URL
        self.Timeout = library.Timeout
        self.AsyncClient = library.AsyncClient
        self._never_left = tuple(
            getattr(each, name) for each in (library, core) for name in _NEVER_LEFT
        )
        self.exceptions = tuple(_exceptions(library, core))
        self.plain_headers = _plain_headers(library)
        self.loaded = True

    def outcome(self, error: Exception) -> Outcome:
        """Say whether the request that ended with *error*, one of `exceptions`, ever left."""
        return "never_left" if isinstance(error, self._never_left) else "unknown"

    def translate(
        self, error: Exception, *, method: str, path: str, url: httpx.URL, seconds: float
    ) -> TransportError:
        """
        Turn one of `exceptions` into our error. Raise what you get *from* the original.

        Args:
            error: Loses what may hold a secret.
            method, path: The call.
            url: Whose host and port are named.
            seconds: How long it was tried.
        """
        cause = self.describe(error)
        host = url.netloc.decode()
        if url.port is None:
            host += ":443" if url.scheme == "https" else ":80"
        if self.outcome(error) == "never_left":
            return ConnectFailed(
                f"no connection to {host} in {seconds:.1f} s, nothing was sent ({cause})",
                method=method,
                path=path,
            )
        return OutcomeUnknown(
            f"no whole answer of {host} in {seconds:.1f} s, so it may or may not have happened "
            f"({cause})",
            method=method,
            path=path,
        )

    def describe(self, error: BaseException) -> str:
        """
        Say what *error*, one of `exceptions`, is, and take from it what may hold a secret.

        That is its request, the local variables of the frames that it came through, and the text of
        a LocalProtocolError, which quotes the header that is malformed.
        """
        chain, seen = [error], set()
        while chain:
            each = chain.pop()
            if each in seen:
                continue
            seen.add(each)
            each.__traceback__ = None
            if isinstance(each, self.module.HTTPError):
                vars(each).update(dict.fromkeys(vars(each)))
            if type(each).__name__ == "LocalProtocolError":
                each.args = ()
            behind = (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))
            chain += [one for one in behind if isinstance(one, BaseException)]
        text = str(error)
        return f"{type(error).__name__}: {text}" if text else type(error).__name__

    def stream_of(self, chunks: Any) -> Any:
        """
        Make a body of *chunks*.

        What the libraries make of an iterator is a generator, which trio complains of when a failed
        request leaves it half-way. A stream must be of their own class.
        """
        base = self.module.AsyncByteStream
        return type("UploadStream", (base,), {"__aiter__": lambda _self: chunks})()

    def transport_over(self, pool: Any) -> httpx.AsyncHTTPTransport:
        """Make a transport of the library's own class that sends through *pool*."""
        transport: httpx.AsyncHTTPTransport = object.__new__(self.module.AsyncHTTPTransport)
        # Not through its constructor, which makes a pool of its own and reads the trust store.
        transport._pool = pool  # noqa: SLF001 - see above
        return transport

    async def tls_context(self) -> ssl.SSLContext:
        """
        The TLS context of this process for this library, with its idea of whom to trust.

        The first call loads the library and reads the whole trust store, off the event loop. It
        honours SSL_CERT_FILE and SSL_CERT_DIR as the library does.

        Raises:
            ConfigurationError: The trust store cannot be read.
        """
        known = TLS_CONTEXTS.get(self.name)
        if known is not None and self.loaded:
            return known
        return await in_thread(self._make_tls_context)

    def _make_tls_context(self) -> ssl.SSLContext:
        self.load()
        if self.name not in TLS_CONTEXTS:
            try:
                TLS_CONTEXTS[self.name] = self.module.create_ssl_context()
            except OSError as error:
                raise ConfigurationError(
                    "SSL_CERT_FILE", f"the trust store cannot be read: {error}"
                ) from error
        return TLS_CONTEXTS[self.name]


def _plain_headers(library: Any) -> dict[str, str]:
    agent = f"python-{library.__name__}/{library.__version__}"
    return {"accept": "*/*", "connection": "keep-alive", "user-agent": agent}


def _exceptions(library: Any, core: Any) -> Iterator[type[Exception]]:
    yield library.HTTPError
    # A redirect to nowhere: the library reads `Location` even if it is not to follow it.
    yield library.InvalidURL
    for name in (
        "TimeoutException",
        "NetworkError",
        "ProtocolError",
        "ProxyError",
        "UnsupportedProtocol",
    ):
        yield getattr(core, name)
    # What the layers below let through, seen in the code of httpcore 1.0.9 and httpcore2 2.16.2:
    # TLS alerts in the middle of an exchange (ssl.SSLError is an OSError) and streams that end
    # while something is written.
    yield OSError
    yield anyio.EndOfStream
    yield anyio.BrokenResourceError
    yield anyio.ClosedResourceError
    # An injected client whose idle connections belong to an event loop that is gone. It happens
    # before anything is sent, but a RuntimeError does not say so.
    yield RuntimeError


def engine_of(given: object, *, argument: str, base: str) -> Engine:
    """
    Find the engine that an object of the user's belongs to, by its class and without any import.

    Args:
        given: An HTTP client or a transport.
        argument: Its name in the constructor of our client, for the error.
        base: The class that it must descend from: "AsyncClient" or "AsyncBaseTransport".

    Returns:
        The engine, loaded.
    """
    library = _library_of(given, base)
    if library is not None:
        engine = Engine(library)
        engine.load()
        return engine
    kind = f"{type(given).__module__}.{type(given).__qualname__}"
    raise ConfigurationError(argument, f"must be an {base} of httpx or httpx2, not a {kind}")


def replaces_network(transport: object | None) -> bool:
    """Whether *transport* answers by itself, or by means that only it knows."""
    return transport is not None and _library_of(transport, "AsyncHTTPTransport") is None


def _library_of(given: object, base: str) -> str | None:
    """Return the library whose class *base* is a base of *given*. None: *given* has neither."""
    for each in type(given).__mro__:
        library = each.__module__.partition(".")[0]
        if library in _CORE and each.__name__ == base:
            return library
    return None


TLS_CONTEXTS: Final[dict[str, ssl.SSLContext]] = {}
"""The TLS context of this process, by library."""
