"""What changes in an app between two copies of it, and comes out the same in the copy."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.bulk import BulkReport, anonymise_user, export, restore, transfer
from talkjs_async.emulator import Emulator
from tests.bulk.test_transfer import emulator, other, target

__all__ = ["emulator", "other", "target"]

pytestmark = pytest.mark.anyio

PEOPLE = ("ann", "bob", "eve", "zoe")
CHATS = ("c1", "c2")
TEXTS = ("photo_url", "welcome_message", "locale", "role", "availability_text")
Copy = Callable[..., Awaitable[BulkReport]]


@pytest.fixture(params=["transfer", "restore"])
def copy(
    request: pytest.FixtureRequest, talkjs: AsyncTalkJS, target: AsyncTalkJS, tmp_path: Path
) -> Copy:
    """Copy the app once more, with the journal of before."""
    count = 0

    async def again(*, dry_run: bool = False) -> BulkReport:
        nonlocal count
        count += 1
        journal = tmp_path / "journal"
        if request.param == "transfer":
            return await transfer(talkjs, target, journal=journal, settle=0, dry_run=dry_run)
        folder = tmp_path / str(count)
        await export(talkjs, folder)
        return await restore(target, folder, journal=journal, settle=0, dry_run=dry_run)

    return again


async def people_of(talkjs: AsyncTalkJS) -> dict[str, Any]:
    """Users and conversations of an app, and who may do what there."""
    users = {user.id: {**user.to_wire(), "createdAt": 0} async for user in talkjs.users.list()}
    chats = {
        chat.id: (
            *(chat.subject, chat.photo_url, chat.welcome_messages, dict(chat.custom)),
            {id_: (one.access, one.notify) for id_, one in chat.participants.items()},
        )
        async for chat in talkjs.conversations.list()
    }
    return {"users": users, "chats": chats}


async def fill(talkjs: AsyncTalkJS) -> None:
    for user_id in PEOPLE:
        await talkjs.users.upsert(user_id, name=user_id.title())
    for chat in CHATS:
        await talkjs.conversations.upsert(chat, participants=PEOPLE[:3])
        await talkjs.messages.send(chat, sender="eve", text="hi")


async def change_something(talkjs: AsyncTalkJS, chance: random.Random) -> None:
    user_id, chat = chance.choice(PEOPLE), chance.choice(CHATS)
    key, text = chance.choice(["k", "a.b", ""]), chance.choice([None, "x", "y"])
    there = (await talkjs.conversations.get(chat)).participants
    match chance.randrange(8):
        case 0:
            field: dict[str, Any] = {chance.choice(TEXTS): text}
            await talkjs.users.upsert(user_id, name=chance.choice("AB"), **field)
        case 1:
            addresses: Any = chance.choice([None, ["a@x.org"], ["b@x.org", "c@x.org"]])
            await talkjs.users.upsert(user_id, name="A", email=addresses, phone=addresses)
        case 2:
            custom: Any = chance.choice([None, {key: text}, {"k": "1", "l": "2"}])
            await talkjs.users.upsert(user_id, name="A", custom=custom)
        case 3:
            custom = chance.choice([None, {key: text}])
            await talkjs.conversations.upsert(chat, subject=text, photo_url=text, custom=custom)
        case 4:
            await talkjs.conversations.upsert(chat, welcome_messages=text and [text])
        case 5:
            await talkjs.conversations.upsert(chat, participants=[user_id])
        case 6:
            await talkjs.participants.remove(chat, user_id=user_id, missing_ok=True)
        case _ if user_id in there:
            settings: Any = {"access": chance.choice(["Read", "ReadWrite"])}
            settings["notify"] = chance.choice([True, False, "MentionsOnly"])
            await talkjs.participants.update(chat, user_id=user_id, **settings)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_changes_between_two_copies_is_the_same_in_both(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, copy: Copy, seed: int
) -> None:
    chance = random.Random(seed)
    await fill(talkjs)
    assert (await copy()).ok

    for _ in range(4):
        for _ in range(chance.randrange(2, 9)):
            await change_something(talkjs, chance)
        report = await copy()
        assert report.ok
        assert await people_of(talkjs) == await people_of(target)
    # Nothing is left to do, then.
    assert 0 == (await copy()).done


async def test_who_was_anonymised_since_is_so_in_the_copy(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, copy: Copy
) -> None:
    await fill(talkjs)
    personal: dict[str, Any] = dict.fromkeys(TEXTS, "x")
    await talkjs.users.upsert("ann", name="Ann", email=["a@x.org"], custom={"k": "v"}, **personal)
    await talkjs.conversations.upsert("c1", subject="Ann's", custom={"k": "v"}, photo_url="x")
    await copy()
    assert await people_of(talkjs) == await people_of(target)

    await anonymise_user(talkjs, "ann", conversations=True)
    report = await copy()

    assert await people_of(talkjs) == await people_of(target)
    assert {None} == {record.result for record in report.records() if "user:" in record.id}


async def test_what_others_have_put_there_stays(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, other: Emulator, copy: Copy
) -> None:
    other.switches.custom_update = "merge"
    await fill(talkjs)
    await talkjs.users.upsert("ann", name="Ann", custom={"k": "v", "l": "w"})
    await copy()
    await target.users.upsert("new", name="New")
    await target.users.upsert("ann", name="Ann", email=["own@x.org"], custom={"own": "1"})
    await target.conversations.upsert("c1", participants=["new"], custom={"own": "1"})

    await talkjs.users.upsert("ann", name="Anne", custom={"l": None})
    await talkjs.conversations.upsert("c1", subject="Trip")
    await copy()

    ann, chat = await target.users.get("ann"), await target.conversations.get("c1")
    assert ("Anne", ("own@x.org",), {"k": "v", "own": "1"}) == (
        ann.name,
        ann.email,
        dict(ann.custom),
    )
    assert ("Trip", {"own": "1"}) == (chat.subject, dict(chat.custom))
    assert {"ann", "bob", "eve", "new"} == set(chat.participants)


async def test_a_user_who_cannot_be_stored_again_stays_where_they_are(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, other: Emulator, copy: Copy
) -> None:
    await fill(talkjs)
    await copy()
    await talkjs.users.upsert("bob", name="Bobby")
    await talkjs.conversations.upsert("c1", subject="Trip")
    other.faults.add("return-400", on="PUT /users")

    report = await copy()

    assert {"user:bob"} <= {record.id for record in report.records("failed")}
    assert {"ann", "bob", "eve"} == set((await target.conversations.get("c1")).participants)


async def test_a_dry_run_plans_what_has_changed_since(talkjs: AsyncTalkJS, copy: Copy) -> None:
    await fill(talkjs)
    await copy()
    await talkjs.participants.remove("c1", user_id="bob")
    await talkjs.participants.update("c2", user_id="bob", access="Read")
    await anonymise_user(talkjs, "ann")

    planned = await copy(dry_run=True)
    done = await copy()

    changed = {record.id for record in done.records("done")}
    assert {'participant:["c1", "bob"]', 'participant:["c2", "bob"]', "user:ann"} <= changed
    assert changed == {record.id for record in planned.records("planned")}
