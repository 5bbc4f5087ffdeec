"""Importing old messages."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]

PATH = "/import/conversations/chat/messages"
MESSAGES = "/conversations/chat/messages"


def old(text: str = "hi", timestamp: float = 1_500_000_000_000, **fields: Any) -> dict[str, Any]:
    return {
        "type": "UserMessage",
        "sender": "alice",
        "text": text,
        "timestamp": timestamp,
        "readBy": ["bob", "alice"],
        **fields,
    }


async def test_messages_keep_their_times_and_readers(send: Send) -> None:
    assert (await send("POST", PATH, [old(custom={"a": "1"})])).json() == {}

    (message,) = (await send("GET", MESSAGES)).json()["data"]
    assert (message["createdAt"], message["origin"]) == (1_500_000_000_000, "import")
    assert (message["readBy"], message["custom"]) == (["bob"], {"a": "1"})


async def test_old_messages_come_before_newer_ones(send: Send) -> None:
    new = {"type": "UserMessage", "sender": "alice", "text": "new"}
    await send("POST", MESSAGES, [new])
    await send("POST", PATH, [old("second", 2_000), old("first", 1_000), old("third", 3_000)])

    texts = [one["text"] for one in (await send("GET", MESSAGES)).json()["data"]]
    assert texts == ["new", "third", "second", "first"]
    conversation = (await send("GET", "/conversations/chat")).json()
    assert conversation["lastMessage"]["text"] == "new"


async def test_duplicates_are_kept(emulator: Emulator, send: Send) -> None:
    for _ in range(2):
        await send("POST", PATH, [old()])

    assert len(emulator.commits.of("message.imported")) == 2


async def test_no_user_and_no_webhook_is_told(emulator: Emulator, send: Send) -> None:
    emulator.webhooks.to("http://nowhere")

    await send("POST", PATH, [old()])

    assert emulator.webhooks.pending == ()


@pytest.mark.parametrize(
    "item",
    [
        {},
        {**old(), "type": "SystemMessage"},
        old(sender="carol"),
        old(timestamp=-1),
        old(timestamp=1.5),
        {name: value for name, value in old().items() if name != "timestamp"},
        {name: value for name, value in old().items() if name != "readBy"},
        old(readBy="bob"),
        old(custom={"a": 1}),
        old(attachmentToken="none"),
        "hi",
    ],
)
async def test_one_bad_message_refuses_them_all(
    emulator: Emulator, send: Send, item: object
) -> None:
    refused = await send("POST", PATH, [old(), item])

    assert refused.status_code == 400
    assert refused.json()["reasons"][0].startswith("1.")
    assert emulator.commits.of("message.imported") == []


async def test_ten_at_once_unless_the_server_is_lenient(emulator: Emulator, send: Send) -> None:
    many = [old() for _ in range(11)]
    newer = {"sender": "alice", "text": "hi", "createdAt": 5}
    assert (await send("POST", PATH, many)).status_code == 400
    assert (await send("POST", PATH, [])).status_code == 400
    assert (await send("POST", PATH, [newer])).status_code == 400

    emulator.switches.import_rules = "lenient"
    assert (await send("POST", PATH, many)).status_code == 200
    assert (await send("POST", PATH, [newer])).status_code == 200
    assert (await send("POST", PATH, [{"sender": "alice", "text": "hi"}])).status_code == 400


async def test_what_an_import_answers_is_a_setting(emulator: Emulator, send: Send) -> None:
    emulator.switches.import_answer = "ids"

    (answer,) = (await send("POST", PATH, [old()])).json()

    assert (await send("GET", f"{MESSAGES}/{answer['id']}")).status_code == 200


async def test_the_conversation_has_to_exist(send: Send) -> None:
    path = "/import/conversations/none/messages"

    assert (await send("POST", path, [old()])).status_code == 404
