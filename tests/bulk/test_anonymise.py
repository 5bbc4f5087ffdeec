from __future__ import annotations

from pathlib import Path

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, NotFound
from talkjs_async.bulk import anonymise_user, send_messages
from talkjs_async.emulator import Emulator, Limits
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def full(make_talkjs: MakeTalkJS, emulator: Emulator) -> AsyncTalkJS:
    """Alice, who has told a lot about herself, and Bob."""
    emulator.limits = Limits.off()
    talkjs = make_talkjs()
    await talkjs.users.upsert(
        "alice",
        name="Alice",
        email=["a@x.org"],
        phone=["+31"],
        photo_url="p",
        welcome_message="w",
        locale="nl",
        role="buyer",
        availability_text="t",
        custom={"plan": "gold"},
        push_tokens={"fcm:1": True},
    )
    await talkjs.users.upsert("bob", name="Bob")
    for number in range(40):
        await talkjs.conversations.upsert(
            f"c{number}", participants=["alice", "bob"], subject="Alice's", custom={"of": "alice"}
        )
    await talkjs.conversations.upsert("bobs", participants=["bob"], subject="Bob's")
    source = [
        {"conversation_id": f"c{number % 40}", "sender": ("alice", "bob")[number // 40 % 2],
         "text": "I am Alice", "custom": {"from": "alice"}}
        for number in range(160)
    ]  # fmt: skip
    await send_messages(talkjs, source)
    await talkjs.messages.send("bobs", sender="bob", text="of Alice")
    return talkjs


async def messages(
    talkjs: AsyncTalkJS, conversation_id: str
) -> list[tuple[str | None, str | None, int]]:
    found = await talkjs.messages.list(conversation_id).collect()
    return [(message.sender_id, message.text, len(message.custom)) for message in found]


async def test_the_user_and_their_messages_are_overwritten(full: AsyncTalkJS) -> None:
    report = await anonymise_user(full, "alice")

    assert (True, 1 + 80) == (report.ok, report.done)
    alice = await full.users.get("alice")
    assert ("[DELETED]", (), (), None, {}, {}) == (
        alice.name,
        alice.email,
        alice.phone,
        alice.photo_url,
        dict(alice.custom),
        dict(alice.push_tokens),
    )
    assert (None, None, None) == (alice.welcome_message, alice.locale, alice.availability_text)
    assert [
        ("bob", "I am Alice", 1),
        ("alice", "[DELETED]", 0),
        ("bob", "I am Alice", 1),
        ("alice", "[DELETED]", 0),
    ] == await messages(full, "c7")
    assert "Alice's" == (await full.conversations.get("c7")).subject


async def test_conversations_and_the_messages_of_others_on_request(full: AsyncTalkJS) -> None:
    report = await anonymise_user(full, "alice", conversations=True, everyones_messages=True)

    assert 1 + 40 + 160 == report.done
    chat = await full.conversations.get("c7")
    assert ("[DELETED]", {}) == (chat.subject, dict(chat.custom))
    assert {"[DELETED]"} == {text for _, text, _ in await messages(full, "c7")}
    assert [("bob", "of Alice", 0)] == await messages(full, "bobs")
    assert "Bob's" == (await full.conversations.get("bobs")).subject


async def test_a_dry_run_lists_what_would_change_and_changes_nothing(
    full: AsyncTalkJS, emulator: Emulator
) -> None:
    before = emulator.commits.total

    report = await anonymise_user(full, "alice", conversations=True, dry_run=True)

    assert (1 + 40 + 80, 0, True) == (report.planned, report.done, report.complete)
    names = [record.id for record in report.records("planned")]
    assert ["user alice", "conversation c0"] == names[:2]
    assert names[2].startswith("message c0 msg_")
    assert before == emulator.commits.total


async def test_what_is_overwritten_already_is_left_alone(
    full: AsyncTalkJS, emulator: Emulator
) -> None:
    await anonymise_user(full, "alice")
    before = emulator.commits.of("message.updated")

    report = await anonymise_user(full, "alice")

    assert 1 == report.done
    assert len(before) == len(emulator.commits.of("message.updated"))


async def test_a_user_who_does_not_exist_does_not_come_into_being(
    full: AsyncTalkJS, emulator: Emulator
) -> None:
    with pytest.raises(NotFound):
        await anonymise_user(full, "carol")

    assert "carol" not in {commit.user_id for commit in emulator.commits}


async def test_an_id_that_is_none_is_refused_at_once(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match="user_id"):
        anonymise_user(talkjs, "")


async def test_what_was_written_since_an_earlier_run_is_overwritten_as_well(
    full: AsyncTalkJS, journal: Path
) -> None:
    assert (await anonymise_user(full, "alice", conversations=True, journal=journal)).ok
    (first, *_) = [
        one.id for one in await full.messages.list("c1").collect() if one.sender_id == "alice"
    ]
    await full.users.upsert("alice", name="Alice", email=["a@x.org"])
    await full.messages.edit("c1", message_id=first, text="I am Alice")
    await full.conversations.upsert("c1", subject="Alice's")

    report = await anonymise_user(full, "alice", conversations=True, journal=journal)

    user = await full.users.get("alice")
    assert (True, "[DELETED]", ()) == (report.ok, user.name, user.email)
    assert "[DELETED]" == (await full.conversations.get("c1")).subject
    assert "I am Alice" not in {
        text for sender, text, _ in await messages(full, "c1") if sender == "alice"
    }
