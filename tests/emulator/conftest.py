"""An emulator per test, and a way to talk to it that is not this package's client."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from talkjs_async.emulator import Emulator

Send = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def emulator() -> Emulator:
    """A new emulator on virtual time."""
    return Emulator()


@pytest.fixture
def send(emulator: Emulator) -> Send:
    """Send one request: `await send("PUT", "/users/a", {"name": "A"}, limit=10)`."""
    client = httpx.AsyncClient(
        transport=emulator.transport,
        base_url=f"http://emulator/v1/{emulator.app_id}",
        headers={"authorization": f"Bearer {emulator.secret_key}"},
    )

    async def send_one(
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        **query: str | int,
    ) -> httpx.Response:
        return await client.request(
            method,
            path,
            headers=headers,
            params=query or None,
            **({} if body is None else {"json": body}),  # type: ignore[arg-type]
        )

    return send_one


@pytest.fixture
async def chat(send: Send) -> None:
    """Two users, alice and bob, in the conversation `chat`."""
    await send("PUT", "/users", {"alice": {"name": "Alice"}, "bob": {"name": "Bob"}})
    await send("PUT", "/conversations/chat", {"participants": ["alice", "bob"]})
