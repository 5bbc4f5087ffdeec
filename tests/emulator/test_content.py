"""Content blocks in messages that are sent."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]

MESSAGES = "/conversations/chat/messages"


async def post(send: Send, *blocks: Any, **fields: Any) -> httpx.Response:
    item = {"type": "UserMessage", "sender": "alice", "content": list(blocks), **fields}
    return await send("POST", MESSAGES, [item])


async def last(send: Send) -> dict[str, Any]:
    message: dict[str, Any] = (await send("GET", MESSAGES)).json()["data"][0]
    return message


TREE: list[Any] = [
    "Hi ",
    {"type": "bold", "children": [{"type": "italic", "children": ["you"]}]},
    {"type": "codeSpan", "text": "x"},
    {"type": "customEmoji", "text": ":cat:"},
    {"type": "mention", "id": "bob", "text": "Bob"},
    {"type": "link", "url": "https://a.b", "children": ["there"]},
    {"type": "autoLink", "url": "https://a.b", "text": "a.b"},
    {"type": "actionButton", "action": "go", "params": {}, "children": ["Go"]},
    {
        "type": "bulletList",
        "children": [{"type": "bulletPoint", "children": ["one"]}],
    },
]


async def test_a_text_block_comes_back_as_it_was_sent(send: Send) -> None:
    assert (await post(send, {"type": "text", "children": TREE})).status_code == 200

    message = await last(send)
    assert message["content"] == [{"type": "text", "children": TREE}]
    assert message["text"] == "Hi youx:cat:Bobtherea.bGoone"


async def test_a_location_block_is_a_location(send: Send) -> None:
    await post(send, {"type": "location", "latitude": 51.5, "longitude": -3})

    message = await last(send)
    assert message["location"] == [51.5, -3]
    assert message["content"] == [{"type": "location", "latitude": 51.5, "longitude": -3}]


async def test_markup_in_a_text_becomes_a_block(send: Send) -> None:
    item = {"type": "UserMessage", "sender": "alice", "text": "*hi*"}
    await send("POST", MESSAGES, [item])

    (block,) = (await last(send))["content"]
    assert block["children"] == [{"type": "bold", "children": ["hi"]}]


async def test_editing_the_text_replaces_any_content(send: Send) -> None:
    await post(send, {"type": "text", "children": TREE})
    message_id = (await last(send))["id"]

    await send("PUT", f"{MESSAGES}/{message_id}", {"text": "new"})

    assert (await last(send))["content"] == [{"type": "text", "children": ["new"]}]


def deep(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "bold", "children": ["x"]}
    for _ in range(levels):
        node = {"type": "bold", "children": [node]}
    return node


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        ["text"],
        [{"type": "text", "children": ["a"]}, {"type": "text", "children": ["b"]}],
        [{"type": "poll"}],
        [{"type": "text"}],
        [{"type": "text", "children": "hi"}],
        [{"type": "text", "children": [1]}],
        [{"type": "text", "children": [{"type": "blink", "children": []}]}],
        [{"type": "text", "children": [{"type": "bold"}]}],
        [{"type": "text", "children": [{"type": "link", "children": ["x"]}]}],
        [{"type": "text", "children": [{"type": "mention", "id": "bob"}]}],
        [{"type": "text", "children": [deep(60)]}],
        [{"type": "location", "latitude": 90.1, "longitude": 0}],
        [{"type": "location", "latitude": "0", "longitude": 0}],
        [{"type": "location"}],
        [{"type": "file"}],
    ],
)
async def test_a_malformed_block_is_refused(
    emulator: Emulator, send: Send, blocks: list[Any]
) -> None:
    assert (await post(send, *blocks)).status_code == 400
    assert emulator.commits.of("message.sent") == []


async def test_content_excludes_text(send: Send) -> None:
    assert (await post(send, {"type": "text", "children": ["a"]}, text="b")).status_code == 400


async def test_a_system_message_has_no_location_in_any_form(send: Send) -> None:
    block = {"type": "location", "latitude": 1, "longitude": 1}
    item = {"type": "SystemMessage", "content": [block]}

    assert (await send("POST", MESSAGES, [item])).status_code == 400
