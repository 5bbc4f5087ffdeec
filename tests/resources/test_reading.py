"""Marking conversations as read and unread: two contradicting forms, both reachable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, NotFound
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


async def test_everything_is_marked_as_read_and_as_unread(
    talkjs: AsyncTalkJS, emulator: Emulator, two_messages: datetime
) -> None:
    await talkjs.conversations.mark_as_read("chat", "bob")
    read = await unread_by_bob(talkjs)
    await talkjs.conversations.mark_as_unread("chat", "bob")
    unread = await unread_by_bob(talkjs)

    assert (0, 2) == (read, unread)
    assert 1 == len(emulator.requests.find("POST /conversations/chat/readBy/bob"))
    assert 1 == len(emulator.requests.find("PATCH /users/bob/conversations/chat"))


async def test_a_moment_divides_the_read_from_the_unread(
    talkjs: AsyncTalkJS, two_messages: datetime
) -> None:
    await talkjs.conversations.mark_as_read("chat", "bob", until=two_messages)
    read_up_to_first = await unread_by_bob(talkjs)
    await talkjs.conversations.mark_as_read("chat", "bob", until="sent")
    read_all = await unread_by_bob(talkjs)
    milliseconds = int((two_messages + timedelta(seconds=1)).timestamp() * 1000)
    await talkjs.conversations.mark_as_unread("chat", "bob", after=milliseconds)

    assert (1, 0, 1) == (read_up_to_first, read_all, await unread_by_bob(talkjs))


@pytest.mark.parametrize("form", ["read_by", "read_until"])
async def test_one_of_the_two_forms_works_whichever_talkjs_has(
    talkjs: AsyncTalkJS, emulator: Emulator, two_messages: datetime, form: Any
) -> None:
    emulator.switches.mark_as_read = form
    options: dict[str, Any] = {"until": "sent"} if form == "read_until" else {}
    others: dict[str, Any] = {} if form == "read_until" else {"until": "sent"}

    with pytest.raises(NotFound):
        await talkjs.conversations.mark_as_read("chat", "bob", **others)
    await talkjs.conversations.mark_as_read("chat", "bob", **options)

    assert 0 == await unread_by_bob(talkjs)


@pytest.mark.parametrize(
    ("method", "args", "options", "argument"),
    [
        ("mark_as_read", ["", "bob"], {}, "conversation_id"),
        ("mark_as_read", ["chat", "."], {}, "user_id"),
        ("mark_as_read", ["chat", "."], {"until": "sent"}, "user_id"),
        ("mark_as_read", ["chat", "bob"], {"until": "now"}, "until"),
        ("mark_as_read", ["chat", "bob"], {"until": datetime(2026, 1, 1)}, "until"),  # noqa: DTZ001
        ("mark_as_read", ["chat", "bob"], {"until": None}, "until"),
        ("mark_as_unread", ["chat", "bob"], {"after": -1}, "after"),
        ("mark_as_unread", ["chat", "bob"], {"after": True}, "after"),
        ("mark_as_unread", ["chat", "bob"], {"after": 1.5}, "after"),
        ("mark_as_unread", ["..", "bob"], {}, "conversation_id"),
    ],
)
async def test_a_wrong_argument_is_named_and_nothing_is_sent(
    talkjs: AsyncTalkJS, method: str, args: list[Any], options: dict[str, Any], argument: str
) -> None:
    sent_before = talkjs.budget.granted

    with pytest.raises(ConfigurationError) as caught:
        await getattr(talkjs.conversations, method)(*args, **options)

    assert argument == caught.value.argument
    assert sent_before == talkjs.budget.granted
