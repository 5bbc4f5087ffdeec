"""Imports: every rule, against the emulator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, BadRequest, NotFound, OutcomeUnknown
from talkjs_async.emulator import Emulator
from talkjs_async.models.imports import ImportedMessage

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]

LONG_AGO = datetime(2019, 5, 17, 12, 30, tzinfo=UTC)
OLD = ImportedMessage(sender="alice", text="old", sent_at=LONG_AGO)


async def test_messages_are_imported_with_their_own_times(talkjs: AsyncTalkJS) -> None:
    token = (await talkjs.files.upload(b"%PDF", filename="offer.pdf")).token
    await talkjs.messages.send("chat", sender="bob", text="new")

    await talkjs.imports.messages(
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


@pytest.mark.parametrize("answer", ["empty", "ids"])
async def test_the_answer_does_not_matter(
    talkjs: AsyncTalkJS, emulator: Emulator, answer: Any
) -> None:
    emulator.switches.import_answer = answer

    await talkjs.imports.messages("chat", [OLD] * 10)

    assert 10 == len(emulator.commits.of("message.imported"))


async def test_a_lost_answer_imports_nothing_twice(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    emulator.faults.add("drop-after-commit", on="POST /import/**")

    with pytest.raises(OutcomeUnknown):
        await talkjs.imports.messages("chat", [OLD])

    assert 1 == len(emulator.commits.of("message.imported"))


async def test_only_participants_have_said_something(talkjs: AsyncTalkJS) -> None:
    stranger = ImportedMessage(sender="carol", text="hi", sent_at=LONG_AGO)

    with pytest.raises(BadRequest, match="carol"):
        await talkjs.imports.messages("chat", [stranger])
    with pytest.raises(NotFound):
        await talkjs.imports.messages("nowhere", [OLD])
