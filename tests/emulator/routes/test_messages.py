"""Messages."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator
from talkjs_async.emulator.routes._posting import IDEMPOTENCY_WINDOW

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]

PATH = "/conversations/chat/messages"


def hello(text: Any = "hi", **fields: Any) -> dict[str, Any]:
    return {"type": "UserMessage", "sender": "alice", "text": text, **fields}


async def texts(send: Send, **query: str | int) -> list[str]:
    return [one["text"] for one in (await send("GET", PATH, **query)).json()["data"]]


async def test_sending_answers_a_bare_list_of_ids_in_order(send: Send) -> None:
    answer = await send("POST", PATH, [hello("one"), hello("two"), hello("three")])

    assert answer.status_code == 200
    sent = [message["id"] for message in answer.json()]
    assert all(id_.startswith("msg_") and len(id_) == 26 for id_ in sent)
    listed = (await send("GET", PATH)).json()["data"]
    assert [message["id"] for message in listed] == sent[::-1]


async def test_a_message_shows_what_was_sent(emulator: Emulator, send: Send) -> None:
    (first,) = (await send("POST", PATH, [hello()])).json()
    await emulator.clock.sleep(2)
    reply = hello("yes", sender="bob", referencedMessageId=first["id"], custom={"mood": "good"})
    (second,) = (await send("POST", PATH, [reply])).json()

    got = (await send("GET", f"{PATH}/{second['id']}")).json()

    content = got.pop("content")
    assert content == [{"type": "text", "children": ["yes"]}]
    assert got == {
        "id": second["id"],
        "conversationId": "chat",
        "type": "UserMessage",
        "senderId": "bob",
        "text": "yes",
        "attachment": None,
        "location": None,
        "readBy": [],
        "origin": "rest",
        "referencedMessageId": first["id"],
        "custom": {"mood": "good"},
        "createdAt": 1767225602000,
        "editedAt": None,
    } | {key: got[key] for key in got if key == "reactions"}


async def test_older_servers_have_no_content(emulator: Emulator, send: Send) -> None:
    emulator.switches.message_content = "absent"
    await send("POST", PATH, [hello()])

    assert "content" not in (await send("GET", PATH)).json()["data"][0]


async def test_a_system_message_has_no_sender(send: Send) -> None:
    await send("POST", PATH, [{"type": "SystemMessage", "text": "Bob joined"}])

    (message,) = (await send("GET", PATH)).json()["data"]
    assert (message["type"], message["senderId"]) == ("SystemMessage", None)


async def test_a_location_is_sent_instead_of_a_text(send: Send) -> None:
    where = {"type": "UserMessage", "sender": "alice", "location": [51.481083, -3.178306]}
    await send("POST", PATH, [where])

    (message,) = (await send("GET", PATH)).json()["data"]
    assert (message["text"], message["location"]) == (None, [51.481083, -3.178306])


@pytest.mark.parametrize(
    "item",
    [
        {"type": "UserMessage", "text": "no sender"},
        {"sender": "alice", "text": "no type"},
        {"type": "Message", "sender": "alice", "text": "odd type"},
        {"type": "SystemMessage", "sender": "alice", "text": "sender"},
        {"type": "SystemMessage", "location": [1, 2]},
        {"type": "UserMessage", "sender": "alice"},
        hello(location=[1, 2]),
        {"type": "UserMessage", "sender": "alice", "location": [91, 0]},
        {"type": "UserMessage", "sender": "alice", "location": [0, -181]},
        {"type": "UserMessage", "sender": "alice", "location": [0]},
        hello(text=None),
        hello(custom={"a": 1}),
        hello(referencedMessageId="msg_none"),
        hello(idempotencyKey=1),
        "hi",
    ],
)
async def test_one_bad_message_refuses_them_all(
    emulator: Emulator, send: Send, item: object
) -> None:
    refused = await send("POST", PATH, [hello(), item])

    assert refused.status_code == 400
    assert refused.json()["reasons"][0].startswith("1.")
    assert emulator.commits.of("message.sent") == []


@pytest.mark.parametrize("body", [[], [hello()] * 11, hello(), {}])
async def test_one_to_ten_messages_are_sent_at_once(send: Send, body: object) -> None:
    assert (await send("POST", PATH, body)).status_code == 400
    assert (await send("POST", PATH, [hello()] * 10)).status_code == 200


@pytest.mark.parametrize("status", [403, 400])
async def test_the_sender_has_to_be_a_participant(
    emulator: Emulator, send: Send, status: int
) -> None:
    emulator.switches.not_a_participant = status  # type: ignore[assignment]
    await send("PUT", "/users/carol", {"name": "Carol"})
    await send("PATCH", "/conversations/chat/participants/bob", {"access": "None"})

    for sender in ("carol", "bob"):
        refused = await send("POST", PATH, [hello(sender=sender)])
        assert (refused.status_code, refused.json()["errorCode"]) == (status, "NOT_A_PARTICIPANT")


async def test_the_conversation_has_to_exist(emulator: Emulator, send: Send) -> None:
    assert (await send("POST", "/conversations/none/messages", [hello()])).status_code == 404
    assert (await send("GET", "/conversations/none/messages")).status_code == 404

    emulator.switches.messages_of_unknown_conversation = "empty"
    assert (await send("GET", "/conversations/none/messages")).json() == {"data": []}


async def test_a_repeated_key_sends_nothing_and_answers_the_same_id(
    emulator: Emulator, send: Send
) -> None:
    first = (await send("POST", PATH, [hello(idempotencyKey="k")])).json()
    again = (await send("POST", PATH, [hello("changed", idempotencyKey="k"), hello("new")])).json()

    assert again[0] == first[0]
    assert await texts(send) == ["new", "hi"]


async def test_a_repeated_key_may_be_an_error(emulator: Emulator, send: Send) -> None:
    emulator.switches.idempotent_repeat = "error"
    await send("POST", PATH, [hello(idempotencyKey="k")])

    refused = await send("POST", PATH, [hello("new"), hello(idempotencyKey="k")])

    assert refused.status_code == 409
    assert await texts(send) == ["hi"]


async def test_a_key_is_forgotten_after_a_day(emulator: Emulator, send: Send) -> None:
    await send("POST", PATH, [hello(idempotencyKey="k")])
    await emulator.clock.sleep(IDEMPOTENCY_WINDOW)
    await send("POST", PATH, [hello(idempotencyKey="k")])
    assert len(await texts(send)) == 1

    await emulator.clock.sleep(1)
    await send("POST", PATH, [hello(idempotencyKey="k")])
    assert len(await texts(send)) == 2


@pytest.mark.parametrize(("scope", "sent"), [("conversation", 2), ("app", 1)])
async def test_where_a_key_counts_is_a_setting(
    emulator: Emulator, send: Send, scope: str, sent: int
) -> None:
    emulator.switches.idempotency_scope = scope  # type: ignore[assignment]
    await send("PUT", "/conversations/other", {"participants": ["alice"]})

    for conversation in ("chat", "other"):
        message = [hello(idempotencyKey="k")]
        await send("POST", f"/conversations/{conversation}/messages", message)

    assert len(emulator.commits.of("message.sent")) == sent


async def test_editing_changes_the_text_and_says_when(emulator: Emulator, send: Send) -> None:
    (sent,) = (await send("POST", PATH, [hello(custom={"a": "1"})])).json()
    await emulator.clock.sleep(3)

    assert (await send("PUT", f"{PATH}/{sent['id']}", {"text": "bye"})).json() == {}

    got = (await send("GET", f"{PATH}/{sent['id']}")).json()
    assert (got["text"], got["custom"]) == ("bye", {"a": "1"})
    assert (got["createdAt"], got["editedAt"]) == (1767225600000, 1767225603000)


@pytest.mark.parametrize(("switch", "edited"), [(True, 1767225600000), (False, None)])
async def test_whether_new_custom_data_counts_as_an_edit_is_a_setting(
    emulator: Emulator, send: Send, switch: bool, edited: int | None
) -> None:
    emulator.switches.custom_edit_sets_edited_at = switch
    (sent,) = (await send("POST", PATH, [hello()])).json()

    await send("PUT", f"{PATH}/{sent['id']}", {"custom": {"a": "1"}})

    got = (await send("GET", f"{PATH}/{sent['id']}")).json()
    assert (got["custom"], got["editedAt"]) == ({"a": "1"}, edited)


async def test_a_deleted_message_is_gone(emulator: Emulator, send: Send) -> None:
    sent = (await send("POST", PATH, [hello("one"), hello("two"), hello("three")])).json()

    assert (await send("DELETE", f"{PATH}/{sent[1]['id']}")).json() == {}

    assert await texts(send) == ["three", "one"]
    assert (await send("GET", f"{PATH}/{sent[1]['id']}")).status_code == 404
    assert (await send("DELETE", f"{PATH}/{sent[1]['id']}")).status_code == 404
    emulator.switches.delete_unknown = "ok"
    assert (await send("DELETE", f"{PATH}/{sent[1]['id']}")).status_code == 200


async def test_an_unknown_message_is_a_404(send: Send) -> None:
    assert (await send("GET", f"{PATH}/msg_none")).status_code == 404
    assert (await send("PUT", f"{PATH}/msg_none", {"text": "x"})).status_code == 404


async def test_half_a_surrogate_pair_survives(emulator: Emulator, send: Send) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        await client.post(
            "http://emulator/v1/emulator/conversations/chat/messages",
            content=b'[{"type": "UserMessage", "sender": "alice", "text": "\\ud83d"}]',
            headers={
                "authorization": f"Bearer {emulator.secret_key}",
                "content-type": "application/json",
            },
        )

    assert await texts(send) == ["\ud83d"]
