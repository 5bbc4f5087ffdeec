"""How a webhook reaches its receiver, and what counts as an answer."""

import socket
import threading
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

import anyio
import anyio.to_thread
import httpx
import pytest

from talkjs_async.emulator import Emulator, RealClock
from tests.emulator.inbox import MESSAGES, say

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]


Send = Callable[..., Awaitable[httpx.Response]]


async def test_a_receiver_that_fails_is_one_that_does_not_answer(
    emulator: Emulator, send: Send
) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("oops")

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    emulator.webhooks.to(broken, events=["message.sent"])
    emulator.webhooks.to(silent, events=["message.sent"])
    await send("POST", MESSAGES, say())

    deliveries = await emulator.webhooks.settle()

    assert [None] * 4 == [one.status for one in deliveries]
    errors = [one.error or "" for one in deliveries]
    assert errors[0] == "LookupError: oops"
    assert "no answer" in errors[2]


async def test_five_seconds_are_over_on_either_clock(emulator: Emulator, send: Send) -> None:
    async def slow(scope: Any, receive: Any, respond: Any) -> None:
        await emulator.clock.sleep(5.5)
        await respond({"type": "http.response.start", "status": 200, "headers": []})
        await respond({"type": "http.response.body"})

    async def hanging(scope: Any, receive: Any, respond: Any) -> None:
        await receive()
        await receive()

    emulator.webhooks.to(slow, events=["message.sent"])
    await send("POST", MESSAGES, say())
    (first, _) = await emulator.webhooks.settle()
    emulator.webhooks.timeout = 0.01
    emulator.webhooks.to(hanging, events=["message.updated"])
    emulator.webhooks.trigger("message.updated", {})
    (second, _) = await emulator.webhooks.settle()

    assert (first.status, second.status) == (None, None)
    assert "No answer in time" in str(first.error)
    assert "No answer in time" in str(second.error)


async def test_work_after_the_answer_is_finished_and_not_timed(
    emulator: Emulator, send: Send
) -> None:
    done: list[float] = []

    async def diligent(scope: Any, receive: Any, respond: Any) -> None:
        await respond({"type": "http.response.start", "status": 200, "headers": []})
        await respond({"type": "http.response.body", "body": b"", "more_body": True})
        await respond({"type": "http.response.body"})
        await emulator.clock.sleep(60)
        done.append(emulator.clock.monotonic())

    emulator.webhooks.to(diligent, events=["message.sent"])
    await send("POST", MESSAGES, say())

    (delivery,) = await emulator.webhooks.settle()

    assert (delivery.status, done) == (200, [60])


class Listener:
    """A real HTTP server."""

    def __init__(self) -> None:
        received: list[tuple[dict[str, str], bytes]] = []
        arrived = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(200)
                self.end_headers()
                arrived.set()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.received = received
        self.arrived = arrived
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


async def test_a_url_gets_a_real_request(emulator: Emulator, send: Send) -> None:
    with Listener() as listener:
        emulator.webhooks.to(listener.url, events=["message.sent"])
        await send("POST", MESSAGES, say())

        (delivery,) = await emulator.webhooks.settle()

    ((headers, body),) = listener.received
    assert (delivery.status, delivery.target) == (200, listener.url)
    assert headers["x-talkjs-signature"] == emulator.webhooks.signature(
        headers["x-talkjs-timestamp"], body
    )


async def test_a_url_without_a_listener_gets_its_retry_and_no_more(
    emulator: Emulator, send: Send
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        emulator.webhooks.to(f"http://127.0.0.1:{bound.getsockname()[1]}", events=["message.sent"])
        await send("POST", MESSAGES, say())

        deliveries = await emulator.webhooks.settle()

    assert [None, None] == [one.status for one in deliveries]
    assert "ConnectError" in str(deliveries[0].error)


async def test_a_url_that_does_not_answer_in_time(emulator: Emulator, send: Send) -> None:
    emulator.webhooks.timeout = 0.05
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        emulator.webhooks.to(f"http://127.0.0.1:{deaf.getsockname()[1]}", events=["message.sent"])
        await send("POST", MESSAGES, say())

        deliveries = await emulator.webhooks.settle()

    assert [None, None] == [one.status for one in deliveries]


async def test_an_emulator_on_a_port_delivers_by_itself() -> None:
    emulator = Emulator(clock=RealClock())
    with Listener() as listener, emulator.serve() as server:
        emulator.webhooks.to(listener.url, events=["user.created"])
        async with httpx.AsyncClient() as client:
            await client.put(
                f"{server.base_url}/v1/emulator/users/alice",
                json={"name": "Alice"},
                headers={"authorization": f"Bearer {emulator.secret_key}"},
            )
            await anyio.to_thread.run_sync(listener.arrived.wait, 5)

    assert len(listener.received) == 1
