"""Notifications."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]

PATH = "/conversations/chat/notifications"


async def say(send: Send, sender: str) -> None:
    message = {"type": "UserMessage", "sender": sender, "text": "hi"}
    await send("POST", "/conversations/chat/messages", [message])


def notified(emulator: Emulator) -> list[str | None]:
    return [commit.user_id for commit in emulator.commits.of("notification.triggered")]


async def test_every_user_with_unanswered_messages_is_notified(
    emulator: Emulator, send: Send
) -> None:
    await say(send, "bob")
    await say(send, "alice")

    assert (await send("POST", PATH, {"channels": ["email"]})).json() == {}

    assert notified(emulator) == ["bob"]


async def test_each_call_notifies_again(emulator: Emulator, send: Send) -> None:
    await say(send, "alice")

    for _ in range(2):
        await send("POST", PATH, {"channels": ["email", "sms"]})

    assert notified(emulator) == ["bob", "bob"]


async def test_no_user_is_notified_of_nothing(emulator: Emulator, send: Send) -> None:
    await send("POST", PATH, {"channels": ["sms"]})

    assert notified(emulator) == []


async def test_recipients_can_be_chosen(emulator: Emulator, send: Send) -> None:
    await say(send, "alice")

    await send("POST", PATH, {"channels": ["email"], "recipients": ["alice"]})

    assert notified(emulator) == ["alice"]
    unknown = {"channels": ["email"], "recipients": ["carol"]}
    assert (await send("POST", PATH, unknown)).status_code == 400


async def test_it_goes_out_once_per_channel_that_has_an_address(
    emulator: Emulator, send: Send
) -> None:
    await send("PUT", "/users/bob", {"email": ["bob@example.com"]})
    await say(send, "alice")
    emulator.webhooks.to("http://nowhere", events=["notification.triggered", "notification.sent"])

    await send("POST", PATH, {"channels": ["email", "sms"]})

    triggered, sent = emulator.webhooks.pending
    assert (triggered["type"], sent["type"]) == ("notification.triggered", "notification.sent")
    assert triggered["data"]["recipient"]["id"] == "bob"
    assert triggered["data"]["sender"]["id"] == "alice"
    assert [one["text"] for one in triggered["data"]["messages"]] == ["hi"]
    assert sent["data"]["channel"] == "email"
    assert sent["data"]["notificationId"] == triggered["data"]["notificationId"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"channels": []},
        {"channels": ["pigeon"]},
        {"channels": "email"},
        {"channels": ["email"], "recipients": "bob"},
        {"channels": ["email"], "emailSettings": "bold"},
    ],
)
async def test_a_wrong_body_is_refused(emulator: Emulator, send: Send, body: object) -> None:
    assert (await send("POST", PATH, body)).status_code == 400
    assert notified(emulator) == []


async def test_settings_are_accepted(send: Send) -> None:
    body = {
        "channels": ["email", "sms"],
        "emailSettings": {"subject": "{{sender.name}}"},
        "smsSettings": {"smsTemplate": "{{messages}}"},
    }

    assert (await send("POST", PATH, body)).status_code == 200
    assert (await send("POST", "/conversations/none/notifications", body)).status_code == 404
