from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import anyio
import pytest

from talkjs_async import (
    AsyncTalkJS,
    ConfigurationError,
    ImportedSystemMessage,
    OutcomeUnknown,
    RetryPolicy,
)
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


async def test_a_hundred_messages_go_with_one_request_and_keep_their_times(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, texts: Texts
) -> None:
    await chat(3)

    report = await import_messages(talkjs, messages(900, 3))

    assert (900, 9) == (report.done, report.requests)
    assert in_order(900, 3) == texts()
    first = (await talkjs.messages.list("c0").collect())[-1]
    assert (LONG_AGO, "import", "0") == (first.created_at_ms, first.origin, first.text)


async def test_the_older_rules_are_learned_from_what_is_stored(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, texts: Texts
) -> None:
    emulator.switches.import_rules = "older"
    await chat(20)

    report = await import_messages(talkjs, messages(2_000, 20))

    assert (True, 2_000) == (report.ok, report.done)
    assert in_order(2_000, 20) == texts()
    # 200 requests of ten; a hundred, one under the current rules and one under the older to learn.
    assert 200 + 3 == len(emulator.requests.find(POST))


@pytest.mark.parametrize("bad", [0, 37, 99, 150])
@pytest.mark.parametrize("rules", ["current", "older"])
async def test_one_bad_message_is_told_from_a_limit(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, texts: Texts, rules: Any, bad: int
) -> None:
    emulator.switches.import_rules = rules
    await chat(1)
    source = list(messages(1_000, 1))
    source[bad]["sender"] = "mallory"

    report = await import_messages(talkjs, source)

    assert (999, 1) == (report.done, report.failed)
    [failed] = report.records("failed")
    assert str(bad + 1) == failed.id
    assert [str(number) for number in range(1_000) if number != bad] == texts()["c0"]
    # 10 or 100 requests, and a few for the bad one and the learning.
    assert len(emulator.requests.find(POST)) <= (10 + 15 if rules == "current" else 100 + 12)


@pytest.mark.parametrize("rules", ["current", "older"])
async def test_messages_of_the_system_are_imported_or_reported(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, rules: Any
) -> None:
    emulator.switches.import_rules = rules
    await chat(1)
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    old = {"conversation_id": "c0", "text": "opened", "sent_at": moment}

    report = await import_messages(
        talkjs,
        [
            *messages(20, 1),
            {**old, "id": "mapping", "type": "SystemMessage"},
            ("c0", ImportedSystemMessage(text="closed", sent_at=moment)),
            {**old, "id": "both", "type": "SystemMessage", "sender": "alice"},
        ],
    )

    stored = 22 if rules == "current" else 20
    assert (stored, 23 - stored) == (report.done, report.failed)
    assert "sender: must not be given" in {r.id: str(r.reason) for r in report.records()}["both"]
    listed = await talkjs.messages.list("c0").collect()
    assert stored == len(listed)
    assert stored - 20 == sum(message.type == "SystemMessage" for message in listed)


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


@pytest.mark.parametrize("rules", ["current", "older"])
@pytest.mark.parametrize("step", [1, 4, 1_000])
async def test_faults_on_the_way_lose_and_double_nothing(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, texts: Texts, step: int, rules: Any
) -> None:
    emulator.switches.import_rules = rules
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
    job = import_messages(talkjs, messages(1_000, 2, step=7), journal=journal)
    with pytest.raises(OutcomeUnknown):
        await job

    report = await import_messages(talkjs, messages(1_000, 2, step=7), journal=journal)

    assert job.report.unknown >= 100
    assert (1_000, 0) == (report.done, report.unknown)
    assert in_order(1_000, 2) == texts()


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


@pytest.mark.parametrize("unknown", ["ignore", "reject"])
@pytest.mark.parametrize("rules", ["current", "older"])
@pytest.mark.parametrize("before", [0, 20])
async def test_a_conversation_that_is_gone_is_reported(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, rules: Any, unknown: Any, before: int
) -> None:
    emulator.switches.import_rules, emulator.switches.unknown_fields = rules, unknown
    await chat(1)
    gone = [{**message, "conversation_id": "gone"} for message in messages(150, 1)]

    report = await import_messages(talkjs, [*messages(before, 1), *gone])

    assert (before, 150) == (report.done, report.failed)
    assert all("404" in str(record.reason) for record in report.records("failed"))
    # Two ask for the one that is gone when its records fill more than a request.
    asked = emulator.requests.find("POST /import/conversations/gone/messages")
    assert len(asked) <= (2 if before else 2 + 2)


async def test_a_message_that_neither_rules_take_is_told_the_reason_of_both(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    emulator.switches.import_rules, emulator.switches.unknown_fields = "older", "reject"
    emulator.switches.not_a_participant, emulator.switches.reasons = 400, "list"
    await chat(1)
    [first] = messages(1, 1)

    report = await import_messages(talkjs, [{**first, "sender": "mallory"}])

    [failed] = report.records("failed")
    assert "createdAt: is not known here" in str(failed.reason)
    assert "'mallory' is not a participant" in str(failed.reason)


@pytest.mark.parametrize("fault", ["drop-before-commit", "drop-after-commit", "return-503"])
@pytest.mark.parametrize("rules", ["current", "older"])
async def test_two_jobs_at_once_take_no_message_of_the_other_for_their_own(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, texts: Texts, fault: str, rules: Any
) -> None:
    emulator.switches.import_rules = rules
    await chat(1)
    emulator.limits = Limits.off()
    emulator.faults.add(fault, on=POST, p=0.3)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=100, max_elapsed=10_000.0))
    # The same senders and times, other words.
    one = list(messages(150, 1, step=3))
    other = [{**message, "text": f"other {message['text']}"} for message in one]

    async with anyio.create_task_group() as tasks:
        for source in (one, other):
            tasks.start_soon(import_messages(talkjs, source).run)

    wanted = [str(message["text"]) for message in (*one, *other)]
    assert sorted(wanted) == sorted(texts()["c0"])


@pytest.mark.parametrize("fault", ["drop-before-commit", "drop-after-commit"])
@pytest.mark.parametrize("answer", ["ids", "empty"])
@pytest.mark.parametrize("ties", ["sequence", "id"])
@pytest.mark.parametrize("words", [("again",), ("again", "twice"), ("twice", "again", "again")])
async def test_repeated_words_at_one_moment_are_all_stored(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    chat: Prepare,
    texts: Texts,
    fault: str,
    answer: Any,
    ties: Any,
    words: tuple[str, ...],
) -> None:
    emulator.switches.import_answer, emulator.switches.order_ties = answer, ties
    await chat(1)
    moment = {"conversation_id": "c0", "sender": "alice", "timestamp": LONG_AGO}
    # Of another program, at the same moment.
    await import_messages(make_talkjs(), [{**moment, "text": "else"}] * 150)
    emulator.faults.add(fault, on=POST, nth=2)
    source = [{**moment, "text": word} for _, word in zip(range(150), cycle(words), strict=False)]

    report = await import_messages(make_talkjs(), source)

    assert (True, 150) == (report.ok, report.done)
    wanted = Counter(str(message["text"]) for message in source)
    assert {**wanted, "else": 150} == Counter(texts()["c0"])


async def test_words_that_the_server_changes_are_found_again(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    emulator.switches.lone_surrogates = "replace"
    await chat(1)
    emulator.faults.add("drop-after-commit", on=POST, nth=1)
    old = {"conversation_id": "c0", "sender": "alice", "timestamp": LONG_AGO}
    bold = {"type": "text", "children": ["so ", {"type": "bold", "children": ["it"]}, " is"]}

    report = await import_messages(
        talkjs, [{**old, "text": "half \ud83d"}, {**old, "content": [bold]}]
    )

    assert (True, 2) == (report.ok, report.done)
    assert 2 == len(emulator.commits.of("message.imported"))


def test_a_negative_pause_is_refused(anyio_backend: str) -> None:
    talkjs = AsyncTalkJS("app", "secret")

    with pytest.raises(ConfigurationError, match="settle"):
        import_messages(talkjs, [], settle=-1.0)
