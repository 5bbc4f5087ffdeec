"""A client of the user's keeps what is its own; redirects, credential and errors are ours."""

from __future__ import annotations

import ssl
from importlib import import_module
from typing import Any

import pytest

from talkjs_async import (
    AsyncTalkJS,
    ConfigurationError,
    NotFound,
    OutcomeUnknown,
    RetryPolicy,
)
from tests.hostile.raw_server import Exchange, RawServer, always, answer, right
from tests.http.conftest import SECRET, Client, Serve

pytestmark = pytest.mark.anyio


class TestClientsOfTheUsers:
    async def test_redirects_are_not_followed(
        self, serve: Serve, client: Client, engine: str
    ) -> None:
        library: Any = import_module(engine)
        elsewhere = serve(right)
        moved = answer(status="302 Found", headers=(f"location: {elsewhere.url}/",))
        server = serve(always(moved))

        async with library.AsyncClient(follow_redirects=True) as mine:
            with pytest.raises(Exception, match="302"):
                await client(server, http_client=mine).users.upsert("alice", name="Alice")

        assert ([], 1) == (elsewhere.seen, len(server.seen))

    async def test_the_credential_is_ours_and_other_headers_are_kept(
        self, serve: Serve, client: Client, engine: str
    ) -> None:
        library: Any = import_module(engine)
        heads: list[str] = []

        async def script(exchange: Exchange) -> None:
            heads.append(f"{exchange.target}\r\n{exchange.head.decode().lower()}")
            await right(exchange)

        headers = {
            "Authorization": "Basic stolen",
            "Host": "elsewhere",
            "Content-Type": "text/plain",
            "Accept-Encoding": "br",
            "X-Trace": "t1",
            "User-Agent": "mine/1",
        }
        async with library.AsyncClient(
            auth=("u", "p"), headers=headers, params={"tag": "x"}
        ) as mine:
            await client(serve(script), http_client=mine).users.upsert("alice", name="Alice")

        (head,) = heads
        assert "authorization: bearer " in head
        assert "basic" not in head
        assert "host: localhost" in head
        assert "content-type: application/json" in head
        assert "accept-encoding: gzip\r\n" in head
        assert "x-trace: t1\r\n" in head
        assert "user-agent: mine/1\r\n" in head
        assert "/alice?tag=x" in head

    async def test_a_hook_that_raises_for_the_status_leaves_the_status_to_us(
        self, serve: Serve, client: Client, engine: str
    ) -> None:
        library: Any = import_module(engine)

        async def raise_for_status(response: Any) -> None:
            response.raise_for_status()

        server = serve(always(answer(status="404 None")))
        async with library.AsyncClient(event_hooks={"response": [raise_for_status]}) as mine:
            with pytest.raises(NotFound):
                await client(server, http_client=mine).users.get("alice")

    async def test_a_hook_that_fails_is_our_error(
        self, serve: Serve, client: Client, engine: str
    ) -> None:
        library: Any = import_module(engine)

        async def fail(_response: Any) -> None:
            raise ValueError("mine")

        async with library.AsyncClient(event_hooks={"response": [fail]}) as mine:
            talkjs = client(serve(right), http_client=mine, retry=RetryPolicy(attempts=1))
            with pytest.raises(OutcomeUnknown, match="ValueError in a hook"):
                await talkjs.users.get("alice")

    async def test_a_request_of_a_hook_that_fails_says_nothing_about_ours(
        self, serve: Serve, client: Client, engine: str
    ) -> None:
        library: Any = import_module(engine)
        with RawServer(right) as nowhere:
            pass

        async def tell(_response: Any) -> None:
            async with library.AsyncClient() as other:
                await other.get(nowhere.url)

        server = serve(right)
        async with library.AsyncClient(event_hooks={"response": [tell]}) as mine:
            with pytest.raises(OutcomeUnknown, match="ConnectError in a hook"):
                await client(server, http_client=mine).request("POST", "/anything", json={})

        assert 1 == len(server.seen)

    async def test_a_status_that_a_hook_raises_for_another_request_is_not_ours(
        self, serve: Serve, client: Client, engine: str
    ) -> None:
        library: Any = import_module(engine)
        refusing = serve(always(answer(status="404 None")))

        async def tell(_response: Any) -> None:
            async with library.AsyncClient() as other:
                (await other.get(refusing.url)).raise_for_status()

        async with library.AsyncClient(event_hooks={"response": [tell]}) as mine:
            talkjs = client(serve(right), http_client=mine, retry=RetryPolicy(attempts=1))
            with pytest.raises(OutcomeUnknown, match="HTTPStatusError in a hook"):
                await talkjs.users.get("alice")

    @pytest.mark.parametrize("way", ["aclose", "aiter_raw", "aread"])
    async def test_what_a_hook_has_taken_of_an_answer_is_not_read_as_an_empty_one(
        self, serve: Serve, client: Client, engine: str, way: str
    ) -> None:
        library: Any = import_module(engine)

        async def take(response: Any) -> None:
            if way == "aiter_raw":
                async for _ in response.aiter_raw():
                    pass
            else:
                await getattr(response, way)()

        async with library.AsyncClient(event_hooks={"response": [take]}) as mine:
            talkjs = client(serve(right), http_client=mine, retry=RetryPolicy(attempts=1))
            if way == "aread":
                assert "alice" == (await talkjs.users.get("alice")).name
            else:
                with pytest.raises(OutcomeUnknown, match="a hook has closed it"):
                    await talkjs.users.get("alice")

    async def test_its_parameters_never_replace_ours(
        self, serve: Serve, client: Client, engine: str
    ) -> None:
        library: Any = import_module(engine)
        server = serve(always(answer(b'{"data":[]}')))

        async with library.AsyncClient(params={"limit": "7", "tag": "x"}) as mine:
            await client(server, http_client=mine).users.list().first()

        (target,) = server.targets
        assert {"limit=1", "tag=x"} == set(target.partition("?")[2].split("&"))

    @pytest.mark.parametrize("argument", ["ssl_context", "proxy"])
    def test_what_belongs_to_our_connections_is_refused_with_theirs(
        self, engine: str, argument: str
    ) -> None:
        library: Any = import_module(engine)
        values: dict[str, Any] = {
            "ssl_context": ssl.create_default_context(),
            "proxy": "http://proxy:8080",
        }

        transport = library.MockTransport(lambda _: None)

        with pytest.raises(ConfigurationError, match=f"{argument}: belongs to the .transport."):
            AsyncTalkJS("app", SECRET, transport=transport, **{argument: values[argument]})
