"""One client, one connection: directly or through the environment's proxies."""

from __future__ import annotations

import pytest

from talkjs_async._http.connections import Connections
from talkjs_async.errors import ConfigurationError, ConnectFailed, TransportError
from tests.hostile.raw_server import RawServer, right
from tests.http.conftest import Connect
from tests.http.server import Server

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def end_of(connections: Connections, url: str) -> int | TransportError:
    """Send one GET; return the status, or our error."""
    engine = connections.engine
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), 60.0)
    try:
        async with connections.borrow() as client:
            request = engine.Request("GET", url, extensions={"timeout": timeouts})
            return (await client.send(request)).status_code
    except engine.exceptions as error:
        return engine.translate(
            error, method="GET", path="/", url=engine.URL("http://it"), seconds=1.0
        )


class TestDirect:
    async def test_a_body_is_sent_and_an_answer_is_read_whole(
        self, connect: Connect, library: str, server: Server
    ) -> None:
        connections = connect(library)
        content = b"x" * 300_000

        async with connections.borrow() as client:
            request = connections.engine.Request("POST", f"{server.url}/echo", content=content)
            answer = await client.send(request)

        assert content == answer.content


class TestProxies:
    async def test_the_proxy_that_the_environment_names_is_used(
        self, connect: Connect, library: str, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        monkeypatch.delenv("NO_PROXY", raising=False)

        status = await end_of(connect(library), "http://talkjs.test/ok")

        assert 200 == status
        assert ["http://talkjs.test/ok"] == server.targets

    async def test_hosts_that_the_environment_exempts_are_called_directly(
        self, connect: Connect, library: str, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://nobody.test:1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

        assert 200 == await end_of(connect(library), f"{server.url}/ok")

    async def test_a_proxy_that_refuses_the_tunnel_never_saw_the_request(
        self, connect: Connect, library: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refusal = b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"
        with RawServer(right, tunnel=refusal) as server:
            monkeypatch.setenv("HTTPS_PROXY", server.url)
            end = await end_of(connect(library, tls=True), "https://talkjs.test/ok")

        assert isinstance(end, ConnectFailed)
        assert "ProxyError" in str(end)

    async def test_a_proxy_of_an_unknown_kind_is_a_mistake_in_the_settings(
        self, connect: Connect, library: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "gopher://nobody.test:1")

        with pytest.raises(ConfigurationError, match="HTTPS_PROXY: "):
            await end_of(connect(library, tls=True), "https://talkjs.test/ok")
