"""Messages as they come, and as they are sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from talkjs_async._core.wire import UNSET
from talkjs_async.errors import ConfigurationError, DecodeError
from talkjs_async.models._bodies import MessageEdit
from talkjs_async.models.content import (
    FileBlock,
    LocationBlock,
    MarkupNode,
    TextBlock,
    UnknownBlock,
)
from talkjs_async.models.messages import (
    Attachment,
    Location,
    Message,
    SendReceipt,
    SystemMessage,
    UserMessage,
)
from talkjs_async.models.reactions import Reaction

WIRE: dict[str, Any] = {
    "id": "msg_1",
    "conversationId": "orders",
    "type": "UserMessage",
    "senderId": "alice",
    "text": "*hi*",
    "attachment": None,
    "location": None,
    "readBy": ["bob"],
    "origin": "rest",
    "referencedMessageId": None,
    "custom": {},
    "createdAt": 1_700_000_000_000,
    "editedAt": None,
}


def test_a_message_is_read_from_the_documented_object() -> None:
    message = Message.from_wire(WIRE)

    expected = Message(
        id="msg_1",
        conversation_id="orders",
        type="UserMessage",
        sender_id="alice",
        text="*hi*",
        read_by=("bob",),
        origin="rest",
        created_at_ms=1_700_000_000_000,
    )
    assert expected == message
    assert datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == message.created_at
    assert message.edited_at is None


def test_files_places_and_reactions_are_read() -> None:
    wire = {
        **WIRE,
        "attachment": {"url": "https://example.com/a.pdf", "size": 12},
        "location": [51.481083, -3.178306],
        "reactions": {"👍": {"count": 2, "createdAt": 5}, ":cat:": {"count": 1}},
        "editedAt": 1_700_000_001_000,
    }

    message = Message.from_wire(wire)

    assert Attachment(url="https://example.com/a.pdf", size=12) == message.attachment
    assert Location(latitude=51.481083, longitude=-3.178306) == message.location
    assert {
        "👍": Reaction(emoji="👍", count=2, created_at_ms=5),
        ":cat:": Reaction(emoji=":cat:", count=1),
    } == message.reactions
    assert ["👍", ":cat:"] == list(message.reactions)
    assert datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC) == message.edited_at


def test_the_content_is_read_as_blocks_and_written_as_it_came() -> None:
    blocks = [
        {"type": "text", "children": [{"type": "bold", "children": ["hi"]}]},
        {"type": "poll", "question": "?"},
    ]

    message = Message.from_wire({**WIRE, "content": blocks})

    assert (
        TextBlock(children=(MarkupNode(type="bold", children=("hi",)),)),
        UnknownBlock(type="poll", data=blocks[1]),
    ) == message.content
    assert blocks == message.to_wire()["content"]


def test_the_plain_text_comes_from_the_content_and_else_from_the_text() -> None:
    old = Message.from_wire(WIRE)
    content = [{"type": "text", "children": [{"type": "bold", "children": ["hi"]}]}]
    new = Message.from_wire({**WIRE, "content": content})
    picture = Message.from_wire({**WIRE, "text": None})

    assert ("*hi*", "hi", "") == (old.plain_text(), new.plain_text(), picture.plain_text())


@pytest.mark.parametrize("location", [[1], [1, 2, 3], "1,2", ["1", "2"], {"latitude": 1}])
def test_a_place_that_is_no_pair_of_numbers_is_our_error(location: object) -> None:
    with pytest.raises(DecodeError, match=re.escape("$.location")):
        Message.from_wire({**WIRE, "location": location})


def test_a_receipt_keeps_what_is_new_in_it() -> None:
    assert SendReceipt(id="msg_1", extra={"new": 1}) == SendReceipt.from_wire(
        {"id": "msg_1", "new": 1}
    )


def test_a_user_message_is_written_under_talkjs_keys() -> None:
    message = UserMessage(
        sender="alice",
        text="hi",
        referenced_message_id="msg_0",
        custom={"k": "v"},
        idempotency_key="key",
    )

    assert {
        "type": "UserMessage",
        "sender": "alice",
        "text": "hi",
        "referencedMessageId": "msg_0",
        "custom": {"k": "v"},
        "idempotencyKey": "key",
    } == message.to_wire()


@pytest.mark.parametrize(
    ("body", "wire"),
    [
        ({"attachment_token": "tok"}, {"attachmentToken": "tok"}),
        ({"location": Location(latitude=51.5, longitude=-3.2)}, {"location": [51.5, -3.2]}),
        (
            {"content": [TextBlock(children=("*as it is*",))]},
            {"content": [{"type": "text", "children": ["*as it is*"]}]},
        ),
        (
            {"content": [FileBlock(file_token="tok")]},
            {"content": [{"type": "file", "fileToken": "tok"}]},
        ),
        (
            {"content": [LocationBlock(latitude=90, longitude=180)]},
            {"content": [{"type": "location", "latitude": 90, "longitude": 180}]},
        ),
        (
            {"content": [UnknownBlock(type="poll", data={"type": "poll"})]},
            {"content": [{"type": "poll"}]},
        ),
    ],
)
def test_a_message_may_hold_any_one_body(body: dict[str, Any], wire: dict[str, Any]) -> None:
    message = UserMessage(sender="alice", **body)

    assert {"type": "UserMessage", "sender": "alice", **wire} == message.to_wire()


def test_a_system_message_has_no_sender() -> None:
    message = SystemMessage(text="Order shipped", custom={"k": "v"})

    assert {
        "type": "SystemMessage",
        "text": "Order shipped",
        "custom": {"k": "v"},
    } == message.to_wire()


def test_an_edit_is_written_with_what_was_given() -> None:
    assert {"text": "hi"} == MessageEdit(text="hi").to_wire()
    assert {"custom": None} == MessageEdit(custom=None).to_wire()
    assert {"custom": {"k": None}} == MessageEdit(custom={"k": None}).to_wire()


@pytest.mark.parametrize("arguments", [{}, {"text": None}, {"text": 5}])
def test_an_edit_that_changes_nothing_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="text"):
        MessageEdit(**arguments)


NAN = float("nan")


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("sender", {"sender": "", "text": "hi"}),
        ("sender", {"sender": None, "text": "hi"}),
        ("sender", {"sender": UNSET, "text": "hi"}),
        ("text", {"sender": "alice"}),
        ("text", {"sender": "alice", "text": None}),
        ("custom", {"sender": "alice", "text": "x", "custom": {"\udfff": "x"}}),
        ("attachment_token", {"sender": "alice", "text": "hi", "attachment_token": "tok"}),
        ("attachment_token", {"sender": "alice", "attachment_token": ""}),
        ("location", {"sender": "alice", "location": (1, 2)}),
        ("location", {"sender": "alice", "location": Location(latitude=90.1, longitude=0)}),
        ("location", {"sender": "alice", "location": Location(latitude=0, longitude=-180.1)}),
        ("location", {"sender": "alice", "location": Location(latitude=NAN, longitude=0)}),
        ("location", {"sender": "alice", "location": Location(latitude=True, longitude=0)}),
        ("content", {"sender": "alice", "content": []}),
        ("content", {"sender": "alice", "content": "hi"}),
        ("content", {"sender": "alice", "content": [{"type": "text"}]}),
        ("content", {"sender": "alice", "content": [LocationBlock(latitude=91, longitude=0)]}),
        ("custom", {"sender": "alice", "text": "hi", "custom": {"k": None}}),
        ("idempotency_key", {"sender": "alice", "text": "hi", "idempotency_key": ""}),
        ("referenced_message_id", {"sender": "a", "text": "hi", "referenced_message_id": 3}),
    ],
)
def test_a_message_that_breaks_a_rule_names_the_argument(
    argument: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        UserMessage(**arguments)

    assert argument == caught.value.argument


def test_two_bodies_are_refused_by_naming_both() -> None:
    with pytest.raises(ConfigurationError, match="attachment_token: cannot go with text"):
        SystemMessage(text="hi", attachment_token="tok")


def test_a_system_message_cannot_show_a_place() -> None:
    with pytest.raises(ConfigurationError, match="content: must hold no LocationBlock"):
        SystemMessage(content=[LocationBlock(latitude=0, longitude=0)])

    assert "location" not in {field.name for field in attrs.fields(SystemMessage)}
    assert "sender" not in {field.name for field in attrs.fields(SystemMessage)}
