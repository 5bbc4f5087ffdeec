"""What TalkJS's own newest program and observers of the live host show beyond its documentation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from talkjs_async import (
    AsyncTalkJS,
    FileBlock,
    ImportedMessage,
    ImportedSystemMessage,
    NotFound,
    TextBlock,
    UnknownApp,
    UnknownEndpoint,
)
from talkjs_async.emulator.ledger import ledger
from tests.contracts.conftest import Connect, Names
from tests.contracts.facts import ELSEWHERE, fact
from tests.contracts.test_contracts import chat

pytestmark = pytest.mark.anyio

TRANSFER = "TalkJS's transfer program, 2026"
LONG_AGO = datetime(2019, 5, 17, 12, 30, tzinfo=UTC)


@fact(
    "import_hundred",
    "One request imports up to 100 messages; the answer has their IDs in the same order.",
    "code",
    TRANSFER,
)
async def test_a_hundred_messages_are_imported_at_once(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)
    old = [
        ImportedMessage(sender=alice, text=str(number), sent_at=LONG_AGO + timedelta(hours=number))
        for number in range(100)
    ]

    receipts = await talkjs.messages.import_many(conversation, old)

    newest_first = await talkjs.messages.list(conversation).collect()
    assert [(one.id, one.text) for one in reversed(newest_first)] == [
        (receipt.id, str(number)) for number, receipt in enumerate(receipts)
    ]


@fact(
    "import_blocks",
    "Messages of the system are imported, too, and content as blocks.",
    "code",
    TRANSFER,
)
async def test_blocks_and_messages_of_the_system_are_imported(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    alice, _, conversation = await chat(talkjs, names)
    later = LONG_AGO + timedelta(hours=1)

    await talkjs.messages.import_many(
        conversation,
        [
            ImportedMessage(sender=alice, content=[TextBlock(children=("hi",))], sent_at=LONG_AGO),
            ImportedSystemMessage(text="Bob left", sent_at=later, custom={"a": "1"}),
        ],
    )

    [system, user] = await talkjs.messages.list(conversation).collect()
    assert ("hi", alice, LONG_AGO) == (user.plain_text(), user.sender_id, user.created_at)
    assert ("Bob left", None, later) == (system.text, system.sender_id, system.created_at)
    assert {"a": "1"} == system.custom


@fact("import_repeats", "A repeated import stores everything once more.", "documented", TRANSFER)
async def test_a_repeated_import_doubles(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)
    old = [ImportedMessage(sender=alice, text="old", sent_at=LONG_AGO)]

    for _ in range(2):
        await talkjs.messages.import_many(conversation, old)

    assert ["old", "old"] == [
        one.text for one in await talkjs.messages.list(conversation).collect()
    ]


@fact(
    "read_until",
    "PATCH of a participant with readUntil marks everything up to then as read.",
    "code",
    TRANSFER,
)
async def test_a_participant_has_read_up_to_a_moment(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, bob, conversation = await chat(talkjs, names)
    sent = await talkjs.messages.send(conversation, sender=alice, text="hi")
    message = await talkjs.messages.get(conversation, message_id=sent.id)

    await talkjs.participants.update(conversation, user_id=bob, read_until=message.created_at)

    read = (await talkjs.conversations.get(conversation)).participants[bob]
    assert (False, message.created_at) == (read.is_unread, read.read_until)


@fact(
    "read_marks_of_participants",
    "Participants have joinedAt, and readUntil, which is null before they have read anything; "
    "everyoneReadUntil of a conversation is 0 then.",
    "code",
    TRANSFER,
)
async def test_a_new_participant_has_joined_and_read_nothing(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    _, bob, conversation_id = await chat(talkjs, names)

    conversation = await talkjs.request("GET", f"/conversations/{conversation_id}")

    participant = conversation["participants"][bob]
    assert isinstance(participant["joinedAt"], int)
    assert (None, 0) == (participant["readUntil"], conversation["everyoneReadUntil"])


@fact(
    "upload_filename",
    "The part `filename` of an upload names the file, whatever its other part says.",
    "code",
    TRANSFER,
)
async def test_an_upload_has_the_name_that_it_was_given(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)
    uploaded = await talkjs.files.upload(b"%PDF-1.7", filename="Plan ü.pdf")

    sent = await talkjs.messages.send(conversation, sender=alice, attachment_token=uploaded.token)

    [block] = (await talkjs.messages.get(conversation, message_id=sent.id)).content
    assert isinstance(block, FileBlock)
    assert ("Plan ü.pdf", 8) == (block.filename, block.size)


@fact("reaction_people", "A list tells who has reacted with an emoji.", "code", TRANSFER)
async def test_it_is_told_who_has_reacted(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, bob, conversation = await chat(talkjs, names)
    sent = await talkjs.messages.send(conversation, sender=alice, text="hi")

    for user in (alice, bob):
        await talkjs.reactions.add(conversation, message_id=sent.id, emoji="👍", user_id=user)

    reactors = await talkjs.reactions.list(conversation, message_id=sent.id, emoji="👍").collect()
    assert {alice, bob} == {reactor.user_id for reactor in reactors}


@fact(
    "unknown_app_first",
    "An unknown app is a 404 with the text `Not found.`, whatever the credential.",
    "live",
    "a third party, 2026-09-01",
)
async def test_an_unknown_app_is_told_before_the_credential(connect: Connect) -> None:
    with pytest.raises(UnknownApp):
        await connect(app_id="talkjsAsyncNone").users.get("alice")


@fact(
    "unknown_call",
    'A path or method that TalkJS does not have is a 404 with the JSON text `"Not found"`.',
    "live",
    "a third party, 2026-09-01",
)
async def test_an_unknown_path_is_told_from_a_missing_record(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(UnknownEndpoint):
        await talkjs.request("GET", "/there-is-no-such-thing")


@fact(
    "fresh_conversation",
    "A conversation that was just made shows null for last message, photo and welcome messages.",
    "code",
    TRANSFER,
)
async def test_a_new_conversation_shows_null_where_nothing_is(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    _, _, conversation_id = await chat(talkjs, names)

    conversation = await talkjs.request("GET", f"/conversations/{conversation_id}")

    for field in ("lastMessage", "photoUrl", "welcomeMessages", "topicId"):
        assert conversation[field] is None, field


@fact(
    "access_none_hides",
    "A participant whose access was set to None is no longer listed in the conversation.",
    "inferred",
    "a program in production sets it on every removal and fails on any other access",
)
async def test_a_participant_without_access_is_not_listed(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    alice, bob, conversation = await chat(talkjs, names)

    await talkjs.participants.update(conversation, user_id=bob, access="None")

    assert [alice] == list((await talkjs.conversations.get(conversation)).participants)


@fact(
    "delete_unknown_is_not_found",
    "Deleting a conversation or participant that does not exist is a 404.",
    "code",
    "an Elixir app in production handles it",
)
async def test_what_does_not_exist_cannot_be_deleted(talkjs: AsyncTalkJS, names: Names) -> None:
    _, bob, conversation = await chat(talkjs, names)
    await talkjs.participants.remove(conversation, user_id=bob)

    with pytest.raises(NotFound):
        await talkjs.participants.remove(conversation, user_id=bob)
    with pytest.raises(NotFound):
        await talkjs.conversations.delete(names.prefix + "nowhere")
    await talkjs.conversations.delete(names.prefix + "nowhere", missing_ok=True)


@fact(
    "batch_of_three_parts",
    "An operation of a batch may leave out payload and options.",
    "code",
    "an Elixir app in production",
)
async def test_an_operation_of_a_batch_may_have_three_parts(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    alice, bob, conversation = await chat(talkjs, names)
    read_by = f"/conversations/{conversation}/readBy/{bob}"

    answers = await talkjs.request(
        "POST", "/batch", json=[[7, "GET", f"/users/{alice}"], [8, "POST", read_by]]
    )

    by_number = {number: (status, body) for number, status, body in answers}
    assert (200, alice) == (by_number[7][0], by_number[7][1]["id"])
    assert 200 == by_number[8][0]


def test_nothing_is_said_to_stand_on_a_page_that_could_not_be_read() -> None:
    unread = ("Rate Limits", "Troubleshooting", "Import Messages")

    assert [] == [
        line.name for line in ledger() for page in unread if page in line.source.split("; ")
    ]


def test_what_cannot_be_looked_at_live_has_tests_elsewhere(pytestconfig: pytest.Config) -> None:
    missing = [
        test
        for tests in ELSEWHERE.values()
        for test in tests
        if not (pytestconfig.rootpath / test).exists()
    ]

    assert [] == missing
