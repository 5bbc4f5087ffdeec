"""Participants."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]

BOB = "/conversations/chat/participants/bob"


async def bob(send: Send) -> dict[str, Any] | None:
    participants = (await send("GET", "/conversations/chat")).json()["participants"]
    place: dict[str, Any] | None = participants.get("bob")
    return place and {key: place[key] for key in ("access", "notify", "isUnread")}


async def test_put_always_overwrites(send: Send) -> None:
    await send("PUT", BOB, {"access": "Read", "notify": "MentionsOnly"})
    assert await bob(send) == {"access": "Read", "notify": "MentionsOnly", "isUnread": False}

    await send("PUT", BOB, {"notify": False})
    assert await bob(send) == {"access": "ReadWrite", "notify": False, "isUnread": False}

    await send("PUT", BOB)
    assert await bob(send) == {"access": "ReadWrite", "notify": True, "isUnread": False}


async def test_patch_changes_only_what_is_given(emulator: Emulator, send: Send) -> None:
    emulator.switches.none_participants = "listed"
    await send("PATCH", BOB, {"access": "None"})
    await send("PATCH", BOB, {"notify": False})

    assert await bob(send) == {"access": "None", "notify": False, "isUnread": False}


async def test_a_participant_without_access_is_hidden_and_still_takes_part(
    emulator: Emulator, send: Send
) -> None:
    await send("PATCH", BOB, {"access": "None", "notify": False})

    assert await bob(send) is None
    assert (await send("PATCH", BOB, {"access": "Read"})).status_code == 200
    assert await bob(send) == {"access": "Read", "notify": False, "isUnread": False}
    assert [] == emulator.commits.of("participant.left")


async def test_a_new_participant_joins_by_put_and_leaves_by_delete(
    emulator: Emulator, send: Send
) -> None:
    await send("DELETE", BOB)
    assert await bob(send) is None
    assert (await send("GET", "/users/bob/conversations")).json()["data"] == []

    await send("PUT", BOB)
    assert await bob(send) is not None
    assert len((await send("GET", "/users/bob/conversations")).json()["data"]) == 1
    assert len(emulator.commits.of("participant.left")) == 1


async def test_the_others_are_404s(send: Send) -> None:
    async def code(method: str, path: str) -> str:
        answer = await send(method, path, {})
        assert answer.status_code == 404
        error: str = answer.json()["errorCode"]
        return error

    base = "/conversations/chat/participants"
    assert await code("PUT", f"{base}/nobody") == "USER_NOT_FOUND"
    assert await code("PATCH", f"{base}/nobody") == "PARTICIPANT_NOT_FOUND"
    assert await code("PUT", "/conversations/none/participants/bob") == "CONVERSATION_NOT_FOUND"


async def test_leaving_without_having_joined(emulator: Emulator, send: Send) -> None:
    path = "/conversations/chat/participants/nobody"
    assert (await send("DELETE", path)).status_code == 404
    assert (await send("DELETE", "/conversations/none/participants/bob")).status_code == 404

    emulator.switches.delete_unknown = "ok"
    assert (await send("DELETE", path)).status_code == 200
    assert (await send("DELETE", "/conversations/none/participants/bob")).status_code == 200


async def test_old_versions_keep_a_left_conversation_in_the_list(
    emulator: Emulator, send: Send
) -> None:
    await send("DELETE", BOB, headers={"TalkJS-REST-Version": "2021-02-09"})

    assert await bob(send) is None
    (kept,) = (await send("GET", "/users/bob/conversations")).json()["data"]
    assert (kept["id"], kept["access"]) == ("chat", "ReadWrite")
    await send("PUT", BOB)
    await send("DELETE", BOB)
    assert (await send("GET", "/users/bob/conversations")).json()["data"] == []
    await send("DELETE", BOB, headers={"TalkJS-REST-Version": "2021-02-09"})
    assert (await send("DELETE", "/conversations/chat")).status_code == 200


async def test_a_participant_has_an_address_to_reply_to(send: Send) -> None:
    address = (await send("GET", f"{BOB}/email")).json()["emailAddress"]

    assert "@" in address
    assert address == (await send("GET", f"{BOB}/email")).json()["emailAddress"]
    alice = "/conversations/chat/participants/alice/email"
    assert address != (await send("GET", alice)).json()["emailAddress"]
    nobody = "/conversations/chat/participants/nobody/email"
    assert (await send("GET", nobody)).status_code == 404


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("PUT", {"access": "None"}),
        ("PUT", {"access": "Write"}),
        ("PUT", {"notify": None}),
        ("PUT", {"notify": 1}),
        ("PATCH", {"notify": "Sometimes"}),
        ("PATCH", {"access": None}),
    ],
)
async def test_a_wrong_value_is_refused(send: Send, method: str, body: object) -> None:
    assert (await send(method, BOB, body)).status_code == 400
