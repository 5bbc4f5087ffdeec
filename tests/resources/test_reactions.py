"""Reactions: every method, against the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, BadRequest, ConfigurationError, NotFound

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]


async def shown(talkjs: AsyncTalkJS, message_id: str) -> list[tuple[str, int | None]]:
    """The reactions on a message, with how many users chose them."""
    message = await talkjs.messages.get("chat", message_id)
    return [(reaction.emoji, reaction.count) for reaction in message.reactions]


async def test_reactions_are_added_counted_and_taken_back(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    await talkjs.reactions.add("chat", sent.id, "👍🏽", "alice")
    await talkjs.reactions.add("chat", sent.id, "👍🏽", "bob")
    await talkjs.reactions.add("chat", sent.id, ":party:", "bob")
    added = await shown(talkjs, sent.id)
    await talkjs.reactions.remove("chat", sent.id, "👍🏽", "bob")
    await talkjs.reactions.remove("chat", sent.id, ":party:", "bob")

    assert [("👍🏽", 2), (":party:", 1)] == added
    assert [("👍🏽", 1)] == await shown(talkjs, sent.id)


async def test_doing_it_twice_changes_nothing(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    for _ in range(2):
        await talkjs.reactions.add("chat", sent.id, "🎉", "bob")
    added = await shown(talkjs, sent.id)
    for _ in range(2):
        await talkjs.reactions.remove("chat", sent.id, "🎉", "bob")

    assert [("🎉", 1)] == added
    assert [] == await shown(talkjs, sent.id)


async def test_an_emoji_may_come_back_fully_qualified(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    await talkjs.reactions.add("chat", sent.id, "❤", "bob")

    assert [("❤\ufe0f", 1)] == await shown(talkjs, sent.id)


async def test_the_fifty_first_emoji_is_refused(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")
    for number in range(50):
        await talkjs.reactions.add("chat", sent.id, f":e{number}:", "bob")

    with pytest.raises(BadRequest, match="50"):
        await talkjs.reactions.add("chat", sent.id, ":e50:", "bob")


async def test_what_is_not_there_is_not_found(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(NotFound, match="MESSAGE_NOT_FOUND"):
        await talkjs.reactions.add("chat", "msg_0", "🎉", "bob")


@pytest.mark.parametrize(
    ("args", "argument"),
    [
        (["", "m", "🎉", "a"], "conversation_id"),
        (["c", ".", "🎉", "a"], "message_id"),
        (["c", "m", "", "a"], "emoji"),
        (["c", "m", ":open", "a"], "emoji"),
        (["c", "m", ":a:b:", "a"], "emoji"),
        (["c", "m", ":" + "x" * 49 + ":", "a"], "emoji"),
        (["c", "m", None, "a"], "emoji"),
        (["c", "m", "🎉", ".."], "user_id"),
    ],
)
@pytest.mark.parametrize("method", ["add", "remove"])
async def test_a_wrong_argument_is_named_and_nothing_is_sent(
    talkjs: AsyncTalkJS, method: str, args: list[Any], argument: str
) -> None:
    sent_before = talkjs.budget.granted

    with pytest.raises(ConfigurationError) as caught:
        await getattr(talkjs.reactions, method)(*args)

    assert argument == caught.value.argument
    assert sent_before == talkjs.budget.granted
