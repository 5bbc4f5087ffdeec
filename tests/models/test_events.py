"""Every event that TalkJS sends, and those that it may send one day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from talkjs_async.errors import DecodeError
from talkjs_async.models._event_reader import read_event
from talkjs_async.models.conversations import Conversation
from talkjs_async.models.events import (
    ConversationDeleted,
    MessageDeleted,
    MessageRead,
    MessageSent,
    MessageUpdated,
    NotificationBounced,
    NotificationDelivered,
    NotificationLinkClicked,
    NotificationOpened,
    NotificationSent,
    NotificationTriggered,
    UnknownEvent,
    UserCreated,
    UserUpdated,
    WebhookEvent,
)
from talkjs_async.models.messages import Message
from talkjs_async.models.users import User

USER_JSON = {"id": "alice", "name": "Alice", "createdAt": 1}
MESSAGE_JSON = {"id": "m", "conversationId": "c", "type": "UserMessage", "createdAt": 2}
CONVERSATION_JSON = {"id": "c", "createdAt": 3}

USER = User(id="alice", name="Alice", created_at_ms=1)
MESSAGE = Message(id="m", conversation_id="c", type="UserMessage", created_at_ms=2)
CONVERSATION = Conversation(id="c", created_at_ms=3)

TALK = {"sender": USER_JSON, "conversation": CONVERSATION_JSON, "message": MESSAGE_JSON}
REMINDER = {
    "notificationId": "ntf_1",
    "recipient": USER_JSON,
    "sender": USER_JSON,
    "conversation": CONVERSATION_JSON,
    "messages": [MESSAGE_JSON],
}

EVENTS: list[tuple[str, dict[str, Any], type[WebhookEvent], set[str]]] = [
    ("user.created", {"user": USER_JSON}, UserCreated, {"user"}),
    ("user.updated", {"user": USER_JSON}, UserUpdated, {"user"}),
    ("message.sent", TALK, MessageSent, {"message", "conversation", "sender"}),
    ("message.updated", TALK, MessageUpdated, {"message", "conversation", "sender"}),
    ("message.deleted", TALK, MessageDeleted, {"message", "conversation", "sender"}),
    (
        "message.read",
        {"message": MESSAGE_JSON, "recipient": USER_JSON, "conversation": CONVERSATION_JSON},
        MessageRead,
        {"message", "recipient", "conversation"},
    ),
    (
        "conversation.deleted",
        {"conversation": CONVERSATION_JSON},
        ConversationDeleted,
        {"conversation"},
    ),
    *(
        (
            type_,
            REMINDER,
            kind,
            {"notification_id", "recipient", "sender", "conversation", "messages"},
        )
        for type_, kind in (
            ("notification.triggered", NotificationTriggered),
            ("notification.sent", NotificationSent),
            ("notification.delivered", NotificationDelivered),
            ("notification.bounced", NotificationBounced),
            ("notification.opened", NotificationOpened),
            ("notification.link.clicked", NotificationLinkClicked),
        )
    ),
]

PARTS = {
    "user": USER,
    "sender": USER,
    "recipient": USER,
    "message": MESSAGE,
    "conversation": CONVERSATION,
    "notification_id": "ntf_1",
    "messages": (MESSAGE,),
}


def payload(type_: str, data: object) -> dict[str, Any]:
    """The JSON of a webhook."""
    return {"id": "evt_1", "type": type_, "createdAt": 1_700_000_000_000, "data": data}


@pytest.mark.parametrize(
    ("type_", "data", "kind", "parts"), EVENTS, ids=[event[0] for event in EVENTS]
)
def test_an_event_is_read_with_its_parts(
    type_: str, data: dict[str, Any], kind: type[WebhookEvent], parts: set[str]
) -> None:
    event = read_event(payload(type_, data))

    assert kind is type(event)
    assert (type_, "evt_1") == (event.type, event.id)
    assert datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == event.created_at
    assert {part: PARTS[part] for part in parts} == {part: getattr(event, part) for part in parts}
    assert data == event.data
    assert isinstance(hash(event), int)


@pytest.mark.parametrize(
    ("type_", "data", "kind", "parts"), EVENTS, ids=[event[0] for event in EVENTS]
)
def test_only_what_an_event_is_about_must_be_readable(
    type_: str, data: dict[str, Any], kind: type[WebhookEvent], parts: set[str]
) -> None:
    fields = {field.name: field for field in attrs.fields(kind)}
    needed = {part for part in parts if fields[part].default is attrs.NOTHING}
    keys = {"notification_id": "notificationId"}

    for part in parts:
        broken = {**data, keys.get(part, part): {"id": 5}}
        event = read_event(payload(type_, broken))

        assert type(event) is (UnknownEvent if part in needed else kind)
        assert broken == event.data
        if isinstance(event, UnknownEvent):
            assert f"at $.data.{part}" in str(event.reason)
            assert str(event.reason) in repr(event)


@pytest.mark.parametrize("data", [{"user": None}, {"user": {"id": 1}}, {}, [], None])
def test_an_event_that_cannot_be_read_is_kept_as_it_came(data: Any) -> None:
    event = read_event(payload("user.created", data))

    assert (
        UnknownEvent(
            type="user.created", id="evt_1", created_at_ms=1_700_000_000_000, data=data or {}
        )
        == event
    )


def test_an_event_of_a_new_type_is_kept_with_its_new_keys() -> None:
    event = read_event({**payload("poll.closed", {"winner": "a"}), "version": 2})

    assert isinstance(event, UnknownEvent)
    assert ("poll.closed", {"winner": "a"}, {"version": 2}) == (event.type, event.data, event.extra)
    assert event.reason is None


def test_a_key_of_the_data_that_is_asked_for_as_an_attribute_is_told_to_be_a_key() -> None:
    data: Any = read_event(payload("poll.closed", {"winner": "a"})).data

    with pytest.raises(AttributeError, match=r"'winner': it is a key, .* \['winner'\]$"):
        data.winner  # noqa: B018 - to ask is all
    with pytest.raises(AttributeError, match=r"no attribute 'loser'$"):
        data.loser  # noqa: B018


@pytest.mark.parametrize(
    ("created_at", "read"),
    [(5, 5), ("6", 6), (7.0, 7), (None, None), ("yesterday", None), ("9" * 20, None), (True, None)],
)
def test_a_time_is_read_as_far_as_it_can_be(created_at: Any, read: int | None) -> None:
    event = read_event({**payload("x", {}), "createdAt": created_at})

    assert read == event.created_at_ms


@pytest.mark.parametrize("wire", [None, [], {}, {"id": "e"}, {"type": "x"}, {"id": "", "type": 5}])
def test_what_is_no_event_is_our_error(wire: Any) -> None:
    with pytest.raises(DecodeError):
        read_event(wire)
