"""Tests of the bot. There is no conftest.py: the fixtures come with talkjs-async."""

import pytest
from bot import app

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator
from talkjs_async.pytest_plugin import WireApp

pytestmark = pytest.mark.anyio

CHAT = {
    "users": {"alice": {"name": "Alice"}, "bot": {"name": "Bot"}},
    "conversations": {"c1": {"participants": ["alice", "bot"]}},
}


async def texts(talkjs: AsyncTalkJS) -> list[str]:
    """Return all messages, the oldest first."""
    messages = await talkjs.messages.list("c1").collect()
    return [message.plain_text() for message in reversed(messages)]


async def test_the_bot_answers(
    talkjs: AsyncTalkJS, talkjs_emulator: Emulator, talkjs_app: WireApp
) -> None:
    talkjs_emulator.load(CHAT)
    talkjs_app(app)

    talkjs_emulator.simulate_user("alice").say("c1", "Hello")
    await talkjs_emulator.webhooks.settle()

    assert await texts(talkjs) == ["Hello", "You said: Hello"]


@pytest.mark.talkjs_fault("drop-after-commit", on="POST /conversations/*/messages", first=1)
async def test_it_answers_once_though_the_connection_breaks(
    talkjs: AsyncTalkJS, talkjs_emulator: Emulator, talkjs_app: WireApp
) -> None:
    talkjs_emulator.load(CHAT)
    talkjs_app(app)

    talkjs_emulator.simulate_user("alice").say("c1", "Hello")
    await talkjs_emulator.webhooks.settle()

    assert await texts(talkjs) == ["Hello", "You said: Hello"]
    attempts = talkjs_emulator.requests.find("POST /conversations/*/messages")
    assert [request.attempt for request in attempts] == [1, 2]


async def test_it_reminds_once_a_day(
    talkjs: AsyncTalkJS, talkjs_emulator: Emulator, talkjs_app: WireApp
) -> None:
    talkjs_emulator.load(CHAT)
    http = talkjs_app(app)

    now = [(await http.post("/reminders/c1")).json()["id"] for _ in range(2)]
    talkjs_emulator.advance(25 * 3600)
    later = (await http.post("/reminders/c1")).json()["id"]

    assert now[0] == now[1] != later
    assert await texts(talkjs) == ["Anything else?"] * 2


@pytest.mark.talkjs_fault("return-503", on="POST /conversations/*/messages", first=99)
@pytest.mark.talkjs_allow("unfired_faults")
async def test_an_outage_is_a_502_of_ours(talkjs_emulator: Emulator, talkjs_app: WireApp) -> None:
    talkjs_emulator.load(CHAT)
    http = talkjs_app(app)

    answer = await http.post("/reminders/c1")

    assert (answer.status_code, answer.json()["detail"]) == (502, "Bad Gateway")


async def test_a_forged_webhook_is_refused(
    talkjs: AsyncTalkJS, talkjs_emulator: Emulator, talkjs_app: WireApp
) -> None:
    talkjs_emulator.load(CHAT)
    talkjs_app(app)

    talkjs_emulator.simulate_user("alice").say("c1", "Hello")
    talkjs_emulator.webhooks.tamper("signature")
    await talkjs_emulator.webhooks.settle()

    assert await texts(talkjs) == ["Hello"]
