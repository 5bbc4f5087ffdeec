"""Webhooks: which, signed how, delivered how often."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from talkjs_async.emulator import EVENT_TYPES, Emulator, WebhookSender
from tests.emulator.inbox import MESSAGES, Inbox, say

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]


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


SPOIL: list[Callable[[WebhookSender], None]] = [
    lambda webhooks: webhooks.tamper("signature"),
    lambda webhooks: webhooks.duplicate(),
    lambda webhooks: webhooks.reorder(),
]


@pytest.mark.parametrize("spoil", SPOIL, ids=["tamper", "duplicate", "reorder"])
async def test_nothing_that_waits_cannot_be_spoilt(
    emulator: Emulator, send: Send, spoil: Callable[[WebhookSender], None]
) -> None:
    with pytest.raises(ValueError, match=r"name a receiver by to\(\) first"):
        spoil(emulator.webhooks)
    emulator.webhooks.to(Inbox(), events=["message.sent"])
    with pytest.raises(ValueError, match=r"after what causes the event, and before settle\(\)"):
        spoil(emulator.webhooks)
    await send("POST", MESSAGES, say())
    spoil(emulator.webhooks)
    await emulator.webhooks.settle()
    with pytest.raises(ValueError, match=r"after what causes the event, and before settle\(\)"):
        spoil(emulator.webhooks)


async def test_only_a_part_that_there_is_can_be_tampered_with(
    emulator: Emulator, send: Send
) -> None:
    emulator.webhooks.to(Inbox(), events=["message.sent"])
    await send("POST", MESSAGES, say())
    what: Any = "sig"

    with pytest.raises(ValueError, match=r"one of body, signature, timestamp, not 'sig'"):
        emulator.webhooks.tamper(what)


@pytest.mark.parametrize("seed", range(8))
async def test_reordered_events_come_in_another_order(seed: int) -> None:
    emulator = Emulator(seed=seed)
    emulator.webhooks.to(Inbox())
    for number in "12":
        emulator.webhooks.trigger("user.created", {"number": number})

    emulator.webhooks.reorder()

    assert ["2", "1"] == [event["data"]["number"] for event in emulator.webhooks.pending]


async def test_an_event_without_a_receiver_is_not_even_made(emulator: Emulator, send: Send) -> None:
    def explode() -> dict[str, Any]:
        raise AssertionError

    emulator.webhooks.to(Inbox(), events=["user.created"])
    emulator.webhooks.emit("message.sent", explode)

    assert emulator.webhooks.pending == ()
    assert len(emulator.webhooks.receivers) == 1


async def test_an_unknown_event_cannot_be_wished_for(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=r"message\.exploded"):
        emulator.webhooks.to("http://nowhere", events=["message.exploded"])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nowhere",
        "ftp://x",
        "http://",
        "http:///x",
        "http://[::1",
        "http://x:99999",
        "http://x:0",
        "http://x y",
        "http://x\t",
    ],
)
async def test_a_receiver_is_where_something_can_listen(emulator: Emulator, url: str) -> None:
    with pytest.raises(ValueError, match="A receiver is at an http:// or https:// URL, not"):
        emulator.webhooks.to(url)

    assert () == emulator.webhooks.receivers


async def test_a_reset_forgets_events_but_not_where_they_go(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, events=["user.created"])
    await send("PUT", "/users/carol", {"name": "Carol"})

    emulator.reset()
    await send("PUT", "/users/dave", {"name": "Dave"})
    await emulator.webhooks.settle()

    assert ["dave"] == [event["data"]["user"]["id"] for event in inbox.events]


@pytest.mark.parametrize("status", [200, 500])
async def test_what_is_under_way_at_a_reset_is_forgotten_too(
    emulator: Emulator, send: Send, status: int
) -> None:
    inbox = Inbox(status)

    async def resets(scope: Any, receive: Any, respond: Any) -> None:
        emulator.reset()
        await inbox(scope, receive, respond)

    first = emulator.webhooks.to(resets, events=["message.sent"])
    await send("POST", MESSAGES, say())
    await emulator.webhooks.settle()
    emulator.webhooks.remove(first)
    emulator.webhooks.to(Inbox(), events=["user.created"])
    await send("PUT", "/users/dave", {"name": "Dave"})
    await emulator.webhooks.settle()

    assert len(inbox.events) == 1
    assert [(1, "user.created")] == [
        (delivery.number, delivery.event_type) for delivery in emulator.webhooks.deliveries
    ]


async def test_settling_may_be_asked_for_by_many(emulator: Emulator, send: Send) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, events=["message.sent"])
    for number in range(5):
        await send("POST", MESSAGES, say(str(number)))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(emulator.webhooks.settle)

    assert len(inbox.events) == 5
