"""Reactions."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from talkjs_async.emulator import Emulator
from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator.routes.reactions import normalized

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def message(chat: None, send: Send) -> str:
    """The path of a message."""
    body = [{"type": "UserMessage", "sender": "alice", "text": "hi"}]
    (sent,) = (await send("POST", "/conversations/chat/messages", body)).json()
    return f"/conversations/chat/messages/{sent['id']}"


def reaction(message: str, emoji: str, user: str = "bob") -> str:
    return f"{message}/reactions/{quote(emoji, safe='')}/{user}"


async def reactions(send: Send, message: str) -> dict[str, Any]:
    shown: dict[str, Any] = (await send("GET", message)).json()["reactions"]
    return shown


async def test_reactions_are_counted_in_order_of_first_use(
    emulator: Emulator, send: Send, message: str
) -> None:
    for user, emoji in (("bob", "😀"), ("bob", ":party:"), ("alice", "😀"), ("alice", "😀")):
        await emulator.clock.sleep(1)
        assert (await send("PUT", reaction(message, emoji, user))).json() == {}

    shown = await reactions(send, message)
    assert list(shown) == ["😀", ":party:"]
    assert shown["😀"] == {"count": 2, "createdAt": 1767225601000}
    assert len(emulator.commits.of("reaction.added")) == 3


async def test_a_reaction_can_be_taken_back_even_if_it_is_not_there(
    emulator: Emulator, send: Send, message: str
) -> None:
    await send("PUT", reaction(message, "👍"), {})

    for _ in range(2):
        assert (await send("DELETE", reaction(message, "👍"))).status_code == 200

    assert await reactions(send, message) == {}
    assert len(emulator.commits.of("reaction.removed")) == 1


@pytest.mark.parametrize(("shape", "expected"), [("users", {"👍": ["bob"]}), ("absent", None)])
async def test_how_reactions_look_is_a_setting(
    emulator: Emulator, send: Send, message: str, shape: str, expected: object
) -> None:
    emulator.switches.reactions_shape = shape  # type: ignore[assignment]
    await send("PUT", reaction(message, "👍"))

    assert (await send("GET", message)).json().get("reactions") == expected


async def test_a_message_takes_fifty_different_ones(send: Send, message: str) -> None:
    statuses = [
        (await send("PUT", reaction(message, f":e{number}:"))).status_code for number in range(51)
    ]

    assert [200] * 50 + [400] == statuses
    assert (await send("PUT", reaction(message, ":e0:", "alice"))).status_code == 200


async def test_who_reacted_is_listed_latest_first(
    emulator: Emulator, send: Send, message: str
) -> None:
    for user in ("alice", "bob"):
        await send("PUT", reaction(message, "❤", user), {})
    path = f"{message}/reactions/{quote('❤', safe='')}"

    assert (await send("GET", path)).json() == {"data": [{"userId": "bob"}, {"userId": "alice"}]}
    assert (await send("GET", path, limit="1")).json() == {"data": [{"userId": "bob"}]}
    (second,) = (await send("GET", path, startingAfter="bob")).json()["data"]
    assert second == {"userId": "alice"}
    assert (await send("GET", path, limit="101")).status_code == 400
    assert (await send("GET", f"{message}/reactions/{quote('👍')}")).json() == {"data": []}

    emulator.switches.reaction_list = "bare"
    emulator.switches.reaction_pages = "first"
    assert (await send("GET", path, limit="1", startingAfter="bob")).json() == [{"userId": "bob"}]


async def test_message_and_user_have_to_exist(send: Send, message: str) -> None:
    missing = "/conversations/chat/messages/msg_none"

    assert (await send("PUT", reaction(missing, "👍"))).status_code == 404
    assert (await send("DELETE", reaction(missing, "👍"))).status_code == 404
    assert (await send("PUT", reaction(message, "👍", "nobody"))).status_code == 404


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("👍", "👍"),
        ("❤", "❤️"),
        ("❤️", "❤️"),
        ("⚡", "⚡"),
        ("⚡️", "⚡"),
        ("1️⃣", "1️⃣"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("🇳🇱", "🇳🇱"),
        (":a:", ":a:"),
        (f":{'x' * 48}:", f":{'x' * 48}:"),
    ],
)
def test_an_emoji_is_stored_in_its_full_form(sent: str, stored: str) -> None:
    assert normalized(sent) == stored


@pytest.mark.parametrize(
    "emoji", ["a", "", "::", f":{'x' * 49}:", ":a b:", "👍 ", "👍a", "ok", "1", "é", "👍" * 40]
)
def test_anything_else_is_refused(emoji: str) -> None:
    with pytest.raises(Problem):
        normalized(emoji)
