"""The promise, in figures: nothing lost, nothing twice, no 429 of our making."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async import AsyncTalkJS, TokenBucket
from talkjs_async.emulator import Emulator, Limits
from tests.fixtures import MakeTalkJS

pytestmark = [pytest.mark.anyio, pytest.mark.harness]


SENDS = 20_000
WORKERS = 100


async def chat(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.conversations.upsert("c1", participants=["alice"])


def add_faults(emulator: Emulator) -> None:
    on = "POST /conversations/*/messages"
    emulator.faults.add("return-503", on=on, p=0.05)
    emulator.faults.add("drop-after-commit", on=on, p=0.02)
    emulator.faults.add("return-429", on=on, p=0.01)


def stored(emulator: Emulator) -> Counter[str]:
    """How often each text was stored: the witness is the commit log, not the answers."""
    return Counter(str(commit.text) for commit in emulator.commits.of("message.sent"))


async def side_by_side(count: int, work: Callable[[int], Any]) -> None:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(worker)


async def test_two_thousand_calls_take_what_the_budget_says_and_meet_no_429(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await talkjs.users.upsert("alice", name="Alice")
    began = emulator.clock.monotonic()

    async with anyio.create_task_group() as tasks:
        for _ in range(2_000):
            tasks.start_soon(talkjs.users.get, "alice")

    took = emulator.clock.monotonic() - began
    assert pytest.approx((2_001 - 600) / 9, rel=0.01) == took
    assert {200} == {exchange.status for exchange in emulator.requests}


@pytest.mark.parametrize("engine", ["httpx"])
async def test_twenty_thousand_sends_through_faults_are_each_stored_once(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.limits = Limits.off()
    bucket = TokenBucket(rate=100_000.0, burst=100_000, clock=emulator.clock)
    talkjs = make_talkjs(limiter=bucket)
    await chat(talkjs)
    add_faults(emulator)
    answered = []

    async def send(number: int) -> None:
        answered.append(await talkjs.messages.send("c1", sender="alice", text=str(number)))

    await side_by_side(SENDS, send)

    assert {str(number): 1 for number in range(SENDS)} == stored(emulator)
    assert SENDS == len({sent.id for sent in answered})
    assert [] == emulator.faults.unfired


@pytest.mark.parametrize("engine", ["httpx"])
async def test_the_same_faults_without_keys_store_some_messages_twice(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.limits = Limits.off()
    await chat(make_talkjs())
    add_faults(emulator)
    headers = {"Authorization": f"Bearer {emulator.secret_key}"}
    url = f"http://emulator/v1/{emulator.app_id}/conversations/c1/messages"

    async with httpx.AsyncClient(transport=emulator.transport, headers=headers) as client:

        async def send(number: int) -> None:
            message = {"type": "UserMessage", "sender": "alice", "text": str(number)}
            for _ in range(8):
                with suppress(httpx.TransportError):
                    if (await client.post(url, json=[message])).status_code == 200:
                        return

        await side_by_side(SENDS // 10, send)

    twice = sum(count - 1 for count in stored(emulator).values())
    assert SENDS // 10 == len(stored(emulator))
    assert twice > 0
