from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from talkjs_async import (
    AsyncTalkJS,
    Location,
    OutcomeUnknown,
    RetryPolicy,
    SystemMessage,
    TokenBucket,
    UserMessage,
)
from talkjs_async.bulk import BadRecord, send_messages
from talkjs_async.bulk._record_types.messages import key_of
from talkjs_async.emulator import Emulator, Limits
from tests.bulk.transcripts import in_order
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

Prepare = Callable[[int], Awaitable[None]]
Texts = Callable[[], dict[str, list[str]]]

POST = "POST /conversations/*/messages"
DAY = 86_400.0


def messages(count: int, conversations: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        conversation_id = f"c{number % conversations}"
        yield {"conversationId": conversation_id, "sender": "alice", "text": str(number)}


async def test_ten_messages_go_with_one_request_in_the_order_of_their_conversation(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, texts: Texts
) -> None:
    await chat(7)

    report = await send_messages(talkjs, messages(1_400, 7))

    assert (1_400, 140) == (report.done, report.requests)
    assert 140 == len(emulator.requests.find(POST))
    assert in_order(1_400, 7) == texts()


async def test_a_record_without_an_id_takes_nobody_s(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, journal: Path
) -> None:
    await chat(1)
    source: list[Any] = [
        {"id": "#2", "conversation_id": "c0", "sender": "alice", "text": "hi"},
        BadRecord(reason="line 3 is not JSON."),
    ]

    first = await send_messages(talkjs, source, journal=journal)
    failed = [(record.id, record.number) for record in first.records("failed")]
    second = await send_messages(talkjs, source, journal=journal)

    assert (1, 1, [("#2", 2)]) == (first.done, first.failed, failed)
    assert (0, 1, 1) == (second.done, second.unchanged, second.failed)
    assert 1 == len(emulator.commits.of("message.sent"))


@pytest.mark.harness
async def test_batches_that_take_requests_along_are_full(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    emulator.limits = Limits.off()
    await chat(200)
    emulator.limits = Limits(burst=60, batch_burst=50)
    clock = emulator.clock
    ordinary, batches = TokenBucket(9.0, 60, clock=clock), TokenBucket(1.0, 50, clock=clock)
    async with make_talkjs(
        overflow_to_batch=True, limiter=ordinary, batch_limiter=batches
    ) as talkjs:
        report = await send_messages(talkjs, messages(30_000, 200), lane="interactive")

    assert pytest.approx((3_000 - 560) / 19, rel=0.05) == report.seconds
    sizes = [len(exchange.operations) for exchange in emulator.requests.find("POST /batch")]
    assert sizes.count(10) >= 0.95 * len(sizes)


async def test_where_operations_are_charged_a_job_takes_what_the_ordinary_budget_allows(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, texts: Texts
) -> None:
    emulator.switches.batch_charges = "each"
    emulator.limits = Limits.off()
    await chat(50)
    emulator.limits = Limits(burst=60, batch_burst=50)
    clock = emulator.clock
    ordinary, batches = TokenBucket(9.0, 60, clock=clock), TokenBucket(1.0, 50, clock=clock)
    async with make_talkjs(
        overflow_to_batch=True, limiter=ordinary, batch_limiter=batches
    ) as talkjs:
        report = await send_messages(talkjs, messages(5_000, 50), lane="interactive")

    assert pytest.approx((500 - 60) / 9, rel=0.05) == report.seconds
    assert in_order(5_000, 50) == texts()


async def test_the_report_has_the_ids_of_the_messages(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    await chat(1)
    source = [
        {"id": f"mine-{n}", "conversation_id": "c0", "sender": "bob", "text": "x"} for n in range(3)
    ]

    report = await send_messages(talkjs, source)

    stored = [commit.message_id for commit in emulator.commits.of("message.sent")]
    assert [("mine-0", stored[0]), ("mine-1", stored[1]), ("mine-2", stored[2])] == [
        (record.id, record.result) for record in report.records("done")
    ]


async def test_messages_may_be_pairs_of_conversation_and_model(
    talkjs: AsyncTalkJS, chat: Prepare, texts: Texts
) -> None:
    await chat(1)

    await send_messages(
        talkjs,
        [
            ("c0", UserMessage(sender="alice", text="hi")),
            ("c0", SystemMessage(text="alice said hi")),
            {"conversation_id": "c0", "type": "SystemMessage", "text": "indeed"},
        ],
    )

    assert {"c0": ["hi", "alice said hi", "indeed"]} == texts()


async def test_one_bad_message_does_not_sink_its_nine_companions(
    talkjs: AsyncTalkJS, chat: Prepare, texts: Texts
) -> None:
    await chat(1)
    source = list(messages(30, 1))
    source[13]["sender"] = "mallory"

    report = await send_messages(talkjs, source)

    assert (29, 1) == (report.done, report.failed)
    assert [str(number) for number in range(30) if number != 13] == texts()["c0"]
    (bad,) = report.records("failed")
    assert ("14", 14) == (bad.id, bad.number)
    assert "'mallory' is not a participant" in str(bad.reason)


async def test_messages_to_a_conversation_that_does_not_exist_cost_one_request(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    await chat(1)
    lost = [{"conversation_id": "gone", "sender": "alice", "text": "x"}] * 100

    report = await send_messages(talkjs, [*lost, *messages(10, 1)])

    assert (10, 100) == (report.done, report.failed)
    assert 2 == len(emulator.requests.find(POST))


async def test_what_breaks_a_rule_is_reported(talkjs: AsyncTalkJS) -> None:
    source: list[Any] = [
        {"id": "a", "conversation_id": "c0", "text": "who?"},
        {"id": "b", "sender": "alice", "text": "where?"},
        {"id": "c", "conversation_id": "c0", "sender": "alice"},
        {"id": "d", "conversation_id": "c0", "type": "SystemMessage", "sender": "a", "text": "x"},
        {"id": "e", "conversation_id": "c0", "type": "Whisper", "sender": "a", "text": "x"},
        {"id": "", "conversation_id": "c0", "sender": "a", "text": "x"},
        7,
    ]

    report = await send_messages(talkjs, source)

    assert {
        "a": "sender: is missing.",
        "b": "conversation_id: is missing.",
        "c": "text: is missing: give one of text, attachment_token, location, content.",
        "d": "sender: must not be given for a SystemMessage.",
        "e": "type: must be 'UserMessage' or 'SystemMessage', not 'Whisper'.",
        "#6": "id: must be a text or a whole number, not ''.",
        "#7": "source: holds a int where a message should be.",
    } == {record.id: record.reason for record in report.records("failed")}


async def test_faults_on_the_way_lose_and_double_nothing(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, texts: Texts
) -> None:
    await chat(20)
    emulator.limits = Limits.off()
    for fault in (
        "return-503",
        "return-503-after-commit",
        "drop-after-commit",
        "reset-before-commit",
    ):
        emulator.faults.add(fault, on=POST, p=0.1)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=100, max_elapsed=10_000.0))

    report = await send_messages(talkjs, messages(2_000, 20))

    assert (True, 2_000) == (report.ok, report.done)
    assert in_order(2_000, 20) == texts()


async def test_a_job_that_fails_goes_on_where_it_was_with_the_same_keys(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, texts: Texts, journal: Path
) -> None:
    await chat(3)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    fault = emulator.faults.add("drop-after-commit", on=POST, nth=(5, 6, 7))
    job = send_messages(talkjs, messages(300, 3), journal=journal)

    with pytest.raises(OutcomeUnknown):
        await job
    emulator.faults.remove(fault)
    report = await send_messages(talkjs, messages(300, 3), journal=journal)

    assert 1 <= fault.fired
    assert job.report.unknown >= 10
    assert (False, True) == (job.report.complete, report.complete)
    assert (300, 0) == (report.done, report.unknown)
    assert in_order(300, 3) == texts()
    keys = [exchange.idempotency_keys for exchange in emulator.requests.find(POST)]
    assert max(Counter(keys).values()) > 1


async def test_a_second_run_sends_nothing_twice_and_says_what_has_changed(
    talkjs: AsyncTalkJS, chat: Prepare, texts: Texts, journal: Path
) -> None:
    await chat(1)
    source = list(messages(10, 1))
    await send_messages(talkjs, source, journal=journal)
    edited = [{**source[0], "text": "edited"}, *source[1:], *list(messages(11, 1))[10:]]

    second = await send_messages(talkjs, edited, journal=journal)
    (changed,) = second.records("failed")
    third = await send_messages(talkjs, [*source, edited[-1]], journal=journal)

    assert (1, 9, 1) == (second.done, second.unchanged, second.failed)
    assert "it was stored before with other content; the change is not sent." == changed.reason
    assert (0, 1, 10) == (third.failed, third.done, third.unchanged)
    assert in_order(11, 1) == texts()


@pytest.mark.parametrize("fault", ["drop-after-commit", "drop-before-commit"])
async def test_a_doubt_that_has_outlived_its_key_is_looked_up_first(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    chat: Prepare,
    texts: Texts,
    journal: Path,
    fault: str,
) -> None:
    await chat(1)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    # The same words over and over: what the job has sent itself proves nothing.
    source = [{"conversation_id": "c0", "sender": "alice", "text": "hi"}] * 30
    emulator.faults.add(fault, on=POST, nth=2)
    with pytest.raises(OutcomeUnknown):
        await send_messages(talkjs, source, journal=journal)
    await emulator.clock.sleep(DAY + 3_600)

    report = await send_messages(talkjs, source, journal=journal)

    assert (30, 0) == (report.done, report.unknown)
    assert {"c0": ["hi"] * 30} == texts()
    assert 30 == len({record.result for record in report.records("done")})


async def test_what_changed_while_it_was_in_doubt_is_not_sent_again(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, texts: Texts, journal: Path
) -> None:
    await chat(1)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    emulator.faults.add("drop-before-commit", on=POST, nth=1)
    with pytest.raises(OutcomeUnknown):
        await send_messages(talkjs, messages(2, 1), journal=journal)
    edited = list(messages(2, 1))
    edited[0]["text"] = "edited"

    report = await send_messages(talkjs, edited, journal=journal)

    assert (1, 1) == (report.done, report.unknown)
    assert {"c0": ["1"]} == texts()
    (doubtful,) = report.records("unknown")
    assert "neither is sent again" in str(doubtful.reason)


@pytest.mark.parametrize("answer", ["same_id", "error"])
async def test_whatever_a_repeated_key_is_answered_with_it_is_done(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    chat: Prepare,
    texts: Texts,
    journal: Path,
    answer: Any,
) -> None:
    await chat(1)
    emulator.switches.idempotent_repeat = answer
    emulator.faults.add("drop-after-commit", on=POST, nth=2)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    with pytest.raises(OutcomeUnknown):
        await send_messages(talkjs, messages(30, 1), journal=journal)

    report = await send_messages(talkjs, messages(30, 1), journal=journal)

    assert (30, 0) == (report.done, report.failed)
    assert in_order(30, 1) == texts()


async def test_a_job_id_of_one_s_own_needs_no_journal_for_a_day(
    talkjs: AsyncTalkJS, chat: Prepare, texts: Texts
) -> None:
    await chat(1)

    for _ in range(2):
        await send_messages(talkjs, messages(10, 1), job_id="welcome-2026")

    assert in_order(10, 1) == texts()


async def test_a_key_of_the_source_s_own_is_used(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare
) -> None:
    await chat(1)

    await send_messages(talkjs, [{**next(messages(1, 1)), "idempotency_key": "mine"}])

    assert ["mine"] == [commit.idempotency_key for commit in emulator.commits.of("message.sent")]


def test_keys_are_twenty_characters_and_differ_by_job_and_record() -> None:
    keys = {key_of("a", "1"), key_of("a", "2"), key_of("b", "1"), key_of("a", "1")}

    assert 3 == len(keys)
    assert {20} == {len(key) for key in keys}


async def test_a_key_of_one_s_own_that_comes_twice_fails_for_the_second_record(
    talkjs: AsyncTalkJS, chat: Prepare, texts: Texts, journal: Path
) -> None:
    await chat(2)
    source: list[dict[str, Any]] = list(messages(40, 2))
    for number in (3, 5, 38):
        source[number]["idempotency_key"] = "mine"
    source[7]["idempotency_key"] = "another"

    report = await send_messages(talkjs, source, journal=journal)
    again = await send_messages(talkjs, source, journal=journal)

    assert (38, 2, True) == (report.done, report.failed, report.complete)
    assert [
        ("6", "its idempotency_key is that of '4': one of the two would be lost."),
        ("39", "its idempotency_key is that of '4': one of the two would be lost."),
    ] == [(record.id, record.reason) for record in report.records("failed")]
    assert (38, 2) == (again.unchanged, again.failed)
    assert 38 == sum(map(len, texts().values()))


async def test_the_key_of_a_message_that_was_refused_may_be_used_again(
    talkjs: AsyncTalkJS, chat: Prepare
) -> None:
    await chat(1)
    first = {"conversation_id": "nowhere", "sender": "alice", "text": "a", "idempotency_key": "k"}
    refused = await send_messages(talkjs, [first])
    report = await send_messages(
        talkjs, [{**first, "conversation_id": "c0"}, {**first, "sender": "bob"}]
    )

    assert (0, 1) == (refused.done, refused.failed)
    assert (1, 1) == (report.done, report.failed)


PLACE = Location(latitude=1.0, longitude=2.0)


@pytest.mark.parametrize(
    ("sent", "since", "outcome"),
    [
        ({"location": PLACE}, {"text": "something else"}, "done"),
        ({"location": PLACE}, {"location": Location(latitude=5.0, longitude=6.0)}, "done"),
        ({"attachment_token": "file"}, {"text": "something else"}, "done"),
        ({"attachment_token": "file"}, {"attachment_token": "file"}, "unknown"),
    ],
)
async def test_a_file_or_place_in_doubt_is_not_taken_for_what_was_said_since(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    chat: Prepare,
    journal: Path,
    sent: dict[str, Any],
    since: dict[str, Any],
    outcome: Literal["done", "unknown"],
) -> None:
    await chat(1)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    token = (await talkjs.files.upload(b"bytes", filename="x.txt")).token
    fields = {**sent, **({"attachment_token": token} if "attachment_token" in sent else {})}
    source = [{"conversation_id": "c0", "sender": "alice", **fields}]
    emulator.faults.add("drop-before-commit", on=POST, nth=1)
    with pytest.raises(OutcomeUnknown):
        await send_messages(talkjs, source, journal=journal)
    await emulator.clock.sleep(1.0)
    if "attachment_token" in since:
        since = {"attachment_token": (await talkjs.files.upload(b"other", filename="y.txt")).token}
    await talkjs.messages.send("c0", sender="alice", **since)
    await emulator.clock.sleep(DAY)

    for _ in range(2):
        report = await send_messages(talkjs, source, journal=journal)

        assert len(list(report.records(outcome))) + report.unchanged >= 1
        expected = 2 if outcome == "done" else 1
        assert expected == len(emulator.commits.of("message.sent"))


async def test_what_is_stored_without_a_known_id_is_no_proof_of_equal_words(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, journal: Path
) -> None:
    emulator.switches.idempotent_repeat = "error"
    await chat(1)
    source = [{"conversation_id": "c0", "sender": "alice", "text": "again"}] * 11
    emulator.faults.add("drop-after-commit", on=POST, nth=1)
    assert (await send_messages(make_talkjs(), source[:10], journal=journal)).ok
    emulator.faults.add("drop-before-commit", on=POST, nth=1)
    with pytest.raises(OutcomeUnknown):
        await send_messages(make_talkjs(retry=RetryPolicy(attempts=1)), source, journal=journal)
    await emulator.clock.sleep(DAY)

    report = await send_messages(make_talkjs(), source, journal=journal)

    assert report.ok
    assert 11 == len(emulator.commits.of("message.sent"))
