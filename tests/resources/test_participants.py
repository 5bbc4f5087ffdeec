"""Participants: every method, against the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from talkjs_async import APIError, AsyncTalkJS, NotFound, Participation
from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]


async def settings(talkjs: AsyncTalkJS, user_id: str) -> tuple[object, object] | None:
    """What a user may do in the conversation "chat". None: does not take part."""
    conversation = await talkjs.conversations.get("chat")
    participant: Participation | None = conversation.participants.get(user_id)
    return None if participant is None else (participant.access, participant.notify)


async def test_put_lets_a_user_join_with_everything(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert("carol", name="Carol")

    await talkjs.participants.add("chat", user_id="carol")

    assert ("ReadWrite", True) == await settings(talkjs, "carol")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"access": "Read"}, ("Read", True)),
        ({"notify": False}, ("ReadWrite", False)),
        ({"notify": "MentionsOnly", "access": "Read"}, ("Read", "MentionsOnly")),
        ({}, ("ReadWrite", True)),
    ],
    ids=str,
)
async def test_put_overwrites_what_was_set_before(
    talkjs: AsyncTalkJS, options: dict[str, Any], expected: object
) -> None:
    await talkjs.participants.update("chat", user_id="alice", access="None", notify=False)

    await talkjs.participants.add("chat", user_id="alice", **options)

    assert expected == await settings(talkjs, "alice")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"access": "None"}, ("None", "MentionsOnly")),
        ({"access": "Read"}, ("Read", "MentionsOnly")),
        ({"notify": False}, ("ReadWrite", False)),
    ],
    ids=str,
)
async def test_patch_changes_only_what_is_given(
    talkjs: AsyncTalkJS, emulator: Emulator, options: dict[str, Any], expected: object
) -> None:
    emulator.switches.none_participants = "listed"
    await talkjs.participants.add("chat", user_id="alice", notify="MentionsOnly")

    await talkjs.participants.update("chat", user_id="alice", **options)

    assert expected == await settings(talkjs, "alice")


async def test_a_participant_without_access_is_not_shown_and_can_be_let_in_again(
    talkjs: AsyncTalkJS,
) -> None:
    await talkjs.participants.update("chat", user_id="alice", access="None", notify=False)
    hidden = await settings(talkjs, "alice")

    await talkjs.participants.update("chat", user_id="alice", access="Read")

    assert hidden is None
    assert ("Read", False) == await settings(talkjs, "alice")


async def test_patching_somebody_who_does_not_take_part_is_an_error(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert("carol", name="Carol")

    with pytest.raises(APIError):
        await talkjs.participants.update("chat", user_id="carol", access="Read")


async def test_a_removed_user_is_out_of_the_conversation_and_their_list(
    talkjs: AsyncTalkJS,
) -> None:
    await talkjs.participants.remove("chat", user_id="alice")

    assert await settings(talkjs, "alice") is None
    assert [] == await talkjs.users.list_conversations("alice").collect()


async def test_a_conversation_may_lose_its_last_participant(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await talkjs.participants.remove("chat", user_id="alice")
    await talkjs.participants.remove("chat", user_id="bob")

    assert {} == (await talkjs.conversations.get("chat")).participants


async def test_ids_may_hold_anything(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    await talkjs.users.upsert("ü/%🙂", name="Odd")
    await talkjs.conversations.upsert("c/?#")

    await talkjs.participants.add("c/?#", user_id="ü/%🙂")
    await talkjs.participants.update("c/?#", user_id="ü/%🙂", notify=False)
    joined = await talkjs.conversations.get("c/?#")
    await talkjs.participants.remove("c/?#", user_id="ü/%🙂")
    left = await talkjs.conversations.get("c/?#")

    assert (["ü/%🙂"], []) == (list(joined.participants), list(left.participants))


async def test_the_address_that_writes_as_a_user_is_read(talkjs: AsyncTalkJS) -> None:
    of_alice = await talkjs.participants.get_email("chat", user_id="alice")
    of_bob = await talkjs.participants.get_email("chat", user_id="bob")

    assert of_alice.partition("@")[2] == of_bob.partition("@")[2]
    assert of_alice != of_bob


async def test_who_does_not_take_part_has_no_such_address(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(NotFound):
        await talkjs.participants.get_email("chat", user_id="carol")
