"""Clients and receivers live in a time of their own; the emulator's may be turned all the same."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async import AsyncTalkJS, WebhookError, Webhooks
from talkjs_async.emulator import Emulator, Limits, RealClock, VirtualClock

HOUR = 3600.0
STEPS = [0.0, HOUR, 24 * HOUR]

Events = list[str]


@pytest.fixture(params=[RealClock, VirtualClock])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    """An emulator in real time, and one whose time has nothing to do with the machine's."""
    return Emulator(clock=request.param())


@pytest.fixture
def received(emulator: Emulator) -> Iterator[Events]:
    """The types of the webhooks that a receiver on the machine's clock has accepted."""
    types: Events = []
    verifier = Webhooks(emulator.secret_key, tolerance=30)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class's name
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                types.append(verifier.verify(body, self.headers.items()).type)
                self.send_response(200)
            except WebhookError:
                self.send_response(400)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        emulator.webhooks.to(f"http://127.0.0.1:{server.server_port}", events=["message.sent"])
        yield types
        server.shutdown()
        thread.join()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(15):
        while not condition():  # noqa: ASYNC110  # of another thread
            await anyio.sleep(0.005)


@pytest.mark.anyio
async def test_a_client_on_the_machines_clock_lives_through_hours_and_days(
    emulator: Emulator, received: Events
) -> None:
    ids = []

    with emulator.serve() as server:
        talkjs = AsyncTalkJS(emulator.app_id, emulator.secret_key, base_url=server.base_url)
        async with talkjs:
            await talkjs.users.upsert("alice", name="Alice")
            await talkjs.conversations.upsert("chat", participants=["alice"])
            for seconds in STEPS:
                emulator.advance(seconds)
                sent = await talkjs.messages.send(
                    "chat", sender="alice", text="hi", idempotency_key="the-same"
                )
                ids.append(sent.id)
            messages = await talkjs.messages.list("chat").collect()
            await until(lambda: len(emulator.webhooks.deliveries) == 2)

    assert ids[0] == ids[1] != ids[2]
    assert {ids[0], ids[2]} == {message.id for message in messages}
    newest, oldest = (message.created_at_ms for message in messages)
    assert newest - oldest >= 25 * HOUR * 1000
    assert [200, 200] == [delivery.status for delivery in emulator.webhooks.deliveries]
    assert ["message.sent", "message.sent"] == received


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_node_client_and_a_node_receiver_live_through_hours_and_days(emulator: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    emulator.webhooks.to(f"http://127.0.0.1:{port}/", events=["message.sent"])
    program = Path(__file__).with_name("later.mjs")

    with emulator.serve() as server:
        done = subprocess.run(
            ["node", program, server.base_url, emulator.app_id, emulator.secret_key, str(port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert 0 == done.returncode, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [[200, 200]] * 3 == [step["statuses"] for step in steps]
    assert [1, 1, 2] == [step["messages"] for step in steps]
    assert all(step["dateIsClose"] for step in steps)
    assert [True, True] == steps[-1]["webhooks"]


@pytest.mark.anyio
async def test_a_client_in_process_may_keep_to_the_machines_clock() -> None:
    emulator = Emulator(clock=RealClock())
    emulator.advance(25 * HOUR)

    async with AsyncTalkJS(
        emulator.app_id, emulator.secret_key, transport=emulator.transport
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")

    assert [200] == [entry.status for entry in emulator.requests]


def test_a_date_to_come_back_at_is_one_of_the_senders_clock(emulator: Emulator) -> None:
    emulator.limits = Limits(burst=0, rate=0.1, retry_after="date")
    emulator.advance(25 * HOUR)

    with emulator.serve() as server:
        before = int(time.time())
        answer = httpx.get(f"{server.base_url}/v1/emulator/users")
        after = time.time()

    assert 429 == answer.status_code
    sent, come_back = (
        parsedate_to_datetime(answer.headers[name]).timestamp() for name in ("date", "retry-after")
    )
    assert before <= sent <= after
    assert before + 10 <= come_back <= after + 11


@pytest.mark.anyio
async def test_a_receiver_may_have_any_clock(emulator: Emulator, received: Events) -> None:
    (receiver,) = emulator.webhooks.receivers
    emulator.webhooks.remove(receiver)
    emulator.webhooks.to(str(receiver.target), clock=VirtualClock())

    emulator.webhooks.trigger("message.sent", {})
    await emulator.webhooks.settle()

    assert [400, 400] == [delivery.status for delivery in emulator.webhooks.deliveries]
    assert [] == received


@pytest.mark.parametrize("kind", [RealClock, VirtualClock])
def test_a_reset_may_set_the_time_back(kind: type[RealClock | VirtualClock]) -> None:
    clock = kind()
    emulator = Emulator(clock=clock)
    began, monotonic = clock.time(), clock.monotonic()
    emulator.advance(25 * HOUR)

    emulator.reset()
    assert clock.time() - began >= 25 * HOUR

    emulator.reset(clock=True)
    assert 0 <= clock.time() - began < HOUR
    assert clock.monotonic() - monotonic >= 25 * HOUR
