"""
The inferred type of every public method, for mypy and pyright to prove. Never run.

A coroutine that gives None is stated as such, because checkers refuse to use its value.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeAlias, assert_type

from talkjs_async import (
    AsyncTalkJS,
    Budget,
    Call,
    Conversation,
    Message,
    Page,
    Pages,
    SentMessage,
    User,
    UserConversation,
    UserInput,
    UserMessage,
    call_of,
)

NoResult: TypeAlias = Coroutine[Any, Any, None]


async def client(talkjs: AsyncTalkJS) -> None:
    assert_type(talkjs.with_options(lane="background"), AsyncTalkJS)
    assert_type(await talkjs.request("GET", "/users"), Any)
    assert_type(talkjs.budget, Budget)
    await talkjs.aclose()
    async with talkjs as entered:
        assert_type(entered, AsyncTalkJS)


async def users(talkjs: AsyncTalkJS) -> None:
    await assert_type(talkjs.users.upsert("a", name="A", email=None), NoResult)
    await assert_type(talkjs.users.upsert_many({"a": UserInput(name="A")}), NoResult)
    assert_type(await talkjs.users.get("a"), User)
    assert_type(talkjs.users.list(limit=10), Pages[User])
    assert_type(talkjs.users.list_conversations("a"), Pages[UserConversation])


async def conversations(talkjs: AsyncTalkJS) -> None:
    await assert_type(talkjs.conversations.upsert("c", subject=None), NoResult)
    assert_type(await talkjs.conversations.get("c"), Conversation)
    assert_type(talkjs.conversations.list(order_by="createdAt"), Pages[Conversation])
    await assert_type(talkjs.conversations.delete("c"), NoResult)


async def participants(talkjs: AsyncTalkJS) -> None:
    await assert_type(talkjs.participants.put("c", "a", access="Read"), NoResult)
    await assert_type(talkjs.participants.patch("c", "a", notify="MentionsOnly"), NoResult)
    await assert_type(talkjs.participants.remove("c", "a"), NoResult)


async def messages(talkjs: AsyncTalkJS) -> None:
    assert_type(await talkjs.messages.send("c", sender="a", text="hi"), SentMessage)
    assert_type(
        await talkjs.messages.send_many("c", [UserMessage(sender="a", text="hi")]),
        tuple[SentMessage, ...],
    )
    assert_type(await talkjs.messages.get("c", "m"), Message)
    assert_type(talkjs.messages.list("c"), Pages[Message])
    await assert_type(talkjs.messages.edit("c", "m", text="new"), NoResult)
    await assert_type(talkjs.messages.delete("c", "m"), NoResult)


async def pages(pages: Pages[User]) -> None:
    assert_type([user async for user in pages], list[User])
    assert_type([page async for page in pages.pages()], list[Page[User]])
    assert_type(await pages.first(), User | None)
    assert_type(await pages.collect(max_items=5), list[User])
    async for page in pages.pages():
        assert_type(page.items, tuple[User, ...])
        assert_type(page.cursor, str | None)
        assert_type(list(page), list[User])


async def requests_as_values(talkjs: AsyncTalkJS) -> None:
    assert_type(call_of(talkjs.users.get, "a"), Call[User])
    assert_type(call_of(talkjs.users.upsert, "a", name="A"), Call[None])
    assert_type(call_of(talkjs.messages.send, "c", sender="a", text="hi"), Call[SentMessage])
    assert_type(call_of(talkjs.users.list, limit=5), Call[Page[User]])
