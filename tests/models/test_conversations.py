"""Conversations as they come, and as they are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from talkjs_async.errors import ConfigurationError
from talkjs_async.models._answers import read_email_address
from talkjs_async.models._bodies import ParticipationInput
from talkjs_async.models.conversations import Conversation, ConversationInput, UserConversation
from talkjs_async.models.participants import Participation

WIRE: dict[str, Any] = {
    "id": "orders/7",
    "subject": "Order 7",
    "topicId": None,
    "photoUrl": None,
    "welcomeMessages": ["Hello"],
    "custom": {"state": "open"},
    "lastMessage": None,
    "participants": {
        "alice": {"access": "ReadWrite", "notify": True},
        "bob": {"access": "Read", "notify": "MentionsOnly", "isUnread": True, "joinedAt": 5},
    },
    "createdAt": 1_700_000_000_000,
}


def test_a_conversation_is_read_from_the_documented_object() -> None:
    conversation = Conversation.from_wire(WIRE)

    expected = Conversation(
        id="orders/7",
        subject="Order 7",
        welcome_messages=("Hello",),
        custom={"state": "open"},
        participants={
            "alice": Participation(),
            "bob": Participation(
                access="Read", notify="MentionsOnly", is_unread=True, joined_at_ms=5
            ),
        },
        created_at_ms=1_700_000_000_000,
    )
    assert expected == conversation
    assert datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == conversation.created_at
    assert conversation.everyone_read_until is None


def test_a_conversation_that_everybody_left_has_no_participants() -> None:
    conversation = Conversation.from_wire({**WIRE, "participants": []})

    assert {} == conversation.participants


def test_a_participation_says_when_the_user_came_and_how_far_they_read() -> None:
    bob = Participation.from_wire({"joinedAt": 0, "readUntil": None})

    assert datetime(1970, 1, 1, tzinfo=UTC) == bob.joined_at
    assert bob.read_until is None


def test_words_that_are_new_are_kept() -> None:
    bob = Participation.from_wire({"access": "Whisper", "notify": "Sundays"})

    assert Participation(access="Whisper", notify="Sundays") == bob


def test_a_users_conversation_has_the_fields_of_that_user_too() -> None:
    wire = {
        **WIRE,
        "unreadMessageCount": 2,
        "isUnread": True,
        "access": "Read",
        "notify": False,
        "joinedAt": 0,
        "readUntil": 1000,
        "lastMessageAt": 2000,
        "everyoneReadUntil": 3000,
    }

    conversation = UserConversation.from_wire(wire)

    assert ("Order 7", 2, True) == (
        conversation.subject,
        conversation.unread_message_count,
        conversation.is_unread,
    )
    assert ("Read", False) == (conversation.access, conversation.notify)
    seconds = [
        moment.second
        for moment in (
            conversation.joined_at,
            conversation.read_until,
            conversation.last_message_at,
            conversation.everyone_read_until,
            conversation.created_at,
        )
        if moment is not None
    ]
    assert [0, 1, 2, 3, 20] == seconds
    assert {} == conversation.extra


def test_a_users_conversation_in_the_older_form_has_none_of_them() -> None:
    conversation = UserConversation.from_wire(WIRE)

    assert conversation.unread_message_count is None
    assert conversation.notify is None
    assert conversation.joined_at is None


def test_only_given_fields_are_written_and_none_clears() -> None:
    wire = ConversationInput(participants=["alice"], subject=None, custom={"k": "v"}).to_wire()

    assert {"participants": ("alice",), "subject": None, "custom": {"k": "v"}} == wire
    assert {} == ConversationInput().to_wire()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("participants", None),
        ("participants", "alice"),
        ("participants", [""]),
        ("welcome_messages", "Hello"),
        ("subject", 7),
        ("photo_url", 7),
        ("custom", "k"),
    ],
)
def test_a_wrong_field_is_named(argument: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ConversationInput(**{argument: value})

    assert argument == caught.value.argument


def test_a_participation_is_written_with_what_was_given() -> None:
    wire = ParticipationInput(access="None", notify="MentionsOnly").to_wire()

    assert {"access": "None", "notify": "MentionsOnly"} == wire
    assert {"notify": False} == ParticipationInput(notify=False).to_wire()


@pytest.mark.parametrize(
    ("argument", "value"),
    [("access", "Write"), ("access", None), ("notify", 1), ("notify", "All"), ("notify", None)],
)
def test_a_wrong_word_is_named(argument: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ParticipationInput(**{argument: value})

    assert argument == caught.value.argument


def test_the_email_address_of_a_participant_is_read() -> None:
    assert "x@example.com" == read_email_address({"emailAddress": "x@example.com"})
