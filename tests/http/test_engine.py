"""Every way in which a library says that a call failed becomes the right one of our errors."""

from __future__ import annotations

import ssl
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async._http import engine as engine_module
from talkjs_async._http.answer import Unreadable
from talkjs_async._http.connections import Connections
from talkjs_async._http.engine import Engine, engine_of
from talkjs_async._http.watch import Terms
from talkjs_async.errors import (
    ConfigurationError,
    ConnectFailed,
    OutcomeUnknown,
    TransportError,
)
from tests.hostile.raw_server import RawServer, right
from tests.http.conftest import Connect
from tests.http.server import Server

LIBRARIES = ("httpx", "httpx2")

RUBBISH = {
    "/bad-gzip": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd",
    "/cut-body": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
    "/cut-chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}",
    "/no-http": b"\x16\x03\x01 hello",
}
"""Answers of a server, or of something on the way, that are no answers."""

REDIRECTS = [b"http://[::1", b"http://h:p", b"http://\xff\xfe/", b"//", b"///x:y", b"http://.:a@"]
"""Places to be redirected to that do not exist."""


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def engine(library: str) -> Engine:
    loaded = Engine(library)
    loaded.load()
    return loaded


@pytest.fixture
def no_trust_store() -> Iterator[None]:
    """A process that has not spoken TLS yet."""
    kept = dict(engine_module.TLS_CONTEXTS)
    engine_module.TLS_CONTEXTS.clear()
    yield
    engine_module.TLS_CONTEXTS.update(kept)


async def failure_of(
    connections: Connections, url: str, *, headers: dict[str, str] | None = None
) -> TransportError:
    """Send what must fail, and return our error for it."""
    engine = connections.engine
    timeouts = {"connect": 2.0, "read": 0.2, "write": 2.0, "pool": 2.0}
    extensions = {"timeout": timeouts, "terms": Terms()}
    try:
        async with connections.borrow() as client:
            request = engine.Request("GET", url, headers=headers, extensions=extensions)
            exchange = connections.exchange(client, request)
            answer = await exchange.answer()
            await exchange.body(answer)
    except engine.exceptions as error:
        return engine.translate(
            error, method="GET", path="/it", url=engine.URL("http://it"), seconds=1.0
        )
    except Unreadable as error:
        return OutcomeUnknown(str(error), method="GET", path="/it")
    pytest.fail(f"{url} answered {answer.status_code}")


class TestOutcome:
    @pytest.mark.parametrize(
        "name",
        ["ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"],
    )
    def test_a_request_without_a_connection_never_left(self, engine: Engine, name: str) -> None:
        errors = [getattr(engine.module, name)("no"), getattr(engine.core, name)("no")]

        assert ["never_left", "never_left"] == [engine.outcome(error) for error in errors]

    @pytest.mark.parametrize(
        "name",
        [
            *("ReadError", "WriteError", "ReadTimeout", "WriteTimeout"),
            *("RemoteProtocolError", "LocalProtocolError"),
        ],
    )
    def test_a_broken_exchange_has_an_unknown_outcome(self, engine: Engine, name: str) -> None:
        errors = [getattr(engine.module, name)("no"), getattr(engine.core, name)("no")]

        assert ["unknown", "unknown"] == [engine.outcome(error) for error in errors]

    @pytest.mark.parametrize(
        "name", ["CloseError", "DecodingError", "TooManyRedirects", "InvalidURL"]
    )
    def test_an_answer_that_cannot_be_used_has_an_unknown_outcome(
        self, engine: Engine, name: str
    ) -> None:
        error = getattr(engine.module, name)("no")

        assert isinstance(error, engine.exceptions)
        assert "unknown" == engine.outcome(error)

    @pytest.mark.parametrize(
        "error",
        [
            ssl.SSLError(1, "[SSL: SSLV3_ALERT_BAD_RECORD_MAC]"),
            ConnectionResetError(104, "reset"),
            TimeoutError(),
            anyio.EndOfStream(),
            anyio.BrokenResourceError(),
            anyio.ClosedResourceError(),
            RuntimeError("Event loop is closed"),
        ],
        ids=repr,
    )
    def test_what_leaks_from_the_layers_below_is_caught_as_unknown(
        self, engine: Engine, error: Exception
    ) -> None:
        assert isinstance(error, engine.exceptions)
        assert "unknown" == engine.outcome(error)

    def test_every_error_class_of_the_library_is_caught(self, engine: Engine) -> None:
        classes = [
            each
            for module in (engine.module, engine.core)
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Exception)
        ]
        # What these two say is about the caller's code (`response.cookies["a"]`) or about the
        # connection's own book-keeping; neither can come out of `send`.
        not_from_send = {"CookieConflict", "ConnectionNotAvailable"}

        uncaught = [
            each.__name__
            for each in classes
            if not issubclass(each, (*engine.exceptions, Warning))
            and each.__name__ not in not_from_send
        ]

        assert [] == uncaught


class TestTranslate:
    def test_it_keeps_the_request_and_says_what_the_library_said(self, engine: Engine) -> None:
        error = engine.module.ReadTimeout("too slow")

        ours = engine.translate(
            error, method="PUT", path="/users/a", url=engine.URL("http://a:8"), seconds=2.5
        )

        assert isinstance(ours, OutcomeUnknown)
        assert ("PUT", "/users/a") == (ours.method, ours.path)
        assert "of a:8 in 2.5 s" in str(ours)
        assert "(ReadTimeout: too slow)" in str(ours)

    def test_a_connection_that_failed_is_told_apart(self, engine: Engine) -> None:
        error = engine.core.ConnectError()

        ours = engine.translate(
            error, method="PUT", path="/users/a", url=engine.URL("http://a:8"), seconds=2.5
        )

        assert isinstance(ours, ConnectFailed)
        assert "(ConnectError)" in str(ours)


@pytest.mark.anyio
class TestWire:
    async def test_nobody_listening_is_a_failed_connection(
        self, connect: Connect, library: str
    ) -> None:
        with Server() as server:
            nobody = server.url

        failure = await failure_of(connect(library), f"{nobody}/ok")

        assert isinstance(failure, ConnectFailed)

    async def test_a_server_without_tls_is_a_failed_connection(
        self, connect: Connect, library: str
    ) -> None:
        connections = connect(library, tls=True)

        async def speak_http(reader: StreamReader, writer: StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Speak HTTP\r\n\r\n")
            await writer.drain()

        with RawServer(right, converse=speak_http) as server:
            failure = await failure_of(connections, server.url.replace("http", "https") + "/ok")

        assert isinstance(failure, ConnectFailed)

    async def test_a_name_that_cannot_be_one_is_a_failed_connection(
        self, connect: Connect, library: str
    ) -> None:
        connections = connect(library)

        failure = await failure_of(connections, f"http://{'a' * 64}.test/")

        assert isinstance(failure, ConnectFailed)

    @pytest.mark.parametrize("path", ["/drop", "/silence", *RUBBISH])
    async def test_no_usable_answer_is_an_unknown_outcome(
        self, connect: Connect, library: str, path: str
    ) -> None:
        with Server(answers=RUBBISH) as server:
            failure = await failure_of(connect(library), server.url + path)

        assert isinstance(failure, OutcomeUnknown)
        assert "GET /it: " in str(failure)

    @pytest.mark.parametrize("place", REDIRECTS, ids=repr)
    async def test_a_redirect_to_nowhere_is_an_answer(
        self, connect: Connect, library: str, place: bytes
    ) -> None:
        answer = b"HTTP/1.1 302 Found\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n" % place
        connections = connect(library)
        with Server(answers={"/moved": answer}) as server:
            async with connections.borrow() as client:
                request = connections.engine.Request("GET", f"{server.url}/moved")
                status = (await client.send(request)).status_code

        assert 302 == status

    async def test_a_malformed_header_is_not_quoted(self, connect: Connect, library: str) -> None:
        connections = connect(library)
        with Server() as server:
            failure = await failure_of(
                connections, server.url, headers={"authorization": "Bearer sk_live\n_secret"}
            )

            assert [] == server.seen
        assert "secret" not in str(failure)
        assert "LocalProtocolError" in str(failure)


class TestChoice:
    def test_an_unknown_engine_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="engine: must be 'httpx' or 'httpx2'"):
            Engine("urllib")

    def test_a_missing_engine_is_refused_with_the_way_to_install_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # This is how the import system writes "not there".
        monkeypatch.setitem(sys.modules, "httpx2", None)

        with pytest.raises(ConfigurationError, match=r"pip install 'talkjs-async\[httpx2\]'"):
            Engine("httpx2")

    def test_choosing_an_engine_loads_nothing(self, library: str) -> None:
        engine = Engine(library)

        assert not engine.loaded
        assert f"Engine({library!r})" == repr(engine)

    def test_a_client_of_a_subclass_brings_its_library(self, library: str) -> None:
        base: Any = import_module(library).AsyncClient
        mine = type("Mine", (base,), {})()

        assert library == engine_of(mine, argument="http_client", base="AsyncClient").name

    def test_a_blocking_client_is_refused(self) -> None:
        with (
            httpx.Client() as blocking,
            pytest.raises(
                ConfigurationError, match=r"http_client: must be an AsyncClient .* httpx\.Client"
            ),
        ):
            engine_of(blocking, argument="http_client", base="AsyncClient")


@pytest.mark.anyio
@pytest.mark.usefixtures("no_trust_store")
class TestTrust:
    async def test_calls_at_the_same_time_share_one_tls_context(self, library: str) -> None:
        contexts: list[ssl.SSLContext] = []

        async def ask() -> None:
            contexts.append(await Engine(library).tls_context())

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)

        assert 5 == len(contexts)
        assert 1 == len(set(contexts))
        assert contexts[0] is await Engine(library).tls_context()
        assert ssl.CERT_REQUIRED == contexts[0].verify_mode

    async def test_an_unreadable_trust_store_is_a_mistake_in_the_settings(
        self, connect: Connect, library: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
        connections = connect(library, tls=True)

        with pytest.raises(ConfigurationError, match="SSL_CERT_FILE: "):
            async with connections.borrow():
                pass

    async def test_http_without_tls_reads_no_trust_store(
        self, connect: Connect, library: str
    ) -> None:
        connections = connect(library)
        with Server() as server:
            async with connections.borrow() as client:
                await client.send(connections.engine.Request("GET", f"{server.url}/ok"))

        assert {} == engine_module.TLS_CONTEXTS
