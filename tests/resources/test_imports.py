"""Imports: every rule, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from talkjs_async import (
    AsyncTalkJS,
    BadRequest,
    ConfigurationError,
    ImportedSystemMessage,
    Location,
    LocationBlock,
    NotFound,
    OutcomeUnknown,
    TextBlock,
)
from talkjs_async.emulator import Emulator
from talkjs_async.models._answers import read_imported_messages
from talkjs_async.models.imports import ImportedMessage

AnsweredWith = Callable[..., AsyncTalkJS]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]

LONG_AGO = datetime(2019, 5, 17, 12, 30, tzinfo=UTC)
OLD = ImportedMessage(sender="alice", text="old", sent_at=LONG_AGO)


async def test_messages_are_imported_with_their_own_times(talkjs: AsyncTalkJS) -> None:
    token = (await talkjs.files.upload(b"%PDF", filename="offer.pdf")).token
    await talkjs.messages.send("chat", sender="bob", text="new")

    await talkjs.messages.import_many(
        "chat",
        [
            ImportedMessage(
                sender="alice",
                text="one",
                sent_at=LONG_AGO,
                read_by=["bob"],
                custom={"from": "Slack"},
            ),
            ImportedMessage(
                sender="bob",
                text="offer.pdf",
                sent_at=LONG_AGO + timedelta(hours=1),
                attachment_token=token,
            ),
        ],
    )

    new, offer, one = await talkjs.messages.list("chat").collect()
    assert ("new", "one") == (new.text, one.text)
    assert ("import", LONG_AGO, ("bob",), {"from": "Slack"}) == (
        one.origin,
        one.created_at,
        one.read_by,
        one.custom,
    )
    assert offer.attachment is not None
    assert 4 == offer.attachment.size


async def test_a_hundred_messages_come_back_with_their_ids_in_order(talkjs: AsyncTalkJS) -> None:
    old: list[ImportedMessage | ImportedSystemMessage] = [
        ImportedSystemMessage(text="opened", sent_at=LONG_AGO),
        ImportedMessage(
            sender="bob",
            content=[LocationBlock(latitude=51.5, longitude=-3.2)],
            sent_at=LONG_AGO + timedelta(seconds=1),
        ),
        *(
            ImportedMessage(
                sender="alice", text=str(number), sent_at=LONG_AGO + timedelta(seconds=number)
            )
            for number in range(2, 100)
        ),
    ]

    receipts = await talkjs.messages.import_many("chat", old)

    listed = (await talkjs.messages.list("chat").collect())[::-1]
    assert [receipt.id for receipt in receipts] == [message.id for message in listed]
    assert ("SystemMessage", None, "opened") == (
        listed[0].type,
        listed[0].sender_id,
        listed[0].text,
    )
    assert Location(latitude=51.5, longitude=-3.2) == listed[1].location
    assert [old[number].sent_at for number in range(100)] == [one.created_at for one in listed]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        None,
        [],
        [{"id": "a"}],
        [{"id": "a"}, {"id": "b"}, {"id": "c"}],
        [{"no": 1}] * 2,
        [{"id": "a"}] * 2,
        [{"id": "a"}, {"id": ""}],
        [{"id": "a"}, {"id": None}],
        [{"id": "a"}, {"id": "b" * 5_000}],
        ["a", "b"],
        "done",
        [1, 2],
    ],
    ids=lambda answer: ascii(answer)[:60],
)
async def test_an_answer_without_as_many_ids_is_allowed(
    answered_with: AnsweredWith, answer: Any
) -> None:
    assert () == await answered_with(answer).messages.import_many("chat", [OLD, OLD])


def test_half_a_character_is_no_id(anyio_backend: str) -> None:
    ids = [{"id": "a"}, {"id": "half \ud83d"}]

    assert () == read_imported_messages(ids, count=2)


@pytest.mark.parametrize("fault", ["empty-200", "truncated-json", "bad-gzip"])
async def test_an_answer_that_cannot_be_read_says_that_they_are_stored(
    talkjs: AsyncTalkJS, emulator: Emulator, fault: str
) -> None:
    emulator.faults.add(fault, on="POST /import/**")

    assert () == await talkjs.messages.import_many("chat", [OLD])

    assert 1 == len(emulator.commits.of("message.imported"))


BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "children": ["hi ", {"type": "bold", "children": ["you"]}]},
    {"type": "location", "latitude": 51.5, "longitude": -3.2},
    {"type": "file", "fileToken": "TOKEN"},
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block["type"]))
async def test_blocks_may_be_given_as_the_json_that_they_are(
    talkjs: AsyncTalkJS, block: dict[str, Any]
) -> None:
    if "fileToken" in block:
        block = {**block, "fileToken": (await talkjs.files.upload(b"%PDF", filename="a.pdf")).token}
    sent = {"sender": "alice", "content": [block]}

    await talkjs.messages.import_many("chat", [{**sent, "createdAt": 1_558_096_200_000}])
    await talkjs.messages.send_many("chat", [sent])

    new, old = await talkjs.messages.list("chat").collect()
    assert [block["type"]] * 2 == [one.content[0].type for one in (new, old)]
    assert new.plain_text() == old.plain_text()
    if "fileToken" not in block:
        assert block == old.to_wire()["content"][0]


@pytest.mark.parametrize(
    "content",
    [
        [{}],
        [{"type": "text"}],
        [{"type": "location", "latitude": "51.5", "longitude": -3.2}],
        [{"type": "location", "latitude": 91, "longitude": -3.2}],
        [{"type": "file", "fileToken": 7}],
        [None],
        [],
        {"type": "text", "children": ["hi"]},
    ],
    ids=str,
)
async def test_what_is_no_block_is_refused_before_it_is_sent(
    talkjs: AsyncTalkJS, emulator: Emulator, content: Any
) -> None:
    old = {"sender": "alice", "content": content, "sent_at": LONG_AGO}

    with pytest.raises(ConfigurationError) as caught:
        await talkjs.messages.import_many("chat", [old])

    assert "messages[0].content" == caught.value.argument
    assert [] == emulator.requests.find("POST /import/**")


async def test_the_older_rules_can_be_asked_for(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    emulator.switches.import_rules = "older"
    with pytest.raises(BadRequest):
        await talkjs.messages.import_many("chat", [OLD])

    assert () == await talkjs.messages.import_many("chat", [OLD] * 10, rules="older")

    assert 10 == len(emulator.commits.of("message.imported"))


async def test_a_lost_answer_imports_nothing_twice(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    emulator.faults.add("drop-after-commit", on="POST /import/**")

    with pytest.raises(OutcomeUnknown):
        await talkjs.messages.import_many("chat", [OLD])

    assert 1 == len(emulator.commits.of("message.imported"))


@pytest.mark.parametrize(
    "sent_at",
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    ],
)
async def test_a_time_that_could_not_be_read_back_is_refused(
    talkjs: AsyncTalkJS, emulator: Emulator, sent_at: datetime
) -> None:
    with pytest.raises(ConfigurationError, match="years 1 to 9999"):
        await talkjs.messages.import_many(
            "chat", [ImportedMessage(sender="alice", text="x", sent_at=sent_at)]
        )

    assert [] == emulator.requests.find("POST /import/**")


async def test_only_participants_have_said_something(talkjs: AsyncTalkJS) -> None:
    stranger = ImportedMessage(sender="carol", text="hi", sent_at=LONG_AGO)

    with pytest.raises(BadRequest, match="carol"):
        await talkjs.messages.import_many("chat", [stranger])
    with pytest.raises(NotFound):
        await talkjs.messages.import_many("nowhere", [OLD])


@pytest.mark.parametrize(
    ("messages", "rules", "argument"),
    [
        ([OLD] * 11, "older", "messages"),
        ([OLD, ImportedSystemMessage(text="x", sent_at=LONG_AGO)], "older", "messages[1]"),
        (
            [ImportedMessage(sender="a", content=[TextBlock(children=("x",))], sent_at=LONG_AGO)],
            "older",
            "messages[0]",
        ),
        ([OLD], "newest", "rules"),
    ],
)
async def test_what_the_older_rules_do_not_know_is_refused(
    talkjs: AsyncTalkJS, messages: list[Any], rules: Any, argument: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await talkjs.messages.import_many("chat", messages, rules=rules)

    assert argument == caught.value.argument
