"""Users: every method, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from talkjs_async import (
    AsyncTalkJS,
    BadRequest,
    DecodeError,
    NotFound,
    UserInput,
)
from talkjs_async.emulator import Emulator
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

AnsweredWith = Callable[..., AsyncTalkJS]

ALICE = UserInput(name="Alice")
WIRE = {"id": "alice", "name": "Alice", "createdAt": 1_700_000_000_000}


async def test_a_user_is_created_with_every_field_and_read_back(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    fields: dict[str, Any] = {
        "name": "Alice",
        "email": ("alice@example.com", "a@example.com"),
        "phone": ("+31612345678",),
        "photo_url": "https://example.com/alice.png",
        "welcome_message": "Hello!",
        "locale": "nl-NL",
        "role": "buyer",
        "availability_text": "Back on Monday",
        "custom": {"team": "blue"},
        "push_tokens": {"fcm:1": True},
    }

    await talkjs.users.upsert("alice", **fields)
    user = await talkjs.users.get("alice")

    assert "alice" == user.id
    assert fields == {name: getattr(user, name) for name in fields}
    assert datetime.fromtimestamp(emulator.clock.time(), UTC) == user.created_at


async def test_fields_that_are_not_given_stay(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert("alice", name="Alice", email=["a@example.com"], role="buyer")

    await talkjs.users.upsert("alice", locale="de")

    user = await talkjs.users.get("alice")
    assert ("Alice", ("a@example.com",), "buyer", "de") == (
        user.name,
        user.email,
        user.role,
        user.locale,
    )


@pytest.mark.parametrize(
    ("field", "value", "cleared"),
    [
        ("email", ["a@example.com"], ()),
        ("phone", ["+31612345678"], ()),
        ("photo_url", "https://example.com/a.png", None),
        ("welcome_message", "Hello!", None),
        ("locale", "nl", None),
        ("role", "buyer", "default"),
        ("availability_text", "Away", None),
        ("custom", {"a": "1"}, {}),
        ("push_tokens", {"apns:1": True}, {}),
    ],
)
async def test_none_clears_a_field(
    talkjs: AsyncTalkJS, field: str, value: Any, cleared: object
) -> None:
    await talkjs.users.upsert("alice", name="Alice", **{field: value})

    await talkjs.users.upsert("alice", **{field: None})  # type: ignore[arg-type]

    user = await talkjs.users.get("alice")
    assert cleared == getattr(user, field)


async def test_custom_data_and_push_tokens_are_merged_key_by_key(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert(
        "alice", name="Alice", custom={"a": "1", "b": "2"}, push_tokens={"fcm:1": True}
    )

    await talkjs.users.upsert(
        "alice", custom={"b": None, "c": "3"}, push_tokens={"fcm:1": None, "apns:2": True}
    )

    user = await talkjs.users.get("alice")
    assert {"a": "1", "c": "3"} == user.custom
    assert {"apns:2": True} == user.push_tokens


@pytest.mark.parametrize(
    "user_id",
    [
        "a/b",
        "50%",
        "%2F",
        "🙂",
        "ü@x.y?z#w&v=1",
        "a b+c",
        "...",
        "../bob",
        "ÿ\u0000",
        "\u202e",
        "a\\b",
    ],
    ids=ascii,
)
async def test_an_id_may_hold_anything(talkjs: AsyncTalkJS, user_id: str) -> None:
    await talkjs.users.upsert(user_id, name="Anybody")

    user = await talkjs.users.get(user_id)
    listed = await talkjs.users.list().collect()
    conversations = await talkjs.users.list_conversations(user_id).collect()

    assert user_id == user.id
    assert [user] == listed
    assert [] == conversations


async def test_a_new_user_needs_a_name(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(BadRequest, match="name"):
        await talkjs.users.upsert("alice", role="buyer")


async def test_an_unknown_user_is_not_found(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(NotFound) as caught:
        await talkjs.users.get("nobody")

    assert "USER_NOT_FOUND" == caught.value.code
    assert ("GET", "/users/nobody") == (caught.value.method, caught.value.path)


async def test_a_hundred_users_are_one_request(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    users = {f"user {number}": UserInput(name=f"User {number}") for number in range(100)}

    await talkjs.users.upsert_many(users)

    assert 1 == len(emulator.requests)
    assert set(users) == {user.id async for user in talkjs.users.list()}


async def test_users_can_be_given_as_bulk_jobs_take_them(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert_many(
        {"alice": {"name": "Alice", "photoUrl": "https://x.y/a.png"}, "bob": ALICE}
    )

    alice = await talkjs.users.get("alice")
    assert ("Alice", "https://x.y/a.png") == (alice.name, alice.photo_url)


async def test_one_bad_user_stops_all_and_is_named(talkjs: AsyncTalkJS) -> None:
    users = {"alice": UserInput(name="Alice"), "bob": UserInput(role="no name")}

    with pytest.raises(BadRequest) as caught:
        await talkjs.users.upsert_many(users)

    assert ["bob"] == list(caught.value.reasons_by_key)
    assert "name" in caught.value.reasons_by_key["bob"][0]
    assert [] == await talkjs.users.list().collect()


async def test_users_are_listed_newest_first_with_the_fewest_requests(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    for number in range(3):
        await talkjs.users.upsert(str(number), name="Somebody")
    asked_before = len(emulator.requests)

    users = await talkjs.users.list().collect()

    assert ["2", "1", "0"] == [user.id for user in users]
    assert ["limit=100"] == [exchange.query for exchange in list(emulator.requests)[asked_before:]]


async def test_a_list_of_users_is_read_page_by_page_from_any_place(talkjs: AsyncTalkJS) -> None:
    for number in range(7):
        await talkjs.users.upsert(str(number), name="Somebody")

    pages = [
        [user.id for user in page]
        async for page in talkjs.users.list(page_size=2, starting_after="5").pages()
    ]

    assert [["4", "3"], ["2", "1"], ["0"]] == pages


@pytest.fixture
async def three_conversations(talkjs: AsyncTalkJS, emulator: Emulator) -> list[int]:
    """Conversations a, b, c, a minute apart; then b and a are spoken in. The times of these."""
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.users.upsert("bob", name="Bob")
    for conversation_id in "abc":
        await talkjs.conversations.upsert(conversation_id, participants=["alice", "bob"])
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
        ({"order_by": "createdAt", "starting_after": "b"}, "a"),
        ({"starting_after": "b"}, "c"),
        ({"unreads_only": True}, "ab"),
        ({"page_size": 1}, "abc"),
    ],
    ids=str,
)
async def test_conversations_of_a_user_come_in_every_order(
    talkjs: AsyncTalkJS, three_conversations: list[int], arguments: dict[str, Any], expected: str
) -> None:
    found = talkjs.users.list_conversations("bob", **arguments)

    assert list(expected) == [conversation.id async for conversation in found]


async def test_conversations_of_a_user_are_narrowed_by_time(
    talkjs: AsyncTalkJS, three_conversations: list[int]
) -> None:
    b, a = three_conversations
    moment = datetime.fromtimestamp(a / 1000, UTC)

    async def found(**arguments: Any) -> str:
        pages = talkjs.users.list_conversations("bob", **arguments)
        return "".join([conversation.id async for conversation in pages])

    assert "b" == await found(last_message_before=a)
    assert "b" == await found(last_message_before=moment)
    assert "a" == await found(last_message_after=b)
    assert "" == await found(last_message_after=moment)
    assert "bc" == await found(offset=a)
    assert "a" == await found(offset=b, order_direction="ASC")


async def test_a_conversation_shows_what_it_looks_like_to_the_user(
    talkjs: AsyncTalkJS, three_conversations: list[int]
) -> None:
    of_bob = await talkjs.users.list_conversations("bob").first()
    of_alice = await talkjs.users.list_conversations("alice").first()

    assert of_bob is not None
    assert of_alice is not None
    assert (1, True) == (of_bob.unread_message_count, of_bob.is_unread)
    assert (0, False) == (of_alice.unread_message_count, of_alice.is_unread)
    assert three_conversations[1] == of_bob.last_message_at_ms
    assert of_bob.last_message is not None
    assert "hi" == of_bob.last_message.text


async def test_conversations_of_an_unknown_user_depend_on_the_api_version(
    make_talkjs: MakeTalkJS,
) -> None:
    older = make_talkjs(api_version="2021-07-30")

    with pytest.raises(NotFound):
        await make_talkjs().users.list_conversations("nobody").collect()
    assert [] == await older.users.list_conversations("nobody").collect()


async def test_what_is_not_known_of_a_user_is_kept(answered_with: AnsweredWith) -> None:
    wire = {**WIRE, "role": "a role of 2031", "mood": {"smile": [1, 2]}}

    user = await answered_with(wire).users.get("alice")

    assert "a role of 2031" == user.role
    assert {"mood": {"smile": [1, 2]}} == user.extra


@pytest.mark.parametrize(
    ("wire", "json_path"),
    [
        (["alice"], "$"),
        (None, "$"),
        ({**WIRE, "id": 7}, "$.id"),
        ({"id": "alice", "name": "Alice"}, "$.createdAt"),
        ({**WIRE, "name": None}, "$.name"),
        ({**WIRE, "createdAt": "yesterday"}, "$.createdAt"),
        ({**WIRE, "createdAt": 1.5}, "$.createdAt"),
        ({**WIRE, "email": "a@example.com"}, "$.email"),
        ({**WIRE, "email": ["a@example.com", 5]}, "$.email[1]"),
        ({**WIRE, "custom": {"a": 1}}, "$.custom.a"),
    ],
)
async def test_a_user_of_a_wrong_shape_is_an_error_that_names_the_place(
    answered_with: AnsweredWith, wire: object, json_path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        await answered_with(wire).users.get("alice")

    assert json_path == caught.value.json_path
    assert ("GET", "/users/alice") == (caught.value.method, caught.value.path)


@pytest.mark.parametrize(
    ("wire", "json_path"),
    [
        ([WIRE], "$.data"),
        ({"users": []}, "$.data"),
        ({"data": {}}, "$.data"),
        ({"data": [WIRE, {**WIRE, "id": None}]}, "$.data[1].id"),
    ],
)
async def test_a_list_of_a_wrong_shape_is_an_error_that_names_the_place(
    answered_with: AnsweredWith, wire: object, json_path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        await answered_with(wire).users.list().collect()

    assert json_path == caught.value.json_path
    assert ("GET", "/users") == (caught.value.method, caught.value.path)
