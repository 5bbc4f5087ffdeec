"""Whatever TalkJS does where its documentation is silent, the doors work: one life per setting."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import pytest

from talkjs_async import (
    APIError,
    BadRequest,
    Filter,
    ImportedMessage,
    SystemMessage,
    Theme,
    UserInput,
    UserMessage,
    call_of,
)
from talkjs_async.emulator import Emulator, Switches
from tests.fixtures import MakeTalkJS
from tests.pairwise import pairwise

pytestmark = pytest.mark.anyio

T = TypeVar("T")

MAY = datetime(2019, 5, 1, tzinfo=UTC)

SETTINGS = [
    pytest.param({name: choice}, id=f"{name}={choice}")
    for name, choices in Switches.choices().items()
    for choice in choices
]
SETTINGS += [
    pytest.param({name: choices[-1] for name, choices in Switches.choices().items()}, id="all last")
]
# Every two choices together, in a couple of lives.
SETTINGS += [
    pytest.param(setting, id=f"pairs {number}")
    for number, setting in enumerate(pairwise(Switches.choices()))
]


@pytest.fixture
def engine() -> str:
    """One library is enough: what TalkJS answers does not depend on who asks."""
    return "httpx"


async def either_way(call: Coroutine[Any, Any, T]) -> T | APIError:
    """Both an answer and a refusal by TalkJS are fine; anything else is not."""
    try:
        return await call
    except APIError as error:
        return error


@pytest.mark.parametrize("settings", SETTINGS)
async def test_the_doors_work_under_every_setting(
    make_talkjs: MakeTalkJS, emulator: Emulator, settings: dict[str, Any]
) -> None:
    for name, choice in settings.items():
        setattr(emulator.switches, name, choice)
    talkjs = make_talkjs()

    await talkjs.users.upsert_many({name: UserInput(name=name.title()) for name in ("ann", "bo")})
    with pytest.raises(BadRequest):
        await talkjs.users.upsert_many({"nameless": UserInput(role="none")})
    await talkjs.users.upsert("ann", custom={"a": "1"}, role=None, phone=None)
    ann = await talkjs.users.get("ann")
    assert ((), {"a": "1"}) == (ann.phone, ann.custom)
    assert ["bo", "ann"] == [user.id async for user in talkjs.users.list(page_size=1)]

    await talkjs.conversations.upsert("chat", participants=["ann", "bo"], custom={"open": "yes"})
    await either_way(talkjs.conversations.upsert("odd", participants=["nobody"]))
    await either_way(talkjs.conversations.delete("odd"))
    sent = await talkjs.messages.send("chat", sender="ann", text="one", idempotency_key="k")
    repeated = await either_way(
        talkjs.messages.send("chat", sender="ann", text="one", idempotency_key="k")
    )
    assert isinstance(repeated, APIError) or repeated.id == sent.id
    await talkjs.messages.send_many(
        "chat", [SystemMessage(text="two"), UserMessage(sender="bo", text="three")]
    )
    assert isinstance(
        await either_way(talkjs.messages.send("chat", sender="nobody", text="no")), APIError
    )
    listed = [message async for message in talkjs.messages.list("chat", page_size=1)]
    assert {"one", "two", "three"} == {message.text for message in listed}
    assert {"one", "two", "three"} == {message.plain_text() for message in listed}

    open_ones = talkjs.conversations.list(filter=Filter(custom={"open": Filter.exists()}))
    assert ["chat"] == [conversation.id async for conversation in open_ones]
    assert ["chat"] == [
        found.id async for found in talkjs.users.list_conversations("ann", page_size=1)
    ]

    await talkjs.messages.edit("chat", message_id=sent.id, custom={"a": "1"})
    await talkjs.messages.delete("chat", message_id=sent.id)
    await either_way(talkjs.messages.delete("chat", message_id=sent.id))
    await either_way(talkjs.messages.list("chat", starting_after=sent.id).collect())
    await either_way(talkjs.messages.list("nowhere").collect())
    assert 2 == len(await talkjs.messages.list("chat").collect())

    token = (await talkjs.files.upload(b"x", filename="x.txt")).token
    [receipt] = await talkjs.batch(
        call_of(talkjs.messages.send, "chat", sender="bo", attachment_token=token)
    )
    await talkjs.reactions.add("chat", message_id=receipt.id, emoji="🎉", user_id="ann")
    with_file = await talkjs.messages.get("chat", message_id=receipt.id)
    assert with_file.attachment is not None
    assert set(with_file.reactions) <= {"🎉"}
    reactors = await either_way(
        talkjs.reactions.list("chat", message_id=receipt.id, emoji="🎉").collect()
    )
    assert isinstance(reactors, list)
    assert ["ann"] == [reactor.user_id for reactor in reactors]
    await talkjs.reactions.remove("chat", message_id=receipt.id, emoji="🎉", user_id="ann")
    read = [
        await either_way(talkjs.conversations.mark_as_read("chat", user_id="ann", form="read_by")),
        await either_way(talkjs.conversations.mark_as_read("chat", user_id="ann")),
        await either_way(
            talkjs.conversations.mark_as_read("chat", user_id="ann", form="user_conversation")
        ),
    ]
    assert None in read
    await talkjs.notifications.send("chat", channels=["email"])
    old = [ImportedMessage(sender="bo", text="4", sent_at=MAY)]
    imported = [
        await either_way(talkjs.messages.import_many("chat", old)),
        await either_way(talkjs.messages.import_many("chat", old, rules="older")),
    ]
    assert 1 == sum(isinstance(outcome, APIError) for outcome in imported)
    emulator.simulate_user("ann").come_online(conversation="chat")
    assert ["ann"] == list(await talkjs.presences.query())
    await either_way(talkjs.users.list_sessions("ann"))
    methods: tuple[Literal["PUT", "PATCH"], ...] = ("PUT", "PATCH")
    themed = [
        await either_way(talkjs.themes.update({"blue": Theme()}, method=method))
        for method in methods
    ]
    assert None in themed
    assert "blue" in await talkjs.themes.get()
    await talkjs.app.update(custom={"a": "1"})
    assert {"a": "1"} == (await talkjs.app.get()).custom

    for user_id in ("ann", "bo"):
        await talkjs.participants.remove("chat", user_id=user_id)
    await either_way(talkjs.participants.remove("chat", user_id="ann"))
    assert {} == (await talkjs.conversations.get("chat")).participants
    await talkjs.conversations.delete("chat")
    assert [] == await talkjs.conversations.list().collect()


async def test_a_repeat_that_talkjs_refuses_has_stored_one_message(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.switches.idempotent_repeat = "error"
    emulator.faults.add("drop-after-commit", on="POST /conversations/*/messages", first=1)
    talkjs = make_talkjs()
    await talkjs.users.upsert("ann", name="Ann")
    await talkjs.conversations.upsert("chat", participants=["ann"])

    with pytest.raises(APIError) as caught:
        await talkjs.messages.send("chat", sender="ann", text="once")

    assert (409, 2) == (caught.value.status, caught.value.attempts)
    assert 1 == len(emulator.commits.of("message.sent"))


async def test_a_custom_update_may_replace_all_keys(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.switches.custom_update = "replace"
    talkjs = make_talkjs()

    await talkjs.users.upsert("ann", name="Ann", custom={"a": "1"})
    await talkjs.users.upsert("ann", custom={"b": "2"})

    assert {"b": "2"} == (await talkjs.users.get("ann")).custom


@pytest.mark.parametrize(
    ("where", "named"),
    [("reasons", {"bad": ("name: is required.",)}), ("bare", {"bad": ("name: is required.",)})],
)
async def test_bad_users_are_named_wherever_talkjs_names_them(
    make_talkjs: MakeTalkJS, emulator: Emulator, where: Any, named: object
) -> None:
    emulator.switches.users_batch_errors = where

    with pytest.raises(BadRequest) as caught:
        await make_talkjs().users.upsert_many({"bad": UserInput(role="nameless")})

    assert named == caught.value.reasons_by_key
