"""A request is written to a connection only if nothing lies in it, up to the moment of writing."""

from __future__ import annotations

import threading
from asyncio import StreamReader, StreamWriter

import anyio.to_thread
import pytest

from tests.hostile.raw_server import Exchange, RawServer, answer, right, user
from tests.http.conftest import Connect, Serve

pytestmark = pytest.mark.anyio


class TestReuse:
    async def test_what_arrives_after_a_connection_was_chosen_is_no_answer(
        self, serve: Serve, connect: Connect, engine: str
    ) -> None:
        idle: list[Exchange] = []

        async def script(exchange: Exchange) -> None:
            await right(exchange)
            idle.append(exchange)

        server = serve(script)
        connections = connect(engine)

        async def arrive(step: str, _info: object) -> None:
            # httpcore is about to write. Other tasks, and the server, have their turn before.
            if step == "http11.send_request_headers.started" and len(idle) == 1:
                await server.do(idle.pop().write(answer(user("/mallory"))))

        async def get(name: str) -> str:
            async with connections.borrow() as client:
                request = connections.engine.Request(
                    "GET", f"{server.url}/{name}", extensions={"trace": arrive}
                )
                found: str = (await client.send(request)).json()["name"]
                return found

        alice = await get("alice")
        await server.until(lambda: len(idle) == 1)

        assert ["alice", "bob"] == [alice, await get("bob")]
        assert 2 == server.accepted

    async def test_a_server_that_speaks_before_it_is_asked_is_not_asked(
        self, connect: Connect, engine: str
    ) -> None:
        async def greet(reader: StreamReader, writer: StreamWriter) -> None:
            writer.write(answer(user("/mallory")))
            await writer.drain()
            greeted.set()
            await reader.read()

        greeted, connections = threading.Event(), connect(engine)
        with RawServer(right, converse=greet) as server:

            async def wait(step: str, _info: object) -> None:
                if step == "http11.send_request_headers.started":
                    await anyio.to_thread.run_sync(greeted.wait, 60)

            async with connections.borrow() as client:
                library = connections.engine
                request = library.Request("GET", server.url, extensions={"trace": wait})
                with pytest.raises(library.module.ConnectError, match="spoke before it was asked"):
                    await client.send(request)
