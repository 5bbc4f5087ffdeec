"""Marking as read, in each of the forms that are known."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from talkjs_async.emulator import Emulator
from talkjs_async.emulator.routes._marking import MAX_TRACKED_PARTICIPANTS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]

MESSAGES = "/conversations/chat/messages"
BOBS = "/users/bob/conversations/chat"
BOB = "/conversations/chat/participants/bob"
ALICE = "/conversations/chat/participants/alice"


@pytest.fixture
async def three(chat: None, emulator: Emulator, send: Send) -> None:
    """Three messages of alice, a second apart, the first in the first second."""
    for text in ("one", "two", "three"):
        await emulator.clock.sleep(1)
        message = {"type": "UserMessage", "sender": "alice", "text": text}
        await send("POST", MESSAGES, [message])


async def read_by_bob(send: Send) -> list[str]:
    messages = (await send("GET", MESSAGES)).json()["data"]
    return [one["text"] for one in reversed(messages) if one["readBy"] == ["bob"]]


@pytest.mark.usefixtures("three")
async def test_post_read_by_marks_everything(send: Send) -> None:
    assert (await send("POST", "/conversations/chat/readBy/bob")).json() == {}

    assert await read_by_bob(send) == ["one", "two", "three"]
    bob = (await send("GET", "/conversations/chat")).json()["participants"]["bob"]
    assert bob["isUnread"] is False


@pytest.mark.usefixtures("three")
async def test_patch_read_until_goes_forward_and_back(send: Send) -> None:
    async def until(moment: object) -> list[str]:
        assert (await send("PATCH", BOBS, {"readUntil": moment})).json() == {}
        return await read_by_bob(send)

    assert await until(1767225602000) == ["one", "two"]
    assert await until("sent") == ["one", "two", "three"]
    assert await until(1767225601999) == ["one"]
    assert await until(0) == []


@pytest.mark.usefixtures("three")
async def test_patch_of_the_participant_goes_forward_and_back(
    emulator: Emulator, send: Send
) -> None:
    for moment, read in ((1767225602000, ["one", "two"]), (1767225601999, ["one"]), (0, [])):
        assert (await send("PATCH", BOB, {"readUntil": moment})).json() == {}
        assert await read_by_bob(send) == read
    assert (await send("PATCH", BOB, {"readUntil": "sent"})).status_code == 400
    assert 3 == len(emulator.commits.of("conversation.read"))


@pytest.mark.usefixtures("three")
async def test_read_marks_are_shown_with_the_participants(emulator: Emulator, send: Send) -> None:
    async def marks() -> tuple[object, ...]:
        conversation = (await send("GET", "/conversations/chat")).json()
        shown = [conversation["participants"][one].get("readUntil") for one in ("alice", "bob")]
        return (conversation.get("everyoneReadUntil"), *shown)

    assert await marks() == (0, None, None)
    await send("PATCH", BOB, {"readUntil": 1767225602000})
    assert await marks() == (0, None, 1767225602000)
    await send("PATCH", ALICE, {"readUntil": 1767225601000})
    assert await marks() == (1767225601000, 1767225601000, 1767225602000)

    emulator.switches.read_marks = "absent"
    assert await marks() == (None, None, None)
    participant = (await send("GET", "/conversations/chat")).json()["participants"]["bob"]
    assert set(participant) == {"access", "notify", "isUnread"}


@pytest.mark.usefixtures("three")
async def test_a_message_after_the_mark_is_unread_even_in_the_same_millisecond(send: Send) -> None:
    await send("POST", "/conversations/chat/readBy/bob")
    await send("POST", MESSAGES, [{"type": "UserMessage", "sender": "alice", "text": "four"}])

    assert await read_by_bob(send) == ["one", "two", "three"]
    (listed,) = (await send("GET", "/users/bob/conversations", unreadsOnly="true")).json()["data"]
    assert listed["unreadMessageCount"] == 1


async def test_an_empty_conversation_can_be_read(send: Send) -> None:
    assert (await send("POST", "/conversations/chat/readBy/bob")).status_code == 200


@pytest.mark.parametrize(
    ("form", "statuses"),
    [
        ("participant", (404, 404, 1)),
        ("read_by", (200, 404, 0)),
        ("user_conversation", (404, 200, 0)),
        ("all", (200, 200, 1)),
    ],
)
async def test_which_form_the_server_has_is_a_setting(
    emulator: Emulator, send: Send, form: str, statuses: tuple[int, int, int]
) -> None:
    emulator.switches.mark_as_read = form  # type: ignore[assignment]

    first = await send("POST", "/conversations/chat/readBy/bob")
    second = await send("PATCH", BOBS, {"readUntil": "sent"})

    before = len(emulator.commits.of("conversation.read"))
    assert (await send("PATCH", BOB, {"readUntil": 1})).status_code == 200
    marked = len(emulator.commits.of("conversation.read")) - before
    assert (first.status_code, second.status_code, marked) == statuses


async def test_only_participants_read(send: Send) -> None:
    for method, path in (
        ("POST", "/conversations/chat/readBy/nobody"),
        ("POST", "/conversations/none/readBy/bob"),
        ("PATCH", "/users/nobody/conversations/chat"),
        ("PATCH", "/users/bob/conversations/none"),
    ):
        assert (await send(method, path, {"readUntil": "sent"})).status_code == 404


@pytest.mark.parametrize("body", [{}, {"readUntil": None}, {"readUntil": "all"}, {"readUntil": -1}])
async def test_a_wrong_moment_is_refused(send: Send, body: object) -> None:
    assert (await send("PATCH", BOBS, body)).status_code == 400


@pytest.mark.usefixtures("three")
async def test_each_message_is_told_of_once_and_only_to_others(
    emulator: Emulator, send: Send
) -> None:
    emulator.webhooks.to("http://nowhere", events=["message.read"])

    for user in ("bob", "bob", "alice"):
        await send("POST", f"/conversations/chat/readBy/{user}")

    told = [event["data"] for event in emulator.webhooks.pending]
    assert ["one", "two", "three"] == [data["message"]["text"] for data in told]
    assert {"bob"} == {data["recipient"]["id"] for data in told}


@pytest.mark.usefixtures("three")
async def test_a_large_conversation_is_not_tracked(emulator: Emulator, send: Send) -> None:
    emulator.switches.put_conversation_unknown_user = "ok"
    crowd = [str(number) for number in range(MAX_TRACKED_PARTICIPANTS)]
    await send("PUT", "/conversations/chat", {"participants": crowd})
    emulator.webhooks.to("http://nowhere", events=["message.read"])

    await send("POST", "/conversations/chat/readBy/bob")

    assert emulator.webhooks.pending == ()
