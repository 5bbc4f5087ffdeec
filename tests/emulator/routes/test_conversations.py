"""Conversations."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]

FULL: dict[str, Any] = {
    "participants": ["alice", "bob"],
    "subject": "Hats",
    "welcomeMessages": ["Be nice"],
    "custom": {"order": "7"},
    "photoUrl": "https://example.com/hat.png",
}


async def ids(send: Send, path: str = "/conversations", **query: str | int) -> list[str]:
    answer = await send("GET", path, **query)
    assert answer.status_code == 200
    return [conversation["id"] for conversation in answer.json()["data"]]


async def say(send: Send, conversation: str, text: str = "hi", sender: str = "alice") -> str:
    message = [{"type": "UserMessage", "sender": sender, "text": text}]
    answer = await send("POST", f"/conversations/{conversation}/messages", message)
    id_: str = answer.json()[0]["id"]
    return id_


@pytest.mark.usefixtures("chat")
async def test_what_is_put_can_be_got(send: Send) -> None:
    assert (await send("PUT", "/conversations/hats", FULL)).json() == {}

    got = (await send("GET", "/conversations/hats")).json()

    place = {
        "access": "ReadWrite",
        "notify": True,
        "isUnread": False,
        "joinedAt": 1767225600000,
        "readUntil": None,
    }
    assert got == {
        **FULL,
        "id": "hats",
        "topicId": None,
        "lastMessage": None,
        "participants": {"alice": place, "bob": place},
        "createdAt": 1767225600000,
        "everyoneReadUntil": 0,
    }


@pytest.mark.usefixtures("chat")
async def test_only_what_is_given_changes_and_no_participant_is_removed(send: Send) -> None:
    await send("PUT", "/users/carol", {"name": "Carol"})
    await send("PUT", "/conversations/hats", FULL)
    await send("PATCH", "/conversations/hats/participants/bob", {"access": "Read"})

    await send(
        "PUT",
        "/conversations/hats",
        {"subject": None, "participants": ["carol", "bob"], "custom": {"paid": "yes"}},
    )

    got = (await send("GET", "/conversations/hats")).json()
    assert set(got["participants"]) == {"alice", "bob", "carol"}
    assert got["participants"]["bob"]["access"] == "Read"
    assert (got["subject"], got["photoUrl"]) == (None, FULL["photoUrl"])
    assert got["custom"] == {"order": "7", "paid": "yes"}


async def test_an_empty_body_makes_an_empty_conversation(emulator: Emulator, send: Send) -> None:
    assert (await send("PUT", "/conversations/c")).status_code == 200

    assert (await send("GET", "/conversations/c")).json()["participants"] == {}
    emulator.switches.empty_participants = "list"
    assert (await send("GET", "/conversations/c")).json()["participants"] == []


async def test_participants_have_to_be_synchronized_first(emulator: Emulator, send: Send) -> None:
    refused = await send("PUT", "/conversations/c", {"participants": ["nobody"]})
    assert (refused.status_code, refused.json()["errorCode"]) == (404, "USER_NOT_FOUND")
    assert len(emulator.commits) == 0

    emulator.switches.put_conversation_unknown_user = "ok"
    await send("PUT", "/conversations/c", {"participants": ["nobody"]})
    assert "nobody" in (await send("GET", "/conversations/c")).json()["participants"]
    assert (await send("DELETE", "/conversations/c")).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("participants", None),
        ("participants", {"alice": {}}),
        ("subject", 1),
        ("welcomeMessages", "hi"),
        ("custom", {"a": True}),
        ("photoUrl", []),
    ],
)
async def test_a_wrong_field_is_named(send: Send, field: str, value: object) -> None:
    refused = await send("PUT", "/conversations/c", {field: value})

    assert refused.status_code == 400
    assert refused.json()["reasons"][0].startswith(f"{field}: ")


@pytest.mark.usefixtures("chat")
async def test_a_message_makes_a_conversation_unread_for_the_others(send: Send) -> None:
    await say(send, "chat", sender="alice")

    participants = (await send("GET", "/conversations/chat")).json()["participants"]

    assert {"alice": False, "bob": True} == {
        user_id: place["isUnread"] for user_id, place in participants.items()
    }


@pytest.mark.usefixtures("chat")
async def test_the_last_message_is_part_of_the_conversation(send: Send) -> None:
    await say(send, "chat", "first")
    last = await say(send, "chat", "last")

    assert (await send("GET", "/conversations/chat")).json()["lastMessage"]["id"] == last


async def test_an_unknown_conversation_is_a_404(send: Send) -> None:
    answer = await send("GET", "/conversations/none")

    assert (answer.status_code, answer.json()["errorCode"]) == (404, "CONVERSATION_NOT_FOUND")


@pytest.fixture
async def four(emulator: Emulator, send: Send) -> None:
    """Conversations a, b, c, d made in that order; then a message in b, then one in a."""
    await send("PUT", "/users/alice", {"name": "Alice"})
    await send("PUT", "/users/bob", {"name": "Bob"})
    for conversation in "abcd":
        await emulator.clock.sleep(1)
        members = ["alice"] if conversation == "d" else ["alice", "bob"]
        custom = {"kind": conversation} if conversation != "c" else {}
        await send(
            "PUT", f"/conversations/{conversation}", {"participants": members, "custom": custom}
        )
    for conversation in "ba":
        await emulator.clock.sleep(1)
        await say(send, conversation)


@pytest.mark.usefixtures("four")
async def test_conversations_are_listed_by_last_activity(send: Send) -> None:
    assert await ids(send) == ["a", "b", "d", "c"]
    assert await ids(send, orderDirection="ASC") == ["c", "d", "b", "a"]
    assert await ids(send, orderBy="createdAt") == ["d", "c", "b", "a"]
    assert await ids(send, orderBy="createdAt", orderDirection="ASC") == ["a", "b", "c", "d"]
    assert await ids(send, startingAfter="b", limit=1) == ["d"]
    assert await ids(send, startingAfter="b", orderDirection="ASC") == ["a"]


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(
    "query", [{"orderBy": "size"}, {"orderDirection": "UP"}, {"offsetTs": "now"}]
)
async def test_an_order_that_does_not_exist_is_refused(send: Send, query: dict[str, str]) -> None:
    assert (await send("GET", "/conversations", **query)).status_code == 400


@pytest.mark.usefixtures("four")
async def test_versions_before_sorting_list_by_creation(send: Send) -> None:
    answer = await send(
        "GET",
        "/conversations",
        headers={"TalkJS-REST-Version": "2021-01-01"},
        orderBy="lastActivity",
        offsetTs=0,
    )

    assert [one["id"] for one in answer.json()["data"]] == ["d", "c", "b", "a"]


@pytest.mark.usefixtures("four")
async def test_a_list_may_start_at_a_moment(emulator: Emulator, send: Send) -> None:
    second = 1767225600000 + 1_000  # c was made 3 s, b got its message 5 s after the start.

    assert await ids(send, offsetTs=second + 4_000) == ["d", "c"]
    assert await ids(send, offsetTs=second + 2_000, orderDirection="ASC") == ["d", "b", "a"]


@pytest.mark.usefixtures("four")
async def test_a_list_may_ask_for_the_time_of_the_last_message(send: Send) -> None:
    fifth, sixth = 1767225600000 + 5_000, 1767225600000 + 6_000

    assert await ids(send, lastMessageBefore=sixth) == ["b"]
    assert await ids(send, lastMessageAfter=fifth) == ["a"]
    assert await ids(send, lastMessageAfter=fifth - 1, lastMessageBefore=sixth + 1) == ["a", "b"]


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("exists", ["a", "b", "d"]),
        ("!exists", ["c"]),
        (["==", "a"], ["a"]),
        (["!=", "a"], ["b", "d", "c"]),
        (["oneOf", ["a", "d"]], ["a", "d"]),
        (["!oneOf", ["a", "d"]], ["b", "c"]),
    ],
)
async def test_a_list_may_be_filtered_by_custom_data(
    send: Send, condition: object, expected: list[str]
) -> None:
    assert await ids(send, filter=json.dumps({"custom": {"kind": condition}})) == expected


@pytest.mark.usefixtures("four")
async def test_the_conditions_of_a_filter_must_all_hold(send: Send) -> None:
    both = {"custom": {"kind": "exists", "other": "!exists"}}
    contradiction = {"custom": {"kind": "exists", "other": "exists"}}

    assert await ids(send, filter=json.dumps(both)) == ["a", "b", "d"]
    assert await ids(send, filter=json.dumps(contradiction)) == []
    assert await ids(send, filter="{}", limit=1) == ["a"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "{",
        "[]",
        '{"subject": 1}',
        '{"custom": []}',
        '{"custom": {"a": "is"}}',
        '{"custom": {"a": ["==", 1]}}',
        '{"custom": {"a": ["oneOf", "b"]}}',
        '{"custom": {"a": ["oneOf", [1]]}}',
        '{"custom": {"a": ["<", "1"]}}',
        "%7B%7D",
    ],
)
async def test_a_broken_filter_is_a_400(send: Send, value: str) -> None:
    refused = await send("GET", "/conversations", filter=value)

    assert refused.status_code == 400
    assert refused.json()["reasons"][0].startswith("filter: ")


@pytest.mark.usefixtures("four")
async def test_a_users_conversations_show_what_they_look_like_to_the_user(
    emulator: Emulator, send: Send
) -> None:
    assert await ids(send, "/users/bob/conversations") == ["a", "b", "c"]
    assert await ids(send, "/users/bob/conversations", unreadsOnly="true") == ["a", "b"]
    assert await ids(send, "/users/alice/conversations", unreadsOnly="true") == []
    assert await ids(send, "/users/bob/conversations", startingAfter="a", limit=1) == ["b"]

    answer = await send("GET", "/users/bob/conversations", limit=1)
    (seen,) = answer.json()["data"]
    assert (seen["unreadMessageCount"], seen["isUnread"]) == (1, True)
    assert (seen["access"], seen["notify"]) == ("ReadWrite", True)
    assert seen["joinedAt"] == 1767225601000
    assert seen["lastMessageAt"] == 1767225606000

    emulator.switches.user_conversation_fields = "absent"
    answer = await send("GET", "/users/bob/conversations", limit=1)
    assert "unreadMessageCount" not in answer.json()["data"][0]


async def test_the_conversations_of_an_unknown_user(send: Send) -> None:
    path = "/users/nobody/conversations"
    old = {"TalkJS-REST-Version": "2021-07-30"}

    assert (await send("GET", path)).status_code == 404
    assert (await send("GET", path, headers=old)).json() == {"data": []}


@pytest.mark.usefixtures("four")
async def test_a_deleted_conversation_is_gone_everywhere(emulator: Emulator, send: Send) -> None:
    assert (await send("DELETE", "/conversations/a")).json() == {}

    assert (await send("GET", "/conversations/a")).status_code == 404
    assert (await send("GET", "/conversations/a/messages")).status_code == 404
    assert await ids(send) == ["b", "d", "c"]
    assert await ids(send, orderBy="createdAt") == ["d", "c", "b"]
    assert await ids(send, "/users/bob/conversations") == ["b", "c"]


async def test_deleting_what_is_not_there(emulator: Emulator, send: Send) -> None:
    assert (await send("DELETE", "/conversations/none")).status_code == 404

    emulator.switches.delete_unknown = "ok"
    assert (await send("DELETE", "/conversations/none")).status_code == 200
