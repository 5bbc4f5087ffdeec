"""Webhooks: which, signed how, delivered how often."""

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

import anyio
import anyio.to_thread
import httpx
import pytest

from talkjs_async.emulator import EVENT_TYPES, Emulator, RealClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]

MESSAGES = "/conversations/chat/messages"


class Inbox:
    """An ASGI application that writes down what it gets."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.received.append((headers, body))
        self.paths.append(scope["path"])
        status = self.statuses.pop(0) if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


def say(text: str = "hi") -> list[dict[str, str]]:
    return [{"type": "UserMessage", "sender": "alice", "text": text}]


async def test_a_message_is_told_of(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, path="/talkjs", events=["message.sent"])

    await send("POST", MESSAGES, say())
    (delivery,) = await emulator.webhooks.settle()

    (event,) = inbox.events
    assert event["id"].startswith("evt_")
    assert (event["type"], event["createdAt"]) == ("message.sent", 1767225600000)
    assert event["data"]["sender"]["name"] == "Alice"
    assert event["data"]["conversation"]["id"] == "chat"
    assert event["data"]["message"]["text"] == "hi"
    assert inbox.paths == ["/talkjs"]
    assert (delivery.status, delivery.attempt, delivery.target) == (200, 1, "asgi:/talkjs")
    assert emulator.webhooks.pending == ()


async def test_the_signature_is_that_of_the_raw_body(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox)

    await send("POST", MESSAGES, say("naïve 😀"))
    await emulator.webhooks.settle()

    for headers, body in inbox.received:
        timestamp = headers["x-talkjs-timestamp"]
        expected = hmac.new(
            emulator.secret_key.encode(), timestamp.encode() + b"." + body, hashlib.sha256
        )
        assert headers["x-talkjs-signature"] == expected.hexdigest().upper()
        assert timestamp == "1767225600000"
        assert headers["content-type"] == "application/json"


async def test_the_unit_of_the_timestamp_is_a_setting(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, events=["message.sent"])
    emulator.switches.webhook_timestamp = "seconds"

    await send("POST", MESSAGES, say())
    await emulator.webhooks.settle()

    assert inbox.received[0][0]["x-talkjs-timestamp"] == "1767225600"


async def test_every_cause_has_its_event(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox)
    await send("PUT", "/users/bob", {"email": ["bob@example.com"], "phone": ["+31"]})
    await send("PUT", "/users/carol", {"name": "Carol"})
    (sent,) = (await send("POST", MESSAGES, say())).json()
    emulator.simulate_user("bob").read("chat")
    await send("PUT", f"{MESSAGES}/{sent['id']}", {"text": "changed"})
    await send("DELETE", f"{MESSAGES}/{sent['id']}")
    await send("DELETE", "/conversations/chat")
    for outside in ("delivered", "bounced", "opened", "link.clicked"):
        emulator.webhooks.trigger(f"notification.{outside}", {"notificationId": "ntf_1"})

    await emulator.webhooks.settle()

    assert set(inbox.types) == set(EVENT_TYPES)
    assert [
        "user.updated",
        "user.created",
        "message.sent",
        "notification.triggered",
        "notification.sent",
        "notification.sent",
        "message.read",
        "message.updated",
        "message.deleted",
        "conversation.deleted",
    ] == inbox.types[:10]


async def test_an_event_shows_the_moment_it_happened(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, events=["user.updated"])
    for name in ("One", "Two"):
        await send("PUT", "/users/alice", {"name": name, "custom": {name: "1"}})
        await emulator.clock.sleep(1)

    await emulator.webhooks.settle()

    one, two = (event["data"]["user"] for event in inbox.events)
    assert (one["name"], one["custom"]) == ("One", {"One": "1"})
    assert (two["name"], two["custom"]) == ("Two", {"One": "1", "Two": "1"})


async def test_a_system_message_has_no_sender_and_notifies_nobody(
    emulator: Emulator, send: Send
) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox)

    await send("POST", MESSAGES, [{"type": "SystemMessage", "text": "hi"}])
    await emulator.webhooks.settle()

    (event,) = inbox.events
    assert (event["type"], event["data"]["sender"]) == ("message.sent", None)


async def notified(emulator: Emulator, send: Send, *messages: dict[str, Any]) -> list[str]:
    inbox = Inbox()
    receiver = emulator.webhooks.to(inbox, events=["notification.triggered"])
    await send("POST", MESSAGES, list(messages) or say())
    await emulator.webhooks.settle()
    emulator.webhooks.remove(receiver)
    return [event["data"]["recipient"]["id"] for event in inbox.events]


async def test_who_is_looking_or_does_not_want_to_know_is_not_notified(
    emulator: Emulator, send: Send
) -> None:
    bob = "/conversations/chat/participants/bob"
    assert await notified(emulator, send) == ["bob"]

    emulator.simulate_user("bob").come_online(conversation="chat")
    assert await notified(emulator, send) == []
    emulator.simulate_user("bob").go_offline()
    await send("PATCH", bob, {"notify": False})
    assert await notified(emulator, send) == []
    await send("PATCH", bob, {"notify": True, "access": "None"})
    assert await notified(emulator, send) == []


async def test_mentions_only_means_mentions_only(emulator: Emulator, send: Send) -> None:
    await send("PATCH", "/conversations/chat/participants/bob", {"notify": "MentionsOnly"})
    mention = {"type": "mention", "id": "bob", "text": "Bob"}
    tree = ["hey ", {"type": "bold", "children": [mention]}]
    block = {"type": "text", "children": tree}

    assert await notified(emulator, send) == []
    assert await notified(
        emulator, send, {"type": "UserMessage", "sender": "alice", "content": [block]}
    ) == ["bob"]


async def test_anything_but_200_is_tried_once_more(emulator: Emulator, send: Send) -> None:
    inbox = Inbox(500, 204)
    emulator.webhooks.to(inbox, events=["message.sent"])
    await send("POST", MESSAGES, say())
    began = emulator.clock.monotonic()

    deliveries = await emulator.webhooks.settle()

    assert [(1, 500), (2, 204)] == [(one.attempt, one.status) for one in deliveries]
    assert inbox.events[0] == inbox.events[1]
    assert emulator.clock.monotonic() - began == emulator.webhooks.retry_delay
    assert list(emulator.webhooks.deliveries) == deliveries


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


async def test_events_that_an_event_causes_are_delivered_too(
    emulator: Emulator, send: Send
) -> None:
    async def bot(scope: Any, receive: Any, respond: Any) -> None:
        event = json.loads((await receive())["body"])
        if event["data"]["message"]["senderId"] == "alice":
            reply = [{"type": "UserMessage", "sender": "bob", "text": "yes?"}]
            await send("POST", MESSAGES, reply)
        await respond({"type": "http.response.start", "status": 200, "headers": []})
        await respond({"type": "http.response.body"})

    emulator.webhooks.to(bot, events=["message.sent"])
    await send("POST", MESSAGES, say())

    assert len(await emulator.webhooks.settle()) == 2


async def test_what_waits_can_be_duplicated_and_reordered(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, events=["message.sent"])
    for number in range(10):
        await send("POST", MESSAGES, say(str(number)))

    emulator.webhooks.duplicate()
    emulator.webhooks.reorder()
    await emulator.webhooks.settle()

    texts = [event["data"]["message"]["text"] for event in inbox.events]
    assert sorted(texts) == sorted([*"0123456789"] * 2) != texts
    assert len({event["id"] for event in inbox.events}) == 10


@pytest.mark.parametrize("what", ["body", "signature", "timestamp"])
async def test_what_waits_can_be_tampered_with(emulator: Emulator, send: Send, what: Any) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, events=["message.sent"])
    await send("POST", MESSAGES, say())

    emulator.webhooks.tamper(what)
    await emulator.webhooks.settle()

    ((headers, body),) = inbox.received
    assert headers["x-talkjs-signature"] != emulator.webhooks.signature(
        headers["x-talkjs-timestamp"], body
    )


async def test_an_event_nobody_wants_is_not_even_made(emulator: Emulator, send: Send) -> None:
    def explode() -> dict[str, Any]:
        raise AssertionError

    emulator.webhooks.to(Inbox(), events=["user.created"])
    emulator.webhooks.emit("message.sent", explode)

    assert emulator.webhooks.pending == ()
    assert len(emulator.webhooks.receivers) == 1


async def test_an_unknown_event_cannot_be_wished_for(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=r"message\.exploded"):
        emulator.webhooks.to("http://nowhere", events=["message.exploded"])


async def test_a_reset_forgets_events_but_not_where_they_go(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, events=["user.created"])
    await send("PUT", "/users/carol", {"name": "Carol"})

    emulator.reset()
    await send("PUT", "/users/dave", {"name": "Dave"})
    await emulator.webhooks.settle()

    assert ["dave"] == [event["data"]["user"]["id"] for event in inbox.events]


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


async def test_a_url_where_nobody_is_gets_its_retry_and_no_more(
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


async def test_settling_may_be_asked_for_by_many(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, events=["message.sent"])
    for number in range(5):
        await send("POST", MESSAGES, say(str(number)))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(emulator.webhooks.settle)

    assert len(inbox.events) == 5
