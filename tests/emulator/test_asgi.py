"""The application runs in any ASGI server."""

from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator
from talkjs_async.emulator.asgi import ConnectionLost

pytestmark = pytest.mark.anyio

KEY = {"authorization": "Bearer sk_test_emulator"}


def client(emulator: Emulator) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=emulator.asgi)
    return httpx.AsyncClient(transport=transport, base_url="http://test/v1/emulator", headers=KEY)


async def test_it_answers_in_a_foreign_server(emulator: Emulator) -> None:
    async with client(emulator) as http:
        await http.put("/users/a%2Fb", json={"name": "Alice"})
        answer = await http.get("/users", params={"limit": 1})

    assert answer.json()["data"][0]["id"] == "a/b"


@pytest.mark.parametrize("fault", ["drop-after-commit", "truncate-after-commit", "garbage"])
async def test_a_foreign_server_cannot_break_connections(emulator: Emulator, fault: str) -> None:
    emulator.faults.add(fault)

    async with client(emulator) as http:
        with pytest.raises(ConnectionLost, match="cannot"):
            await http.get("/users")


async def test_it_takes_part_in_the_lifespan_of_the_server(emulator: Emulator) -> None:
    sent: list[str] = []
    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, Any]:
        return {"type": next(events)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await emulator.asgi({"type": "lifespan"}, receive, send)

    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == sent


async def test_a_client_that_goes_away_while_it_sends_is_no_error(emulator: Emulator) -> None:
    events: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    messages = iter(events)
    sent: list[int] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message.get("status", 0))

    scope = {
        "type": "http",
        "method": "PUT",
        "raw_path": b"/v1/emulator/users/a",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer sk_test_emulator")],
    }
    await emulator.asgi(scope, receive, send)

    assert sent[0] == 400
