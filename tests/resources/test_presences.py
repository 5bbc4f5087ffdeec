"""Presences, in both forms: the present one and the older sessions of a user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, DecodeError
from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]

AnsweredWith = Callable[..., AsyncTalkJS]


@pytest.fixture
async def online(talkjs: AsyncTalkJS, emulator: Emulator, chat: None) -> None:
    """Alice types in the chat, Bob has no chat in sight, Carol looks at her inbox."""
    await talkjs.users.upsert("carol", name="Carol")
    alice = emulator.simulate_user("alice")
    alice.come_online(conversation="chat", has_focus=True, custom={"page": "home"})
    alice.type_in("chat")
    emulator.simulate_user("bob").come_online(visible=False)
    emulator.simulate_user("carol").come_online()


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"alice", "carol"}),
        ({"include_background_sessions": True}, {"alice", "bob", "carol"}),
        ({"selected_conversation_id": "chat"}, {"alice"}),
        ({"selected_conversation_id": None}, {"carol"}),
        ({"has_focus": True}, {"alice"}),
        ({"has_focus": False}, {"carol"}),
        ({"is_typing": True}, {"alice"}),
        ({"is_typing": False}, {"carol"}),
        ({"user_ids": ["bob", "carol"]}, {"carol"}),
        ({"user_ids": []}, set()),
        ({"user_ids": {"alice"}, "is_typing": True}, {"alice"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
async def test_those_who_are_online_are_found(
    talkjs: AsyncTalkJS, options: dict[str, Any], expected: set[str]
) -> None:
    presences = await talkjs.presences.query(**options)

    assert expected == set(presences)


@pytest.mark.usefixtures("online")
async def test_a_presence_tells_what_the_user_looks_at(talkjs: AsyncTalkJS) -> None:
    presences = await talkjs.presences.query(include_background_sessions=True, expand_user=True)

    alice, bob = presences["alice"], presences["bob"]
    [chat] = alice.widgets
    assert ("online", ()) == (alice.status, alice.background_sessions)
    assert ("chat", True, True) == (chat.selected_conversation_id, chat.has_focus, chat.is_typing)
    assert {"page": "home"} == chat.custom
    assert ((), 1) == (bob.widgets, len(bob.background_sessions))
    assert "Alice" == alice.extra["user"]["name"]


@pytest.mark.usefixtures("online")
async def test_an_answer_may_have_only_widgets(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    emulator.switches.presence_shape = "widgets"

    presences = await talkjs.presences.query()

    assert (None, (), 1) == (
        presences["alice"].status,
        presences["alice"].background_sessions,
        len(presences["alice"].widgets),
    )


async def test_a_lost_answer_is_asked_for_again(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    emulator.faults.add("drop-after-commit", on="POST /presences", first=1)

    assert {} == await talkjs.presences.query()


@pytest.mark.usefixtures("online")
async def test_the_older_form_lists_the_sessions_of_one_user(talkjs: AsyncTalkJS) -> None:
    alice = await talkjs.users.list_sessions("alice")
    carol = await talkjs.users.list_sessions("carol")

    assert [(True, "chat")] == [(one.is_typing, one.current_conversation_id) for one in alice]
    assert [(False, None)] == [(one.is_typing, one.current_conversation_id) for one in carol]


async def test_nobody_has_a_session_who_is_offline(talkjs: AsyncTalkJS) -> None:
    assert () == await talkjs.users.list_sessions("alice")


@pytest.mark.usefixtures("online")
async def test_users_are_listed_by_whether_they_are_online(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.simulate_user("bob").go_offline()

    assert ["carol", "alice"] == [user.id async for user in talkjs.users.list(is_online=True)]
    assert ["bob"] == [user.id async for user in talkjs.users.list(is_online=False)]


@pytest.mark.parametrize(
    ("answer", "json_path"),
    [
        ([], "$.data"),
        ({"data": {"alice": {"widgets": {"a": 1}}}}, "$.data.alice.widgets"),
        ({"data": {"alice": {"widgets": [{"hasFocus": 1}]}}}, "$.data.alice.widgets[0].hasFocus"),
    ],
)
async def test_an_answer_of_a_wrong_shape_is_an_error_that_names_the_place(
    answered_with: AnsweredWith, answer: object, json_path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        await answered_with(answer).presences.query()

    assert json_path == caught.value.json_path
