"""Who is notified of a message."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator
from tests.emulator.inbox import MESSAGES, Inbox, say

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]


Send = Callable[..., Awaitable[httpx.Response]]


async def test_a_system_message_has_no_sender_and_notifies_no_user(
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


async def test_a_user_who_looks_or_wants_no_notifications_is_not_notified(
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
