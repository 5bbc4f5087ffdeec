"""Who is online, in the new form and in the old one."""

from __future__ import annotations

from typing import Any

import pytest

from talkjs_async.errors import ConfigurationError, DecodeError
from talkjs_async.models._answers import read_presences, read_user_sessions
from talkjs_async.models._bodies import PresenceQuery
from talkjs_async.models.presences import Presence, PresenceSession, UserSession

SESSION = {
    "selectedConversationId": "orders",
    "custom": {"page": "shop"},
    "hasFocus": True,
    "isTyping": False,
    "sessionId": "s1",
}


def test_presences_are_read_by_user() -> None:
    wire = {
        "data": {
            "alice": {"status": "online", "backgroundSessions": [], "widgets": [SESSION]},
            "bob": {"widgets": []},
        }
    }

    presences = read_presences(wire)

    session = PresenceSession(
        selected_conversation_id="orders",
        custom={"page": "shop"},
        has_focus=True,
        is_typing=False,
        session_id="s1",
    )
    assert {"alice": Presence(status="online", widgets=(session,)), "bob": Presence()} == presences


def test_nobody_online_is_an_empty_map() -> None:
    assert {} == read_presences({"data": []}) == read_presences({"data": {}})


def test_a_wrong_session_is_named_by_user_and_place() -> None:
    with pytest.raises(DecodeError) as caught:
        read_presences({"data": {"alice": {"widgets": [{"hasFocus": "yes"}]}}})

    assert "$.data.alice.widgets[0].hasFocus" == caught.value.json_path


def test_a_query_is_written_with_what_was_given() -> None:
    query = PresenceQuery(
        include_background_sessions=True,
        selected_conversation_id=None,
        has_focus=False,
        is_typing=True,
        user_ids=["alice"],
        expand_user=True,
    )

    assert {
        "includeBackgroundSessions": True,
        "selectedConversationId": None,
        "hasFocus": False,
        "isTyping": True,
        "userIds": ("alice",),
        "expandUser": True,
    } == query.to_wire()
    assert {} == PresenceQuery().to_wire()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("has_focus", 1),
        ("user_ids", "alice"),
        ("selected_conversation_id", ""),
        ("is_typing", "yes"),
    ],
)
def test_a_wrong_query_is_named(argument: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PresenceQuery(**{argument: value})

    assert argument == caught.value.argument


def test_sessions_in_the_old_form_are_a_bare_array() -> None:
    wire = [{"isTyping": True, "currentConversationId": "orders"}, {"isTyping": False}]

    assert (
        UserSession(is_typing=True, current_conversation_id="orders"),
        UserSession(is_typing=False),
    ) == read_user_sessions(wire)
    assert () == read_user_sessions([])
