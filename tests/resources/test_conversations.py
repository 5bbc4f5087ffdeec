"""Conversations: every method, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest

from talkjs_async import (
    AsyncTalkJS,
    BadRequest,
    DecodeError,
    Filter,
    NotFound,
)
from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio


class Named(str, Enum):  # noqa: UP042 - of StrEnum, `str` makes the text
    """Texts with names, as programs write them."""

    ORDER = "createdAt"
    UP = "ASC"
    A = "a"


AnsweredWith = Callable[..., AsyncTalkJS]

WIRE = {"id": "chat", "createdAt": 1_700_000_000_000, "participants": {}, "custom": {}}


async def test_a_conversation_is_created_with_every_field_and_read_back(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: None
) -> None:
    fields: dict[str, Any] = {
        "subject": "Order 7",
        "photo_url": "https://example.com/7.png",
        "welcome_messages": ("Hello!", "How can we help?"),
        "custom": {"order": "7"},
    }

    await talkjs.conversations.upsert("order-7", participants=["alice", "bob"], **fields)
    conversation = await talkjs.conversations.get("order-7")

    assert "order-7" == conversation.id
    assert fields == {name: getattr(conversation, name) for name in fields}
    assert ["alice", "bob"] == list(conversation.participants)
    assert ("ReadWrite", True) == (
        conversation.participants["bob"].access,
        conversation.participants["bob"].notify,
    )
    assert conversation.last_message is None
    assert datetime.fromtimestamp(emulator.clock.time(), UTC) == conversation.created_at


async def test_a_conversation_needs_no_field_at_all(talkjs: AsyncTalkJS) -> None:
    await talkjs.conversations.upsert("empty")

    conversation = await talkjs.conversations.get("empty")
    assert {} == conversation.participants


async def test_participants_are_added_and_none_is_removed(talkjs: AsyncTalkJS, chat: None) -> None:
    await talkjs.participants.update("chat", user_id="alice", access="Read")
    await talkjs.users.upsert("carol", name="Carol")

    await talkjs.conversations.upsert("chat", participants=["alice", "carol"])

    conversation = await talkjs.conversations.get("chat")
    assert {"alice", "bob", "carol"} == set(conversation.participants)
    assert "Read" == conversation.participants["alice"].access


async def test_fields_that_are_not_given_stay(talkjs: AsyncTalkJS) -> None:
    await talkjs.conversations.upsert("chat", subject="Cars", custom={"a": "1", "b": "2"})

    await talkjs.conversations.upsert("chat", custom={"b": None, "c": "3"})

    conversation = await talkjs.conversations.get("chat")
    assert "Cars" == conversation.subject
    assert {"a": "1", "c": "3"} == conversation.custom


@pytest.mark.parametrize(
    ("field", "value", "cleared"),
    [
        ("subject", "Cars", None),
        ("photo_url", "https://example.com/a.png", None),
        ("welcome_messages", ["Hello!"], ()),
        ("custom", {"a": "1"}, {}),
    ],
)
async def test_none_clears_a_field(
    talkjs: AsyncTalkJS, field: str, value: Any, cleared: object
) -> None:
    await talkjs.conversations.upsert("chat", **{field: value})

    await talkjs.conversations.upsert("chat", **{field: None})  # type: ignore[arg-type]

    conversation = await talkjs.conversations.get("chat")
    assert cleared == getattr(conversation, field)


@pytest.mark.parametrize("conversation_id", ["a/b", "50%", "🙂", "a?b#c", "..."], ids=ascii)
async def test_an_id_may_hold_anything(talkjs: AsyncTalkJS, conversation_id: str) -> None:
    await talkjs.conversations.upsert(conversation_id)

    conversation = await talkjs.conversations.get(conversation_id)
    listed = await talkjs.conversations.list().collect()
    await talkjs.conversations.delete(conversation_id)

    assert conversation_id == conversation.id
    assert [conversation] == listed
    assert [] == await talkjs.conversations.list().collect()


async def test_an_unknown_participant_is_refused(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(NotFound, match="USER_NOT_FOUND"):
        await talkjs.conversations.upsert("chat", participants=["nobody"])


async def test_a_deleted_conversation_is_gone_with_its_messages(
    talkjs: AsyncTalkJS, chat: None
) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    await talkjs.conversations.delete("chat")

    with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
        await talkjs.conversations.get("chat")
    with pytest.raises(NotFound):
        await talkjs.messages.get("chat", message_id=sent.id)
    assert [] == await talkjs.users.list_conversations("alice").collect()


@pytest.fixture
async def three_conversations(talkjs: AsyncTalkJS, emulator: Emulator) -> list[int]:
    """Conversations a, b, c, a minute apart; then b and a are spoken in. The times of these."""
    await talkjs.users.upsert("alice", name="Alice")
    for conversation_id in "abc":
        await talkjs.conversations.upsert(conversation_id, participants=["alice"])
        await emulator.clock.sleep(60.0)
    moments = []
    for conversation_id in "ba":
        await talkjs.messages.send(conversation_id, sender="alice", text="hi")
        moments.append(int(emulator.clock.time() * 1000))
        await emulator.clock.sleep(60.0)
    return moments


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "abc"),
        ({"order_by": "lastActivity", "order_direction": "DESC"}, "abc"),
        ({"order_direction": "ASC"}, "cba"),
        ({"order_by": "createdAt"}, "cba"),
        ({"order_by": "createdAt", "order_direction": "ASC"}, "abc"),
        ({"order_by": "createdAt", "order_direction": "ASC", "starting_after": "a"}, "bc"),
        ({"order_by": Named.ORDER, "order_direction": Named.UP, "starting_after": Named.A}, "bc"),
        ({"starting_after": "a"}, "bc"),
        ({"page_size": 2}, "abc"),
    ],
    ids=str,
)
async def test_conversations_come_in_every_order(
    talkjs: AsyncTalkJS, three_conversations: list[int], arguments: dict[str, Any], expected: str
) -> None:
    found = talkjs.conversations.list(**arguments)

    assert list(expected) == [conversation.id async for conversation in found]


async def test_conversations_are_narrowed_by_time(
    talkjs: AsyncTalkJS, three_conversations: list[int]
) -> None:
    b, a = three_conversations
    moment = datetime.fromtimestamp(a / 1000, UTC)

    async def found(**arguments: Any) -> str:
        pages = talkjs.conversations.list(**arguments)
        return "".join([conversation.id async for conversation in pages])

    assert "b" == await found(last_message_before=a)
    assert "b" == await found(last_message_before=moment)
    assert "a" == await found(last_message_after=b)
    assert "" == await found(last_message_after=moment)
    assert "bc" == await found(offset=moment)
    assert "a" == await found(offset=b, order_direction="ASC")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"state": Filter.exists()}, {"open", "held"}),
        ({"state": ~Filter.exists()}, {"none"}),
        ({"state": "open"}, {"open"}),
        ({"state": Filter.equals("open")}, {"open"}),
        ({"state": Filter.one_of(["open", "held", "x"])}, {"open", "held"}),
        # It also matches where the key is missing: a public program depends on that.
        ({"state": ~Filter.one_of(["open"])}, {"held", "none"}),
        ({"state": Filter.exists(), "team": "rød & blå"}, {"held"}),
        ({}, {"open", "held", "none"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
async def test_conversations_are_found_by_their_custom_data(
    talkjs: AsyncTalkJS, conditions: dict[str, Any], expected: set[str]
) -> None:
    await talkjs.conversations.upsert("open", custom={"state": "open"})
    await talkjs.conversations.upsert("held", custom={"state": "held", "team": "rød & blå"})
    await talkjs.conversations.upsert("none")

    found = talkjs.conversations.list(filter=Filter(custom=conditions))

    assert expected == {conversation.id async for conversation in found}


async def test_a_list_asks_for_the_largest_page(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    await talkjs.conversations.list().collect()

    assert ["orderBy=lastActivity&orderDirection=DESC&limit=30"] == [
        exchange.query for exchange in emulator.requests
    ]


async def test_what_is_not_known_of_a_conversation_is_kept(answered_with: AnsweredWith) -> None:
    participant = {"access": "Whisper", "notify": "OnSundays", "mood": "good"}
    wire = {**WIRE, "participants": {"alice": participant}, "colour": "blue"}

    conversation = await answered_with(wire).conversations.get("chat")

    alice = conversation.participants["alice"]
    assert ("Whisper", "OnSundays") == (alice.access, alice.notify)
    assert ({"mood": "good"}, {"colour": "blue"}) == (alice.extra, conversation.extra)


async def test_a_conversation_of_an_older_api_is_read(answered_with: AnsweredWith) -> None:
    wire = {"id": "chat", "createdAt": 1, "participants": []}

    conversation = await answered_with(wire).conversations.get("chat")

    assert (None, {}, {}) == (
        conversation.subject,
        conversation.custom,
        conversation.participants,
    )


@pytest.mark.parametrize(
    ("wire", "json_path"),
    [
        ("chat", "$"),
        ({**WIRE, "createdAt": None}, "$.createdAt"),
        ({**WIRE, "participants": ["alice"]}, "$.participants"),
        ({**WIRE, "participants": {"al": {"notify": 1}}}, "$.participants.al.notify"),
        ({**WIRE, "lastMessage": {"id": "m"}}, "$.lastMessage.conversationId"),
        ({**WIRE, "welcomeMessages": [None]}, "$.welcomeMessages[0]"),
    ],
)
async def test_a_conversation_of_a_wrong_shape_is_an_error_that_names_the_place(
    answered_with: AnsweredWith, wire: object, json_path: str
) -> None:
    talkjs = answered_with(wire)
    with pytest.raises(DecodeError) as caught:
        await talkjs.conversations.get("chat")
    listed = answered_with({"data": [WIRE, wire]})
    with pytest.raises(DecodeError) as caught_in_list:
        await listed.conversations.list().collect()

    assert json_path == caught.value.json_path
    assert f"$.data[1]{json_path[1:]}" == caught_in_list.value.json_path


async def test_a_refusal_says_what_talkjs_said(answered_with: AnsweredWith) -> None:
    refusal = {"errorCode": "INVALID_REQUEST", "reasons": {"subject": "is too long"}}

    with pytest.raises(BadRequest) as caught:
        await answered_with(refusal, status=400).conversations.upsert("chat", subject="x")

    assert {"subject": ("is too long",)} == caught.value.reasons_by_key
