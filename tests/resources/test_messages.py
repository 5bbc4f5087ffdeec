"""Messages: every method, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from talkjs_async import (
    APIError,
    AsyncTalkJS,
    BadRequest,
    ConfigurationError,
    DecodeError,
    Forbidden,
    Location,
    NotFound,
    SystemMessage,
    UserMessage,
    call_of,
)
from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]

AnsweredWith = Callable[..., AsyncTalkJS]

HI = UserMessage(sender="alice", text="hi")
WIRE = {
    "id": "msg_1",
    "conversationId": "chat",
    "type": "UserMessage",
    "senderId": "alice",
    "text": "hi",
    "createdAt": 1_700_000_000_000,
}


async def test_a_message_is_sent_and_read_back(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    first = await talkjs.messages.send("chat", sender="alice", text="hi")

    sent = await talkjs.messages.send(
        "chat",
        sender="bob",
        text="hello *you*",
        custom={"mood": "good"},
        referenced_message_id=first.id,
    )

    message = await talkjs.messages.get("chat", message_id=sent.id)
    assert ("chat", "UserMessage", "bob") == (
        message.conversation_id,
        message.type,
        message.sender_id,
    )
    assert (sent.id, first.id) == (message.id, message.referenced_message_id)
    assert "hello *you*" == message.text
    assert {"mood": "good"} == message.custom
    assert ("rest", (), None) == (message.origin, message.read_by, message.edited_at)
    assert datetime.fromtimestamp(emulator.clock.time(), UTC) == message.created_at


async def test_a_place_is_sent_and_read_back(talkjs: AsyncTalkJS) -> None:
    cardiff = Location(latitude=51.481083, longitude=-3.178306)

    sent = await talkjs.messages.send("chat", sender="alice", location=cardiff)

    message = await talkjs.messages.get("chat", message_id=sent.id)
    assert (cardiff, None) == (message.location, message.text)


async def test_a_message_becomes_the_last_one_of_its_conversation(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    conversation = await talkjs.conversations.get("chat")

    assert conversation.last_message is not None
    assert sent.id == conversation.last_message.id
    assert conversation.participants["bob"].is_unread


async def test_up_to_ten_messages_are_one_request_and_stay_in_order(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    items = [
        SystemMessage(text="Alice is here")
        if number == 3
        else UserMessage(sender="bob", text=str(number))
        for number in range(10)
    ]

    sent = await talkjs.messages.send_many("chat", items)

    assert 1 == len(emulator.requests.find("POST /conversations/chat/messages"))
    listed = await talkjs.messages.list("chat").collect()
    assert [receipt.id for receipt in sent] == [message.id for message in reversed(listed)]
    assert ("SystemMessage", None) == (listed[6].type, listed[6].sender_id)


async def test_every_message_carries_a_key_of_its_own(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    mine = UserMessage(sender="alice", text="mine", idempotency_key="my key")

    await talkjs.messages.send_many("chat", [HI, mine, HI])

    keys = emulator.requests[-1].idempotency_keys
    assert 3 == len(set(keys))
    assert "my key" == keys[1]
    assert all(len(key) >= 20 for key in (keys[0], keys[2]))


async def test_the_same_key_never_makes_a_second_message(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    sent = [
        await talkjs.messages.send("chat", sender="alice", text="once", idempotency_key="k")
        for _ in range(2)
    ]

    assert sent[0] == sent[1]
    assert 1 == len(emulator.commits.of("message.sent"))


async def test_a_call_that_is_sent_twice_by_hand_stores_one_message(talkjs: AsyncTalkJS) -> None:
    call = call_of(talkjs.messages.send, "chat", sender="alice", text="once")

    sent = [await talkjs._pipeline.run(call) for _ in range(2)]

    assert sent[0] == sent[1]


async def test_only_participants_may_send(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert("carol", name="Carol")

    with pytest.raises(Forbidden, match="NOT_A_PARTICIPANT"):
        await talkjs.messages.send("chat", sender="carol", text="let me in")


async def test_an_answer_to_a_message_that_is_not_there_is_refused(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(BadRequest):
        await talkjs.messages.send("chat", sender="bob", text="?", referenced_message_id="msg_0")


async def test_messages_are_listed_newest_first_page_by_page(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    for number in range(7):
        await talkjs.messages.send("chat", sender="alice", text=str(number))
    newest = await talkjs.messages.list("chat").first()
    assert newest is not None

    pages = [
        [message.text for message in page]
        async for page in talkjs.messages.list(
            "chat", page_size=2, starting_after=newest.id
        ).pages()
    ]

    assert [["5", "4"], ["3", "2"], ["1", "0"], []] == pages
    assert "limit=1" == emulator.requests.find("GET /conversations/chat/messages")[0].query


async def test_an_edit_changes_only_what_is_given(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    sent = await talkjs.messages.send(
        "chat", sender="alice", text="first", custom={"a": "1", "b": "2"}
    )
    await emulator.clock.sleep(60.0)

    await talkjs.messages.edit("chat", message_id=sent.id, text="second")
    after_text = await talkjs.messages.get("chat", message_id=sent.id)
    await talkjs.messages.edit("chat", message_id=sent.id, custom={"b": None, "c": "3"})
    after_custom = await talkjs.messages.get("chat", message_id=sent.id)
    await talkjs.messages.edit("chat", message_id=sent.id, custom=None)
    after_clearing = await talkjs.messages.get("chat", message_id=sent.id)

    assert ("second", {"a": "1", "b": "2"}) == (after_text.text, after_text.custom)
    assert after_text.edited_at is not None
    assert 60.0 == (after_text.edited_at - after_text.created_at).total_seconds()
    assert ("second", {"a": "1", "c": "3"}) == (after_custom.text, after_custom.custom)
    assert {} == after_clearing.custom


async def test_a_deleted_message_is_gone(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="oops")

    await talkjs.messages.delete("chat", message_id=sent.id)

    with pytest.raises(NotFound, match="MESSAGE_NOT_FOUND"):
        await talkjs.messages.get("chat", message_id=sent.id)
    assert [] == await talkjs.messages.list("chat").collect()


async def test_what_is_not_there_is_not_found(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
        await talkjs.messages.send("nowhere", sender="alice", text="hi")
    with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
        await talkjs.messages.list("nowhere").collect()
    with pytest.raises(NotFound, match="MESSAGE_NOT_FOUND"):
        await talkjs.messages.edit("chat", message_id="msg_0", text="new")


async def test_text_of_every_kind_arrives_as_it_was(talkjs: AsyncTalkJS) -> None:
    text = 'ünï 🙂 \u0000 \\ " \u2028 %2F <b> 日本語\r\n'

    sent = await talkjs.messages.send("chat", sender="alice", text=text)

    assert text == (await talkjs.messages.get("chat", message_id=sent.id)).text


async def test_messages_can_be_given_as_bulk_jobs_take_them(
    talkjs: AsyncTalkJS, chat: None
) -> None:
    await talkjs.messages.send_many(
        "chat",
        [
            {"sender": "alice", "text": "one", "custom": None},
            {"sender": "bob", "text": "two", "referencedMessageId": None},
            {"type": "SystemMessage", "text": "three"},
        ],
    )

    listed = await talkjs.messages.list("chat").collect()
    assert [("three", None), ("two", "bob"), ("one", "alice")] == [
        (message.text, message.sender_id) for message in listed
    ]


async def test_none_is_not_given_where_nothing_can_be_cleared(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: None
) -> None:
    call = call_of(
        talkjs.messages.send,
        "chat",
        sender="alice",
        text="hi",
        attachment_token=None,
        location=None,
        content=None,
        referenced_message_id=None,
        custom=None,
        idempotency_key=None,
    )

    assert {"type", "sender", "text", "idempotencyKey"} == set(call.body[0])


async def test_a_message_without_a_sender_is_told_where_to_go(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match=r"sender: must be the user ID.*send_system"):
        await talkjs.messages.send("chat", text="hi", sender=None)  # type: ignore[arg-type]


async def test_a_refused_message_is_one_of_the_documented_errors(
    talkjs: AsyncTalkJS, chat: None
) -> None:
    await talkjs.users.upsert("carol", name="Carol")

    with pytest.raises(Forbidden):
        await talkjs.messages.send("chat", sender="carol", text="hi")
    with pytest.raises(NotFound):
        await talkjs.messages.send("nowhere", sender="alice", text="hi")
    for error in ("Forbidden", "NotFound", "BadRequest", "OutcomeUnknown"):
        assert f"{error}:" in (talkjs.messages.send.__doc__ or "")


def test_a_message_of_a_user_has_a_sender_and_one_of_the_system_has_none() -> None:
    with pytest.raises(TypeError, match="sender"):
        UserMessage(text="hi")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="sender"):
        SystemMessage(text="hi", sender="alice")  # type: ignore[call-arg]


async def test_what_is_not_known_of_a_message_is_kept(answered_with: AnsweredWith) -> None:
    block = {"type": "hologram", "depth": 3}
    wire = {**WIRE, "type": "GhostMessage", "origin": "telepathy", "content": [block], "x": None}

    message = await answered_with(wire).messages.get("chat", message_id="msg_1")

    assert ("GhostMessage", "telepathy") == (message.type, message.origin)
    assert {"x": None} == message.extra
    assert (block,) == message.content_json
    assert wire == {key: message.to_wire()[key] for key in wire}


@pytest.mark.parametrize(
    ("wire", "json_path"),
    [
        (7, "$"),
        ({**WIRE, "conversationId": None}, "$.conversationId"),
        ({**WIRE, "text": ["hi"]}, "$.text"),
        ({**WIRE, "readBy": {"alice": True}}, "$.readBy"),
        ({**WIRE, "location": [1]}, "$.location"),
        ({**WIRE, "location": [1, "2"]}, "$.location[1]"),
        ({**WIRE, "attachment": {"size": 1}}, "$.attachment.url"),
        ({**WIRE, "editedAt": "never"}, "$.editedAt"),
    ],
)
async def test_a_message_of_a_wrong_shape_is_an_error_that_names_the_place(
    answered_with: AnsweredWith, wire: object, json_path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        await answered_with(wire).messages.get("chat", message_id="msg_1")
    with pytest.raises(DecodeError) as caught_in_list:
        await answered_with({"data": [wire]}).messages.list("chat").collect()

    assert json_path == caught.value.json_path
    assert f"$.data[0]{json_path[1:]}" == caught_in_list.value.json_path


@pytest.mark.parametrize(
    ("wire", "json_path"),
    [
        ({}, "$"),
        ({"data": [{"id": "m"}]}, "$"),
        ([], "$"),
        ([{"id": "m"}, {"id": "n"}], "$"),
        (["m"], "$[0]"),
        ([{"id": 7}], "$[0].id"),
    ],
)
async def test_a_receipt_of_a_wrong_shape_is_an_error_that_names_the_place(
    answered_with: AnsweredWith, wire: object, json_path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        await answered_with(wire).messages.send("chat", sender="alice", text="hi")

    assert json_path == caught.value.json_path


async def test_an_unknown_status_is_an_error_with_that_status(answered_with: AnsweredWith) -> None:
    with pytest.raises(APIError) as caught:
        await answered_with({}, status=418).messages.send("chat", sender="alice", text="hi")

    assert 418 == caught.value.status
