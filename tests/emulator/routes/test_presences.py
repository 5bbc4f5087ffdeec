"""Presences and the older sessions."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]


async def query(send: Send, **asked: Any) -> dict[str, Any]:
    answer = await send("POST", "/presences", asked)
    assert answer.status_code == 200
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_no_user_is_online_at_first(send: Send) -> None:
    assert await query(send) == {}


async def test_a_presence_shows_the_sessions(emulator: Emulator, send: Send) -> None:
    alice = emulator.simulate_user("alice")
    tab = alice.come_online(conversation="chat", has_focus=True, custom={"page": "1"})
    app = alice.come_online(visible=False)

    assert await query(send) == {
        "alice": {
            "status": "online",
            "widgets": [
                {
                    "selectedConversationId": "chat",
                    "custom": {"page": "1"},
                    "hasFocus": True,
                    "isTyping": False,
                    "sessionId": tab,
                }
            ],
            "backgroundSessions": [
                {
                    "selectedConversationId": None,
                    "custom": {},
                    "hasFocus": False,
                    "isTyping": False,
                    "sessionId": app,
                }
            ],
        }
    }
    emulator.switches.presence_shape = "widgets"
    assert list((await query(send))["alice"]) == ["widgets"]


async def test_a_query_restricts(emulator: Emulator, send: Send) -> None:
    emulator.simulate_user("alice").come_online(conversation="chat", has_focus=True)
    emulator.simulate_user("bob").come_online(visible=False)

    assert list(await query(send)) == ["alice"]
    assert list(await query(send, includeBackgroundSessions=True)) == ["alice", "bob"]
    everybody = {"includeBackgroundSessions": True}
    assert list(await query(send, **everybody, selectedConversationId="chat")) == ["alice"]
    assert list(await query(send, **everybody, selectedConversationId=None)) == ["bob"]
    assert list(await query(send, **everybody, hasFocus=False)) == ["bob"]
    assert list(await query(send, **everybody, isTyping=True)) == []
    assert list(await query(send, **everybody, userIds=["bob", "carol"])) == ["bob"]


async def test_a_user_can_be_embedded(emulator: Emulator, send: Send) -> None:
    emulator.simulate_user("alice").come_online()

    assert (await query(send, expandUser=True))["alice"]["user"]["name"] == "Alice"
    assert "user" not in (await query(send))["alice"]


@pytest.mark.parametrize(
    "asked",
    [{"hasFocus": "yes"}, {"userIds": "alice"}, {"selectedConversationId": 1}, {"isTyping": None}],
)
async def test_a_wrong_query_is_refused(send: Send, asked: dict[str, Any]) -> None:
    assert (await send("POST", "/presences", asked)).status_code == 400


async def test_sessions_show_the_same_in_the_older_shape(emulator: Emulator, send: Send) -> None:
    assert (await send("GET", "/users/alice/sessions")).json() == []
    emulator.simulate_user("alice").type_in("chat")

    assert (await send("GET", "/users/alice/sessions")).json() == [
        {"isTyping": True, "currentConversationId": "chat"}
    ]
    assert (await send("GET", "/users/nobody/sessions")).status_code == 404
    emulator.switches.old_sessions = "gone"
    assert (await send("GET", "/users/alice/sessions")).status_code == 404


async def test_users_can_be_listed_by_being_online(emulator: Emulator, send: Send) -> None:
    emulator.simulate_user("bob").come_online()

    online = (await send("GET", "/users", isOnline="true")).json()["data"]
    offline = (await send("GET", "/users", isOnline="false")).json()["data"]

    assert (["bob"], ["alice"]) == ([one["id"] for one in online], [one["id"] for one in offline])
