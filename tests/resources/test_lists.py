"""Lists against the emulator: complete, whatever happens meanwhile, and no request too many."""

from __future__ import annotations

from contextlib import aclosing
from random import Random
from typing import Any, get_args, get_type_hints
from urllib.parse import parse_qsl

import anyio
import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, SystemMessage, UserInput
from talkjs_async.emulator import Emulator, Switches
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

UNKNOWN_CURSOR = get_args(get_type_hints(Switches)["unknown_cursor"])


@pytest.fixture
def engine() -> str:
    """One library is enough: which records come does not depend on it."""
    return "httpx"


async def say(talkjs: AsyncTalkJS, conversation_id: str, count: int) -> None:
    for begin in range(0, count, 10):
        some = [SystemMessage(text=str(number)) for number in range(begin, min(begin + 10, count))]
        await talkjs.messages.send_many(conversation_id, some)


async def open_conversations(talkjs: AsyncTalkJS, emulator: Emulator, count: int) -> None:
    for number in range(count):
        await talkjs.conversations.upsert(f"c{number}")
        await emulator.clock.sleep(1.0)


@pytest.mark.parametrize("unknown_cursor", UNKNOWN_CURSOR)
async def test_messages_can_be_deleted_while_they_are_listed(
    talkjs: AsyncTalkJS, emulator: Emulator, unknown_cursor: Any
) -> None:
    emulator.switches.unknown_cursor = unknown_cursor
    await talkjs.conversations.upsert("c0")
    await say(talkjs, "c0", 250)
    deleted = 0

    async for message in talkjs.messages.list("c0"):
        await talkjs.messages.delete("c0", message_id=message.id)
        deleted += 1

    assert 250 == deleted
    assert [] == await talkjs.messages.list("c0").collect()


@pytest.mark.parametrize("unknown_cursor", UNKNOWN_CURSOR)
@pytest.mark.parametrize("order_direction", ["ASC", "DESC"])
@pytest.mark.parametrize("order_by", ["createdAt", "lastActivity"])
async def test_conversations_can_be_deleted_while_they_are_listed(
    talkjs: AsyncTalkJS,
    emulator: Emulator,
    unknown_cursor: Any,
    order_direction: Any,
    order_by: Any,
) -> None:
    emulator.switches.unknown_cursor = unknown_cursor
    await open_conversations(talkjs, emulator, 75)
    found = talkjs.conversations.list(order_by=order_by, order_direction=order_direction)
    deleted = 0

    async for conversation in found:
        await talkjs.conversations.delete(conversation.id)
        deleted += 1

    assert 75 == deleted


@pytest.mark.parametrize("order_direction", ["ASC", "DESC"])
async def test_conversations_that_are_answered_while_they_are_listed_come_once(
    talkjs: AsyncTalkJS, emulator: Emulator, order_direction: Any
) -> None:
    await open_conversations(talkjs, emulator, 75)
    found = []

    async for conversation in talkjs.conversations.list(order_direction=order_direction):
        await talkjs.messages.send_many(conversation.id, [SystemMessage(text="Still open?")])
        found.append(conversation.id)

    assert {f"c{number}" for number in range(75)} == set(found)
    assert 75 == len(found)


@pytest.mark.parametrize("order_direction", ["ASC", "DESC"])
async def test_moves_within_one_millisecond_lose_nothing(
    talkjs: AsyncTalkJS, emulator: Emulator, order_direction: Any
) -> None:
    conversations = [f"c{number}" for number in range(25)]
    for conversation in conversations:
        await talkjs.conversations.upsert(conversation)
    for seed in range(40):
        chance = Random(seed)
        found = []

        records = talkjs.conversations.list(order_direction=order_direction, page_size=5)
        async for record in records:
            found.append(record.id)
            if chance.random() < 0.5:
                moved = chance.choice(conversations)
                await talkjs.messages.send_many(moved, [SystemMessage(text="Hi")])

        assert set(conversations) == set(found)
        assert 25 == len(found)


@pytest.mark.parametrize(
    ("count", "order_direction", "requests"),
    [
        (29, "DESC", 1),
        (31, "DESC", 3),
        (58, "DESC", 3),
        (29, "ASC", 1),
        (30, "ASC", 2),
        (31, "ASC", 2),
        (61, "ASC", 3),
    ],
)
async def test_lists_by_activity_cost_one_request_more_than_their_pages_at_most(
    talkjs: AsyncTalkJS, emulator: Emulator, count: int, order_direction: Any, requests: int
) -> None:
    await open_conversations(talkjs, emulator, count)
    asked_before = len(emulator.requests)

    found = await talkjs.conversations.list(order_direction=order_direction).collect()

    assert count == len(found)
    assert requests == len(emulator.requests) - asked_before


async def test_a_limit_is_the_number_of_records_and_the_size_of_the_request(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await talkjs.conversations.upsert("c")
    await say(talkjs, "c", 30)
    asked_before = len(emulator.requests)

    newest = await talkjs.messages.list("c", limit=20).collect()

    assert 20 == len(newest)
    assert ["limit=20"] == [exchange.query for exchange in list(emulator.requests)[asked_before:]]


async def test_a_limit_may_exceed_a_page(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    await talkjs.conversations.upsert("c")
    await say(talkjs, "c", 130)

    assert 120 == len(await talkjs.messages.list("c", limit=120).collect())


async def test_pages_of_a_screen_are_read_one_await_at_a_time(talkjs: AsyncTalkJS) -> None:
    await talkjs.conversations.upsert("c")
    await say(talkjs, "c", 25)
    texts: list[str | None] = []
    cursor: str | None = None

    for _ in range(3):
        page = await talkjs.messages.list("c", page_size=10, starting_after=cursor).page()
        texts += [message.text for message in page]
        cursor = page.cursor

    assert [str(number) for number in range(24, -1, -1)] == texts
    assert cursor is None


async def test_workers_share_a_list(talkjs: AsyncTalkJS) -> None:
    everyone = {f"u{number}": UserInput(name="Somebody") for number in range(40)}
    await talkjs.users.upsert_many(everyone)
    shared = aiter(talkjs.users.list(page_size=7))
    found: list[str] = []

    async def work() -> None:
        found.extend([user.id async for user in shared])

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(work)

    assert 40 == len(found)
    assert set(everyone) == set(found)


async def test_a_list_can_be_closed_like_a_generator(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert("alice", name="Alice")

    async with aclosing(talkjs.users.list()) as users:
        assert ["alice"] == [user.id async for user in users]


@pytest.mark.parametrize("served", ["reject", "clamp", "up_to_100"])
async def test_no_more_conversations_are_asked_for_than_every_server_serves(
    make_talkjs: MakeTalkJS, emulator: Emulator, served: Any
) -> None:
    """Older programs get 50 and 100 with one request; a larger page was refused in 2023."""
    emulator.switches.limit_over_max = served
    talkjs = make_talkjs()
    for number in range(65):
        await talkjs.conversations.upsert(f"c{number}")
    before = emulator.requests.total

    found = [chat.id async for chat in talkjs.conversations.list(order_by="createdAt")]

    assert sorted(f"c{number}" for number in range(65)) == sorted(found)
    asked = [dict(parse_qsl(one.query))["limit"] for one in list(emulator.requests)[before:]]
    assert {"30"} == set(asked)
    with pytest.raises(ConfigurationError, match="page_size"):
        talkjs.conversations.list(page_size=31)


async def test_a_server_that_serves_a_hundred_conversations_shows_them(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.switches.limit_over_max = "up_to_100"
    talkjs = make_talkjs()
    for number in range(65):
        await talkjs.conversations.upsert(f"c{number}")

    answer = await talkjs.request("GET", "/conversations", params={"limit": "100"})

    assert 65 == len(answer["data"])
