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


def old(text: str = "hi", created_at: float = 1_500_000_000_000, **fields: Any) -> dict[str, Any]:
    message = {"type": "UserMessage", "sender": "alice", "text": text, "createdAt": created_at}
    return {**message, **fields}


def older(**fields: Any) -> dict[str, Any]:
    message = {"type": "UserMessage", "sender": "alice", "text": "hi", "timestamp": 5, "readBy": []}
    return {**message, **fields}


async def test_messages_keep_their_times_and_readers(send: Send) -> None:
    items = [old(custom={"a": "1"}, readBy=["bob", "alice"])]

    (answer,) = (await send("POST", PATH, items)).json()

    (message,) = (await send("GET", MESSAGES)).json()["data"]
    assert answer == {"id": message["id"]}
    assert (message["createdAt"], message["origin"]) == (1_500_000_000_000, "import")
    assert (message["readBy"], message["custom"]) == (["bob"], {"a": "1"})


async def test_a_hundred_of_any_content_come_back_with_their_ids_in_order(send: Send) -> None:
    place = {"type": "location", "latitude": 51.5, "longitude": -3.2}
    bold = {"type": "text", "children": [{"type": "bold", "children": ["hi"]}]}
    items = [{"type": "SystemMessage", "createdAt": n, "text": str(n)} for n in range(98)]
    user = {"type": "UserMessage", "sender": "alice"}
    items.append({**user, "createdAt": 98, "content": [place]})
    items.append({**user, "createdAt": 99, "content": [bold]})

    answers = (await send("POST", PATH, items)).json()

    listed = (await send("GET", MESSAGES, limit="100")).json()["data"][::-1]
    assert [answer["id"] for answer in answers] == [message["id"] for message in listed]
    assert (listed[0]["type"], listed[0]["senderId"]) == ("SystemMessage", None)
    assert (listed[98]["location"], listed[99]["text"]) == ([51.5, -3.2], "hi")
    assert (await send("POST", PATH, [*items, items[0]])).status_code == 400


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
        {**old(), "type": "Message"},
        old(sender="carol"),
        old(created_at=-1),
        old(created_at=1.5),
        {name: value for name, value in old().items() if name != "createdAt"},
        {name: value for name, value in old().items() if name != "sender"},
        {name: value for name, value in old().items() if name != "text"},
        old(content=[{"type": "text", "children": ["hi"]}]),
        {**old(), "text": 1},
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


async def test_the_older_rules_know_ten_texts_of_users(emulator: Emulator, send: Send) -> None:
    emulator.switches.import_rules = "older"
    system = {"type": "SystemMessage", "text": "hi", "timestamp": 5, "readBy": []}
    blocks = older(content=[{"type": "text", "children": ["hi"]}])

    assert (await send("POST", PATH, [older()] * 10)).json() == {}
    for refused in (
        [older()] * 11,
        [],
        [old()],
        [system],
        [older(timestamp=-1)],
        [older(readBy="bob")],
        [{name: value for name, value in older().items() if name != "readBy"}],
        [{name: value for name, value in blocks.items() if name != "text"}],
    ):
        assert (await send("POST", PATH, refused)).status_code == 400
    assert len(emulator.commits.of("message.imported")) == 10


async def test_the_current_rules_know_no_timestamp(send: Send) -> None:
    assert (await send("POST", PATH, [older()])).status_code == 400


async def test_what_an_import_answers_is_a_setting(emulator: Emulator, send: Send) -> None:
    emulator.switches.import_answer = "empty"

    assert (await send("POST", PATH, [old()])).json() == {}


async def test_the_conversation_has_to_exist(send: Send) -> None:
    path = "/import/conversations/none/messages"

    assert (await send("POST", path, [old()])).status_code == 404
