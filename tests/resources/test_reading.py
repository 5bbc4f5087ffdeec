"""Marking conversations as read and unread: three forms, each reachable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]


async def unread_by_bob(talkjs: AsyncTalkJS) -> int | None:
    conversation = await talkjs.users.list_conversations("bob").first()
    assert conversation is not None
    return conversation.unread_message_count


@pytest.fixture
async def two_messages(talkjs: AsyncTalkJS, emulator: Emulator) -> datetime:
    """Two messages to Bob, a minute apart; the time of the first."""
    await talkjs.messages.send("chat", sender="alice", text="one")
    first = datetime.fromtimestamp(emulator.clock.time(), UTC)
    await emulator.clock.sleep(60.0)
    await talkjs.messages.send("chat", sender="alice", text="two")
    return first


FORMS = ["participant", "read_by", "user_conversation"]
PATHS = {
    "participant": "PATCH /conversations/chat/participants/bob",
    "read_by": "POST /conversations/chat/readBy/bob",
    "user_conversation": "PATCH /users/bob/conversations/chat",
}


@pytest.mark.parametrize("form", FORMS)
async def test_everything_is_marked_as_read_in_the_form_that_is_chosen(
    talkjs: AsyncTalkJS, emulator: Emulator, two_messages: datetime, form: Any
) -> None:
    emulator.switches.mark_as_read = form

    await talkjs.conversations.mark_as_read("chat", user_id="bob", form=form)

    assert 0 == await unread_by_bob(talkjs)
    assert 1 == len(emulator.requests.find(PATHS[form]))


@pytest.mark.parametrize("form", ["participant", "user_conversation"])
async def test_a_moment_divides_the_read_from_the_unread(
    talkjs: AsyncTalkJS, emulator: Emulator, two_messages: datetime, form: Any
) -> None:
    emulator.switches.mark_as_read = form
    counts = []

    await talkjs.conversations.mark_as_read("chat", user_id="bob", until=two_messages, form=form)
    counts.append(await unread_by_bob(talkjs))
    await talkjs.conversations.mark_as_read("chat", user_id="bob", form=form)
    counts.append(await unread_by_bob(talkjs))
    milliseconds = int((two_messages + timedelta(seconds=1)).timestamp() * 1000)
    await talkjs.conversations.mark_as_unread("chat", user_id="bob", after=milliseconds, form=form)
    counts.append(await unread_by_bob(talkjs))
    await talkjs.conversations.mark_as_unread("chat", user_id="bob", form=form)
    counts.append(await unread_by_bob(talkjs))

    assert [1, 0, 1, 2] == counts


async def test_everything_is_what_was_there_by_the_clock_of_the_client(
    talkjs: AsyncTalkJS, emulator: Emulator, two_messages: datetime
) -> None:
    await talkjs.conversations.mark_as_read("chat", user_id="bob")
    emulator.advance(60)

    await talkjs.messages.send("chat", sender="alice", text="later")

    assert 1 == await unread_by_bob(talkjs)


async def test_the_newest_form_is_the_default(
    talkjs: AsyncTalkJS, emulator: Emulator, two_messages: datetime
) -> None:
    await talkjs.conversations.mark_as_read("chat", user_id="bob")
    await talkjs.conversations.mark_as_unread("chat", user_id="bob")

    assert 2 == len(emulator.requests.find(PATHS["participant"]))
    assert 2 == await unread_by_bob(talkjs)


async def test_how_far_each_participant_has_read_can_be_set_and_read_back(
    talkjs: AsyncTalkJS, two_messages: datetime
) -> None:
    later = two_messages + timedelta(seconds=1)

    await talkjs.participants.update("chat", user_id="bob", notify=False, read_until=two_messages)
    await talkjs.participants.update(
        "chat", user_id="alice", read_until=int(later.timestamp() * 1000)
    )

    conversation = await talkjs.conversations.get("chat")
    bob = conversation.participants["bob"]
    assert (False, two_messages) == (bob.notify, bob.read_until)
    assert later == conversation.participants["alice"].read_until
    assert two_messages == conversation.everyone_read_until
    assert bob.joined_at is not None
    assert bob.joined_at <= two_messages


async def test_answers_without_read_marks_leave_them_open(
    talkjs: AsyncTalkJS, emulator: Emulator, two_messages: datetime
) -> None:
    emulator.switches.read_marks = "absent"

    conversation = await talkjs.conversations.get("chat")

    bob = conversation.participants["bob"]
    assert (None, None, None) == (bob.joined_at, bob.read_until, conversation.everyone_read_until)
