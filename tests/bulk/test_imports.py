from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, OutcomeUnknown, RetryPolicy
from talkjs_async.bulk import import_messages
from talkjs_async.emulator import Emulator, Limits
from talkjs_async.models.imports import ImportedMessage
from tests.bulk.transcripts import in_order
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

Prepare = Callable[[int], Awaitable[None]]
Texts = Callable[[], dict[str, list[str]]]

POST = "POST /import/conversations/*/messages"
LONG_AGO = 1_600_000_000_000


def messages(count: int, conversations: int, *, step: int = 1) -> Iterator[dict[str, Any]]:
    """Old messages; every *step* of a conversation have the same time."""
    for number in range(count):
        yield {
            "conversation_id": f"c{number % conversations}",
            "sender": "alice",
            "text": str(number),
            "timestamp": LONG_AGO + number // (step * conversations),
        }


async def test_ten_messages_go_with_one_request_and_keep_their_times(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, texts: Texts
) -> None:
    await chat(3)

    report = await import_messages(talkjs, messages(300, 3))

    assert (300, 30) == (report.done, report.requests)
    assert in_order(300, 3) == texts()
    first = (await talkjs.messages.list("c0").collect())[-1]
    assert (LONG_AGO, "import", "0") == (first.created_at_ms, first.origin, first.text)


async def test_times_may_be_written_in_several_ways(talkjs: AsyncTalkJS, chat: Prepare) -> None:
    await chat(1)
    old = {"conversation_id": "c0", "sender": "alice", "text": "x"}
    moment = datetime(2020, 1, 1, tzinfo=UTC)

    report = await import_messages(
        talkjs,
        [
            {**old, "sent_at": moment},
            {**old, "createdAt": "2020-01-01T01:00:00+01:00"},
            {**old, "timestamp": "1577836800000"},
            ("c0", ImportedMessage(sender="bob", text="y", sent_at=moment, read_by=["alice"])),
        ],
    )

    assert report.ok
    stored = await talkjs.messages.list("c0").collect()
    assert {moment} == {message.created_at for message in stored}


async def test_what_breaks_a_rule_is_reported(talkjs: AsyncTalkJS, chat: Prepare) -> None:
    await chat(1)
    old = {"conversation_id": "c0", "sender": "alice", "text": "x", "sent_at": LONG_AGO}
    source: list[Any] = [
        {**old, "id": "a", "sent_at": "long ago"},
        {**old, "id": "b", "sender": "mallory"},
        {name: value for name, value in {**old, "id": "c"}.items() if name != "text"},
        7,
    ]

    report = await import_messages(talkjs, [*source, {**old, "id": "good"}])

    reasons = {record.id: str(record.reason) for record in report.records("failed")}
    assert "sent_at: 'long ago' is no ISO 8601 time." == reasons["a"]
    assert "'mallory' is not a participant" in reasons["b"]
    assert "text: is missing." == reasons["c"]
    assert "source: holds a int where a message should be." == reasons["#4"]
    assert (1, 4) == (report.done, report.failed)


@pytest.mark.parametrize("step", [1, 4, 1_000])
async def test_faults_on_the_way_lose_and_double_nothing(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, texts: Texts, step: int
) -> None:
    await chat(10)
    emulator.limits = Limits.off()
    faults = ("return-503", "return-503-after-commit", "return-502-html", "drop-after-commit",
              "reset-before-commit", "return-429", "refuse", "empty-200")  # fmt: skip
    for fault in faults:
        emulator.faults.add(fault, on=POST, p=0.08)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=100, max_elapsed=10_000.0))

    report = await import_messages(talkjs, messages(1_000, 10, step=step))

    assert (True, 1_000) == (report.ok, report.done)
    assert in_order(1_000, 10) == texts()


@pytest.mark.parametrize("fault", ["drop-after-commit", "drop-before-commit"])
async def test_a_job_that_fails_reads_back_what_is_in_doubt(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    chat: Prepare,
    texts: Texts,
    journal: Path,
    fault: str,
) -> None:
    await chat(2)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    emulator.faults.add(fault, on=POST, nth=3)
    job = import_messages(talkjs, messages(100, 2, step=7), journal=journal)
    with pytest.raises(OutcomeUnknown):
        await job

    report = await import_messages(talkjs, messages(100, 2, step=7), journal=journal)

    assert job.report.unknown >= 10
    assert (100, 0) == (report.done, report.unknown)
    assert in_order(100, 2) == texts()


async def test_a_conversation_is_read_back_no_further_than_needed(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    await chat(1)
    talkjs = make_talkjs()
    await import_messages(talkjs, messages(1_000, 1))
    newer = [{**message, "timestamp": LONG_AGO + 10_000} for message in messages(10, 1)]
    emulator.faults.add("drop-after-commit", on=POST, nth=1)

    await import_messages(talkjs, newer)

    assert 1 == len(emulator.requests.find("GET /conversations/c0/messages"))


async def test_messages_that_came_only_in_part_are_completed(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, texts: Texts, journal: Path
) -> None:
    await chat(1)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    source = list(messages(10, 1, step=10))
    emulator.faults.add("drop-before-commit", on=POST, nth=1)
    with pytest.raises(OutcomeUnknown):
        await import_messages(talkjs, source, journal=journal)
    # As if the server had got half way.
    await import_messages(talkjs, source[3:7])

    await import_messages(talkjs, source, journal=journal)

    assert {str(number) for number in range(10)} == set(texts()["c0"])
    assert 10 == len(texts()["c0"])


async def test_a_conversation_that_is_gone_is_reported(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    await chat(0)

    report = await import_messages(talkjs, messages(50, 1))

    assert (0, 50) == (report.done, report.failed)
    assert 1 == len(emulator.requests.find(POST))


def test_a_negative_pause_is_refused(anyio_backend: str) -> None:
    talkjs = AsyncTalkJS("app", "secret")

    with pytest.raises(ConfigurationError, match="settle"):
        import_messages(talkjs, [], settle=-1.0)
