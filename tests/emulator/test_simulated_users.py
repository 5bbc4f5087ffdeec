"""People in front of a chat."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from talkjs_async.emulator import Emulator, Problem

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]


async def test_what_a_simulated_user_says_is_a_message_from_the_web(
    emulator: Emulator, send: Send
) -> None:
    message_id = emulator.simulate_user("alice").say("chat", "hi")

    message = (await send("GET", f"/conversations/chat/messages/{message_id}")).json()
    assert (message["origin"], message["senderId"]) == ("web", "alice")
    assert emulator.commits[-1].kind == "message.sent"


async def test_typing_lasts_ten_seconds_or_until_the_message(
    emulator: Emulator, send: Send
) -> None:
    async def typing() -> bool:
        sessions = (await send("GET", "/users/alice/sessions")).json()
        return any(session["isTyping"] for session in sessions)

    alice = emulator.simulate_user("alice")
    alice.type_in("chat")
    assert await typing()
    await emulator.clock.sleep(10)
    assert not await typing()

    alice.type_in("chat")
    alice.say("chat", "hi")
    assert not await typing()
    assert len((await send("GET", "/users/alice/sessions")).json()) == 1


async def test_a_user_who_is_offline_is_nowhere(emulator: Emulator, send: Send) -> None:
    alice = emulator.simulate_user("alice")
    alice.come_online()
    alice.go_offline()
    alice.go_offline()

    assert (await send("GET", "/users/alice/sessions")).json() == []


async def test_reading_is_seen_by_the_others(emulator: Emulator, send: Send) -> None:
    emulator.simulate_user("alice").say("chat", "hi")

    emulator.simulate_user("bob").read("chat")

    (message,) = (await send("GET", "/conversations/chat/messages")).json()["data"]
    assert message["readBy"] == ["bob"]


async def test_no_user_can_do_what_cannot_be(emulator: Emulator) -> None:
    nobody = emulator.simulate_user("nobody")

    with pytest.raises(Problem, match="USER_NOT_FOUND"):
        nobody.come_online()
    with pytest.raises(Problem, match="NOT_A_PARTICIPANT"):
        nobody.say("chat", "hi")
    with pytest.raises(Problem, match="PARTICIPANT_NOT_FOUND"):
        nobody.read("chat")
    with pytest.raises(Problem, match="CONVERSATION_NOT_FOUND"):
        emulator.simulate_user("alice").type_in("none")
