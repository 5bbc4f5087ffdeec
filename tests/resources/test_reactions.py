"""Reactions: every method, against the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, BadRequest, DecodeError, NotFound
from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]


async def shown(talkjs: AsyncTalkJS, message_id: str) -> list[tuple[str, int | None]]:
    """The reactions on a message, with how many users chose them."""
    message = await talkjs.messages.get("chat", message_id=message_id)
    return [(emoji, reaction.count) for emoji, reaction in message.reactions.items()]


async def test_reactions_are_added_counted_and_taken_back(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    await talkjs.reactions.add("chat", message_id=sent.id, emoji="👍🏽", user_id="alice")
    await talkjs.reactions.add("chat", message_id=sent.id, emoji="👍🏽", user_id="bob")
    await talkjs.reactions.add("chat", message_id=sent.id, emoji=":party:", user_id="bob")
    added = await shown(talkjs, sent.id)
    await talkjs.reactions.remove("chat", message_id=sent.id, emoji="👍🏽", user_id="bob")
    await talkjs.reactions.remove("chat", message_id=sent.id, emoji=":party:", user_id="bob")

    assert [("👍🏽", 2), (":party:", 1)] == added
    assert [("👍🏽", 1)] == await shown(talkjs, sent.id)


async def test_doing_it_twice_changes_nothing(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    for _ in range(2):
        await talkjs.reactions.add("chat", message_id=sent.id, emoji="🎉", user_id="bob")
    added = await shown(talkjs, sent.id)
    for _ in range(2):
        await talkjs.reactions.remove("chat", message_id=sent.id, emoji="🎉", user_id="bob")

    assert [("🎉", 1)] == added
    assert [] == await shown(talkjs, sent.id)


async def reactors(talkjs: AsyncTalkJS, message_id: str, **options: Any) -> list[str]:
    listed = talkjs.reactions.list("chat", message_id=message_id, emoji="👍", **options)
    return [reaction.user_id async for reaction in listed]


@pytest.mark.parametrize("shape", ["data", "bare"])
async def test_who_reacted_is_listed_page_by_page(
    talkjs: AsyncTalkJS, emulator: Emulator, shape: Any
) -> None:
    emulator.switches.reaction_list = shape
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")
    await talkjs.users.upsert("carol", name="Carol")
    for user in ("alice", "bob", "carol"):
        await talkjs.reactions.add("chat", message_id=sent.id, emoji="👍", user_id=user)

    assert ["carol", "bob", "alice"] == await reactors(talkjs, sent.id)
    assert ["carol", "bob", "alice"] == await reactors(talkjs, sent.id, page_size=2)
    assert ["alice"] == await reactors(talkjs, sent.id, starting_after="bob")
    assert ["carol", "bob"] == await reactors(talkjs, sent.id, limit=2)


async def test_an_emoji_that_was_not_used_has_no_reactors(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    assert [] == await reactors(talkjs, sent.id)


async def test_a_server_that_shows_the_latest_page_only_is_told_not_repeated(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.switches.reaction_pages = "first"
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")
    for user in ("alice", "bob"):
        await talkjs.reactions.add("chat", message_id=sent.id, emoji="👍", user_id=user)

    assert ["bob", "alice"] == await reactors(talkjs, sent.id, page_size=3)
    with pytest.raises(DecodeError, match="the list goes round in a circle"):
        await reactors(talkjs, sent.id, page_size=1)


async def test_an_emoji_may_come_back_fully_qualified(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")

    await talkjs.reactions.add("chat", message_id=sent.id, emoji="❤", user_id="bob")

    assert [("❤\ufe0f", 1)] == await shown(talkjs, sent.id)


async def test_the_fifty_first_emoji_is_refused(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")
    for number in range(50):
        await talkjs.reactions.add("chat", message_id=sent.id, emoji=f":e{number}:", user_id="bob")

    with pytest.raises(BadRequest, match="50"):
        await talkjs.reactions.add("chat", message_id=sent.id, emoji=":e50:", user_id="bob")


async def test_what_is_not_there_is_not_found(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(NotFound, match="MESSAGE_NOT_FOUND"):
        await talkjs.reactions.add("chat", message_id="msg_0", emoji="🎉", user_id="bob")
    with pytest.raises(NotFound, match="MESSAGE_NOT_FOUND"):
        await talkjs.reactions.list("chat", message_id="msg_0", emoji="🎉").first()
