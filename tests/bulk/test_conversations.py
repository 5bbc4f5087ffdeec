from __future__ import annotations

from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConversationInput
from talkjs_async.bulk import upsert_conversations
from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio


@pytest.fixture
async def people(talkjs: AsyncTalkJS) -> AsyncTalkJS:
    """Alice and Bob."""
    for user_id in ("alice", "bob"):
        await talkjs.users.upsert(user_id, name=user_id.title())
    return talkjs


async def test_conversations_may_be_mappings_or_pairs(people: AsyncTalkJS) -> None:
    source: list[Any] = [
        {"id": "c1", "participants": ["alice"], "photoUrl": "p"},
        ("c2", ConversationInput(participants=("bob",), subject="Two")),
    ]

    report = await upsert_conversations(people, source)

    assert (2, 2) == (report.done, report.requests)
    first, second = [await people.conversations.get(id_) for id_ in ("c1", "c2")]
    assert (["alice"], "p") == (list(first.participants), first.photo_url)
    assert (["bob"], "Two") == (list(second.participants), second.subject)


async def test_a_mapping_of_ids_is_a_source(people: AsyncTalkJS) -> None:
    source: dict[str, Any] = {
        "c1": ConversationInput(subject="One"),
        "c2": {"subject": "Two"},
    }

    report = await upsert_conversations(people, source)

    assert 2 == report.done
    assert "Two" == (await people.conversations.get("c2")).subject


async def test_conversations_that_were_read_can_be_stored_again(
    people: AsyncTalkJS, emulator: Emulator
) -> None:
    await people.conversations.upsert(
        "c1",
        participants=["alice", "bob"],
        subject="One",
        welcome_messages=["Hi"],
        custom={"order": "7"},
    )
    read = await people.conversations.list().collect()
    emulator.reset()
    for user_id in ("alice", "bob"):
        await people.users.upsert(user_id, name="x")

    report = await upsert_conversations(people, read)

    assert report.ok
    copy = await people.conversations.get("c1")
    assert (["alice", "bob"], "One", ("Hi",), {"order": "7"}) == (
        sorted(copy.participants),
        copy.subject,
        copy.welcome_messages,
        dict(copy.custom),
    )


async def test_an_unknown_participant_is_the_conversation_s_fault_alone(
    people: AsyncTalkJS,
) -> None:
    source = [{"id": "c1", "participants": ["nobody"]}, {"id": "c2", "participants": ["alice"]}]

    report = await upsert_conversations(people, source)

    assert (1, ["c1"]) == (report.done, [record.id for record in report.records("failed")])


async def test_what_is_no_conversation_is_reported(people: AsyncTalkJS) -> None:
    source: Any = ["c1", ("c2", "two")]

    report = await upsert_conversations(people, source)

    assert [
        "source: holds a str where a conversation should be.",
        "source: holds a tuple where a conversation should be.",
    ] == [record.reason for record in report.records("failed")]
