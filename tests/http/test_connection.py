"""One client, one connection: directly, through the environment's proxies, or over aiohttp."""

from __future__ import annotations

from importlib.util import find_spec
from random import Random

import anyio
import pytest

from talkjs_async._http.connections import Connections
from talkjs_async.errors import ConfigurationError, ConnectFailed, OutcomeUnknown, TransportError
from tests.http.conftest import Connect
from tests.http.server import Server

pytestmark = pytest.mark.anyio

aiohttp_only = pytest.mark.skipif(
    find_spec("httpx_aiohttp") is None, reason="needs the extra [aiohttp]"
)
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)


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
        return engine.translate(error, method="GET", path="/")


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
        assert ["http://talkjs.test/ok"] == server.seen

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
        with Server(answers={"talkjs.test:443": refusal}) as server:
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


@aiohttp_only
class TestOverAiohttp:
    @on_asyncio
    async def test_calls_share_a_connection(self, connect: Connect, server: Server) -> None:
        connections = connect("aiohttp")

        ends = [await end_of(connections, f"{server.url}/ok") for _ in range(5)]

        assert [200] * 5 == ends
        assert 1 == server.accepted

    @on_asyncio
    async def test_all_calls_succeed_after_200_that_were_cancelled_at_random(
        self, connect: Connect, server: Server
    ) -> None:
        chance = Random(1)
        connections = connect("aiohttp", size=10)

        async def be_impatient() -> None:
            for _ in range(10):
                with anyio.move_on_after(chance.uniform(0, 0.05)):
                    await end_of(connections, f"{server.url}/after/{chance.randrange(50)}")

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(be_impatient)
        ends = [await end_of(connections, f"{server.url}/ok") for _ in range(10)]

        assert [200] * 10 == ends
        await connections.aclose()
        await server.until(lambda: server.open == 0)

    @on_asyncio
    async def test_a_server_that_hangs_up_leaves_the_outcome_unknown(
        self, connect: Connect, server: Server
    ) -> None:
        connections = connect("aiohttp")

        async with connections.borrow() as client:
            request = connections.engine.Request("POST", f"{server.url}/drop")
            with pytest.raises(connections.engine.exceptions) as caught:
                await client.send(request)

        assert "unknown" == connections.engine.outcome(caught.value)

    @on_asyncio
    async def test_nobody_listening_is_a_failed_connection(self, connect: Connect) -> None:
        with Server() as server:
            nobody = server.url

        end = await end_of(connect("aiohttp"), nobody)

        assert isinstance(end, ConnectFailed)

    @on_asyncio
    async def test_an_answer_that_is_not_http_leaves_the_outcome_unknown(
        self, connect: Connect
    ) -> None:
        with Server(answers={"/x": b"\x16\x03\x01 hello\r\n\r\n"}) as server:
            end = await end_of(connect("aiohttp"), f"{server.url}/x")

        assert isinstance(end, OutcomeUnknown)

    @pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
    async def test_on_trio_it_is_refused(self, connect: Connect) -> None:
        with pytest.raises(ConfigurationError, match="engine: 'aiohttp' needs asyncio"):
            await end_of(connect("aiohttp"), "http://any/")
