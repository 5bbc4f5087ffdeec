"""Batches: many calls, few requests, each call its own fate."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async import (
    AsyncTalkJS,
    BadRequest,
    Call,
    ConfigurationError,
    DecodeError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
    RetryPolicy,
    SendReceipt,
    ServerError,
    TalkJSError,
    TokenBucket,
    Unauthorized,
    User,
    call_of,
)
from talkjs_async.anonymous import AnonymousProjects
from talkjs_async.batch._encoding import MOST_OPERATIONS, OperationAnswer, encode, outcome_of
from talkjs_async.emulator import Emulator, Limits
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

AnsweredWith = Callable[..., AsyncTalkJS]


@pytest.fixture
async def chat(talkjs: AsyncTalkJS) -> None:
    """Alice and Bob, in the conversation "chat"."""
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.users.upsert("bob", name="Bob")
    await talkjs.conversations.upsert("chat", participants=["alice", "bob"])


def batches(emulator: Emulator) -> list[int]:
    """How many operations each batch request had."""
    return [len(exchange.operations) for exchange in emulator.requests.find("POST /batch")]


async def test_each_call_has_its_own_result_in_its_own_place(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: None
) -> None:
    user, sent, nothing, page, conversation = await talkjs.batch(
        call_of(talkjs.users.get, "alice"),
        call_of(talkjs.messages.send, "chat", sender="bob", text="hi"),
        call_of(talkjs.conversations.upsert, "chat", subject="Cars"),
        call_of(talkjs.users.list, limit=1),
        call_of(talkjs.conversations.get, "chat"),
    )

    assert "Alice" == user.name
    assert [sent.id] == [commit.message_id for commit in emulator.commits.of("message.sent")]
    assert nothing is None
    assert (["bob"], "bob") == ([one.id for one in page], page.cursor)
    assert {"alice", "bob"} == set(conversation.participants)
    assert [5] == batches(emulator)


async def test_calls_are_cut_into_tens_and_stay_in_order(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    names = [f"user {number}" for number in range(203)]
    await talkjs.batch(*[call_of(talkjs.users.upsert, name, name=name) for name in names])

    users = await talkjs.batch(*[call_of(talkjs.users.get, name) for name in names])

    assert names == [user.id for user in users]
    assert [10] * 20 + [3] == sorted(batches(emulator)[:21], reverse=True)


async def test_no_calls_are_no_request(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    assert () == await talkjs.batch()
    assert 0 == len(emulator.requests)


async def test_errors_stand_in_the_place_of_their_calls(talkjs: AsyncTalkJS, chat: None) -> None:
    results = await talkjs.batch(
        call_of(talkjs.users.get, "nobody"),
        call_of(talkjs.users.get, "alice"),
        call_of(talkjs.users.upsert, "new", role="nameless"),
        return_exceptions=True,
    )

    unknown, alice, refused = results
    assert isinstance(unknown, NotFound)
    assert ("GET", "/users/nobody", "USER_NOT_FOUND") == (
        unknown.method,
        unknown.path,
        unknown.code,
    )
    assert isinstance(alice, User)
    assert isinstance(refused, BadRequest)


async def test_the_first_error_is_raised_when_all_calls_are_done(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: None
) -> None:
    calls: list[Call[Any]] = [call_of(talkjs.users.upsert, f"u{n}", name="U") for n in range(30)]
    calls[7] = call_of(talkjs.users.get, "nobody")
    calls[20] = call_of(talkjs.users.upsert, "new", role="nameless")

    with pytest.raises(NotFound):
        await talkjs.batch(*calls)

    assert 2 + 28 == len(emulator.commits.of("user.created"))


async def test_a_failed_call_is_repeated_without_the_others(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: None
) -> None:
    emulator.faults.add("return-503", on="GET /users/bob", first=2)

    alice, bob = await talkjs.batch(
        call_of(talkjs.users.get, "alice"), call_of(talkjs.users.get, "bob")
    )

    assert ("alice", "bob") == (alice.id, bob.id)
    assert [2, 1, 1] == batches(emulator)


async def test_the_attempts_of_a_call_are_bounded_and_counted(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: None
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=3))
    emulator.faults.add("return-503", on="GET /users/bob")

    alice, bob = await talkjs.batch(
        call_of(talkjs.users.get, "alice"),
        call_of(talkjs.users.get, "bob"),
        return_exceptions=True,
    )

    assert isinstance(alice, User)
    assert isinstance(bob, ServerError)
    assert (3, "/users/bob") == (bob.attempts, bob.path)
    assert [2, 1, 1] == batches(emulator)


@pytest.mark.parametrize(
    "fault", ["return-503", "return-429-retry-after-2", "refuse", "drop-before-commit"]
)
async def test_a_batch_that_failed_as_a_whole_is_repeated(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: None, fault: str
) -> None:
    emulator.faults.add(fault, on="POST /batch", first=1)

    users = await talkjs.batch(call_of(talkjs.users.get, "alice"), call_of(talkjs.users.get, "bob"))

    assert ["alice", "bob"] == [user.id for user in users]


async def test_after_an_unknown_outcome_only_harmless_calls_are_repeated(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: None
) -> None:
    await talkjs.messages.send("chat", sender="alice", text="answer me")
    emulator.faults.add("drop-after-commit", on="POST /batch", first=1)

    sent, notified = await talkjs.batch(
        call_of(talkjs.messages.send, "chat", sender="alice", text="once"),
        call_of(talkjs.notifications.send, "chat", channels=["email"]),
        return_exceptions=True,
    )

    assert not isinstance(sent, TalkJSError)
    assert isinstance(notified, OutcomeUnknown)
    assert "/conversations/chat/notifications" == notified.path
    assert 2 == len(emulator.commits.of("message.sent"))
    assert 1 == len(emulator.commits.of("notification.triggered"))
    assert [2, 1] == [
        len(exchange.operations) for exchange in emulator.requests.find("POST /batch")
    ]


async def test_nothing_is_lost_or_sent_twice_on_a_bad_day(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: None
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=50, max_elapsed=100_000.0))
    emulator.faults.add("return-503", on="POST /batch", p=0.1)
    emulator.faults.add("drop-after-commit", on="POST /batch", p=0.1)
    emulator.faults.add("return-429-retry-after-1", on="POST /batch", p=0.02)
    emulator.faults.add("return-500-after-commit", on="POST /conversations/*/messages", p=0.1)
    texts = [f"message {number}" for number in range(300)]

    receipts = await talkjs.batch(
        *[call_of(talkjs.messages.send, "chat", sender="bob", text=text) for text in texts]
    )

    stored = {commit.message_id: commit.text for commit in emulator.commits.of("message.sent")}
    assert sorted(texts) == sorted(str(text) for text in stored.values())
    assert texts == [stored[receipt.id] for receipt in receipts]


async def test_batches_have_a_budget_of_their_own(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: None
) -> None:
    spent_before = talkjs.budget.granted

    await talkjs.batch(*[call_of(talkjs.users.get, "alice") for _ in range(15)])

    assert spent_before == talkjs.budget.granted
    assert 2 == talkjs._pipeline.limiters["batch"].statistics().granted


async def test_six_thousand_calls_never_meet_a_429(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: None
) -> None:
    talkjs = make_talkjs()
    began = emulator.clock.monotonic()

    users = await talkjs.batch(*[call_of(talkjs.users.get, "bob") for _ in range(6_000)])

    assert 6_000 == len(users)
    assert {200} == {exchange.status for exchange in emulator.requests}
    # 600 requests: 500 at once, then 1 per second.
    assert 99.0 <= emulator.clock.monotonic() - began <= 102.0


async def test_a_wait_beyond_max_wait_is_the_error_of_those_who_would_wait(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: None
) -> None:
    bucket = TokenBucket(rate=1.0, burst=1, clock=emulator.clock)
    talkjs = make_talkjs(batch_limiter=bucket, max_wait=0.5)

    results = await talkjs.batch(
        *[call_of(talkjs.users.get, "bob") for _ in range(20)], return_exceptions=True
    )

    assert [User] * 10 + [RateLimitWaitTimeout] * 10 == [type(result) for result in results]


async def test_a_repeat_that_would_wait_too_long_does_not_hide_an_unknown_outcome(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: None
) -> None:
    bucket = TokenBucket(rate=0.01, burst=1, clock=emulator.clock)
    talkjs = make_talkjs(batch_limiter=bucket, max_wait=1.0)
    emulator.faults.add("drop-after-commit", on="POST /batch")

    [message, user] = await talkjs.batch(
        call_of(talkjs.messages.send, "chat", sender="alice", text="hi", idempotency_key="k1"),
        call_of(talkjs.users.get, "bob"),
        return_exceptions=True,
    )

    assert 1 == len(emulator.commits.of("message.sent"))
    assert isinstance(message, OutcomeUnknown)
    assert (("k1",), True) == (message.idempotency_keys, message.maybe_done)
    # A call that reads has nothing that could have been carried out.
    assert isinstance(user, RateLimitWaitTimeout)


async def test_the_time_of_a_batch_is_that_of_all_its_requests(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: None
) -> None:
    talkjs = make_talkjs(total_timeout=3.0)
    emulator.latency = lambda _: (0.5, 0.5)
    began = emulator.clock.monotonic()

    results = await talkjs.batch(
        *[call_of(talkjs.users.get, "bob") for _ in range(1_000)], return_exceptions=True
    )

    assert emulator.clock.monotonic() - began <= 3.0 + 1e-6
    assert {User, RateLimitWaitTimeout} <= {type(result) for result in results}


@pytest.mark.parametrize(
    "status", [300, 302, 400, 402, 403, 404, 405, 408, 409, 410, 413, 425, 451, 499]
)
async def test_the_calls_of_a_batch_that_was_refused_as_such_are_sent_alone(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: None, status: int
) -> None:
    talkjs = make_talkjs()
    emulator.faults.add(f"return-{status}", on="POST /batch")

    sent, missing = await talkjs.batch(
        call_of(talkjs.messages.send, "chat", sender="alice", text="hi"),
        call_of(talkjs.users.get, "nobody"),
        return_exceptions=True,
    )

    assert isinstance(sent, SendReceipt)
    assert [sent.id] == [commit.message_id for commit in emulator.commits.of("message.sent")]
    assert isinstance(missing, NotFound)


async def test_every_operation_says_its_api_version(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(api_version="2024-01-01")
    older = talkjs.with_options(api_version="2021-07-30")

    results = await talkjs.batch(
        call_of(talkjs.users.list_conversations, "nobody"),
        call_of(older.users.list_conversations, "nobody"),
        return_exceptions=True,
    )

    assert isinstance(results[0], NotFound)
    assert not isinstance(results[1], TalkJSError)
    assert 0 == len(results[1])
    assert {"2024-01-01", "2021-07-30"} == {
        operation.api_version for operation in emulator.requests[0].operations
    }


async def test_a_call_keeps_the_version_of_the_client_that_made_it(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs()
    older = talkjs.with_options(api_version="2021-07-30")

    [page] = await talkjs.batch(call_of(older.users.list_conversations, "nobody"))

    assert () == page.items


def one_of_each_refused(talkjs: AsyncTalkJS) -> dict[str, Any]:
    get = call_of(talkjs.users.get, "alice")
    return {
        "upload": call_of(talkjs.files.upload, b"x", filename="x"),
        "nested": encode([get]),
        "account": call_of(AnonymousProjects().create),
        "query of a PUT": Call(method="PUT", path="/x", query={"a": "b"}, decode=lambda data: data),
        "no JSON": Call(method="POST", path="/x", body=float("nan"), decode=lambda data: data),
        "no call": talkjs.users.get,
        "a string": "/users/alice",
    }


@pytest.mark.parametrize(
    "refused",
    ["upload", "nested", "account", "query of a PUT", "no JSON", "no call", "a string"],
)
async def test_what_no_batch_can_carry_is_refused_before_anything_is_sent(
    talkjs: AsyncTalkJS, emulator: Emulator, refused: str
) -> None:
    calls = [call_of(talkjs.users.upsert, "alice", name="Alice")] * 11
    bad = one_of_each_refused(talkjs)[refused]

    with pytest.raises(ConfigurationError) as caught:
        await talkjs.batch(*calls, bad)

    assert "calls[11]" == caught.value.argument
    assert 0 == len(emulator.requests)


@pytest.mark.parametrize("charges", ["one", "each"])
async def test_operations_may_be_charged_to_the_ordinary_budget_too(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: None, charges: Any
) -> None:
    emulator.switches.batch_charges = charges
    emulator.limits = Limits(burst=5, rate=9.0)
    talkjs = make_talkjs(retry=RetryPolicy(attempts=30))

    users = await talkjs.batch(*[call_of(talkjs.users.get, "bob") for _ in range(30)])

    assert 30 == len(users)


class Stuck(httpx.AsyncBaseTransport):
    """Takes requests and never answers."""

    def __init__(self) -> None:
        self.heard = anyio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.heard.set()
        await anyio.sleep_forever()
        raise AssertionError("never reached")


async def test_a_cancelled_batch_gives_its_places_back() -> None:
    stuck = Stuck()

    async with (
        AsyncTalkJS("app", "sk_test_batch", transport=stuck) as talkjs,
        anyio.create_task_group() as tasks,
    ):
        calls = [call_of(talkjs.users.get, "bob") for _ in range(300)]
        tasks.start_soon(partial(talkjs.batch, *calls, return_exceptions=True))
        await stuck.heard.wait()
        tasks.cancel_scope.cancel()

    assert 0 == talkjs._pipeline.limiters["batch"].statistics().in_flight


@pytest.fixture
async def answering(make_talkjs: MakeTalkJS, engine: str) -> AnsweredWith:
    """Build a client whose every batch gets the same answer."""
    library = import_module(engine)

    def make(body: Any) -> AsyncTalkJS:
        transport = library.MockTransport(lambda request: library.Response(200, json=body))
        return make_talkjs(transport=transport, retry=RetryPolicy(attempts=1))

    return make


USER = {"id": "alice", "name": "Alice", "createdAt": 1}
BOB = {"id": "bob", "name": "Bob", "createdAt": 1}


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ([[1, 200, BOB], [0, 200, USER]], [User, User]),
        ([[1.0, 200, BOB], [0, 404, {}]], [NotFound, User]),
        ([[0, 200, USER], [1, 200, ["odd"]]], [User, DecodeError]),
        ([[0, 200, USER], [1, 200, USER]], [User, OutcomeUnknown]),
        ([[0, 200, BOB], [1, 200, USER]], [OutcomeUnknown, OutcomeUnknown]),
        ([[0, 200, BOB], [1, 404, {"id": "bob"}]], [OutcomeUnknown, OutcomeUnknown]),
        ([[0, 404, {"id": "bob"}], [1, 200, BOB]], [NotFound, User]),
        ([[0, 200, USER]], [User, OutcomeUnknown]),
        ([[0, 200, USER], None, [1], ["1", 200, USER], [7, 200, USER]], [User, OutcomeUnknown]),
        # Of two answers that differ, either may be the wrong one.
        ([[0, 200, USER], [1, 200, BOB], [0, 404, {}]], [OutcomeUnknown, User]),
        ([[0, 404, {}], [0, 404, {}], [1, 200, BOB]], [NotFound, User]),
        ([[0, 200, USER], [True, 200, BOB]], [User, OutcomeUnknown]),
        ([[0, 200, USER], [1, True, BOB]], [User, OutcomeUnknown]),
        ([[0, 429, None], [1, 404, "<html>"]], [RateLimited, NotFound]),
        ([[0, 200], [1, 500, {"errorCode": "X"}]], [DecodeError, ServerError]),
        # No answer has such a status.
        ([[0, 0, {}], [1, 101, {}]], [OutcomeUnknown, OutcomeUnknown]),
        ([[0, -5, {}], [1, 999, {}]], [OutcomeUnknown, ServerError]),
        ({}, [DecodeError, DecodeError]),
        (None, [DecodeError, DecodeError]),
    ],
    ids=str,
)
async def test_whatever_talkjs_answers_each_call_ends_in_a_value_or_our_error(
    answering: AnsweredWith, answer: Any, kinds: list[type]
) -> None:
    talkjs = answering(answer)

    results = await talkjs.batch(
        call_of(talkjs.users.get, "alice"),
        call_of(talkjs.users.get, "bob"),
        return_exceptions=True,
    )

    assert kinds == [type(result) for result in results]


async def test_an_operation_whose_answer_is_about_another_record_is_asked_for_again(
    make_talkjs: MakeTalkJS, engine: str
) -> None:
    library = import_module(engine)
    asked: list[list[str]] = []

    def answer(request: Any) -> Any:
        paths = [operation[2] for operation in json.loads(request.content)]
        asked.append(paths)
        odd = len(asked) < 3
        return library.Response(
            200,
            json=[
                [number, 200, BOB if odd and path == "/users/carol" else record_at(path)]
                for number, path in enumerate(paths)
            ],
        )

    talkjs = make_talkjs(transport=library.MockTransport(answer), retry=3)

    results = await talkjs.batch(
        *(call_of(talkjs.users.get, name) for name in ("alice", "bob", "carol"))
    )

    assert ["alice", "bob", "carol"] == [user.id for user in results]
    assert [["/users/alice", "/users/bob", "/users/carol"], *[["/users/carol"]] * 2] == asked


async def test_the_answer_to_another_batch_says_nothing_of_any_call_of_this_one(
    make_talkjs: MakeTalkJS, engine: str
) -> None:
    library = import_module(engine)
    transport = library.MockTransport(
        lambda request: library.Response(200, json=[[0, 200, BOB], [1, 200, {}], [2, 200, {}]])
    )
    talkjs = make_talkjs(transport=transport, retry=2)

    read, written, notified = await talkjs.batch(
        call_of(talkjs.users.get, "alice"),
        call_of(talkjs.users.upsert, "carol", name="Carol"),
        call_of(talkjs.notifications.send, "c1", channels=["email"]),
        return_exceptions=True,
    )

    told = [
        (type(each), each.attempts, each.status, each.maybe_done)
        for each in (read, written, notified)
        if isinstance(each, OutcomeUnknown)
    ]
    assert told == [
        (OutcomeUnknown, 2, 200, False),
        (OutcomeUnknown, 2, 200, True),
        (OutcomeUnknown, 1, 200, True),
    ]


def record_at(path: str) -> dict[str, Any]:
    """The user that *path* asks for."""
    name = path.rpartition("/")[2]
    return {"id": name, "name": name, "createdAt": 1}


@pytest.mark.parametrize("answer", [[0, 204], [0, 205], [0, 204, None], [0, 200, [{"id": ""}]]])
async def test_a_message_that_was_stored_without_an_id_is_a_receipt_without_one(
    answering: AnsweredWith, answer: Any
) -> None:
    talkjs = answering([answer])

    (sent,) = await talkjs.batch(call_of(talkjs.messages.send, "c1", sender="alice", text="hi"))

    assert SendReceipt(id="") == sent


async def test_an_odd_answer_to_a_write_says_that_it_may_have_been_carried_out(
    answering: AnsweredWith,
) -> None:
    talkjs = answering([[0, 200, {"id": 7}]])

    with pytest.raises(DecodeError) as caught:
        await talkjs.batch(call_of(talkjs.messages.send, "c1", sender="alice", text="hi"))

    assert caught.value.maybe_done


async def test_a_result_that_reads_oddly_is_not_asked_for_again(
    make_talkjs: MakeTalkJS, engine: str
) -> None:
    library = import_module(engine)
    asked = []

    def answer(request: Any) -> Any:
        asked.append(request)
        return library.Response(200, json=[[0, 200, {"id": 7}]])

    talkjs = make_talkjs(transport=library.MockTransport(answer))

    with pytest.raises(DecodeError) as caught:
        await talkjs.batch(call_of(talkjs.users.get, "alice"))

    assert 1 == len(asked)
    assert ("/users/alice", "$.id") == (caught.value.path, caught.value.json_path)


@pytest.mark.parametrize(
    "answer", [b"<!doctype html>", b"{}", b" " * 2_000], ids=["HTML", "no list", "too large"]
)
async def test_an_answer_that_cannot_be_read_as_one_is_not_asked_for_again(
    make_talkjs: MakeTalkJS, engine: str, answer: bytes
) -> None:
    library = import_module(engine)
    asked = []

    def reply(request: Any) -> Any:
        asked.append(request)
        return library.Response(200, content=answer)

    talkjs = make_talkjs(transport=library.MockTransport(reply), max_answer_bytes=1_000)

    results = await talkjs.batch(
        call_of(talkjs.users.get, "alice"),
        call_of(talkjs.messages.send, "c1", sender="alice", text="hi"),
        return_exceptions=True,
    )

    assert [DecodeError, OutcomeUnknown] == [type(result) for result in results]
    assert 1 == len(asked)


def test_operations_are_written_as_the_documentation_has_them() -> None:
    talkjs = AsyncTalkJS("app", "sk_test_batch")
    older = talkjs.with_options(api_version="2021-01-01")

    call = encode(
        [
            call_of(talkjs.users.get, "a/b"),
            call_of(talkjs.users.upsert, "a", name="A"),
            call_of(talkjs.users.list, limit=5, starting_after="x"),
            call_of(talkjs.conversations.delete, "c"),
            call_of(talkjs.app.get),
            call_of(older.users.get, "a"),
            call_of(older.users.upsert, "a", name="A"),
            call_of(talkjs.conversations.mark_as_read, "c", user_id="a", form="read_by"),
        ]
    )

    assert ("POST", "/batch", "batch") == (call.method, call.path, call.bucket)
    assert call.body == [
        [0, "GET", "/users/a%2Fb"],
        [1, "PUT", "/users/a", {"name": "A"}],
        [2, "GET", "/users", {"limit": "5", "startingAfter": "x"}],
        [3, "DELETE", "/conversations/c"],
        [4, "GET", "/"],
        [5, "GET", "/users/a", {}, {"api_version": "2021-01-01"}],
        [6, "PUT", "/users/a", {"name": "A"}, {"api_version": "2021-01-01"}],
        # Without payload and options: three parts, as a program in production sends them.
        [7, "POST", "/conversations/c/readBy/a"],
    ]


@given(
    statuses=st.lists(st.integers(200, 599), min_size=1, max_size=MOST_OPERATIONS),
    seed=st.integers(),
)
def test_replies_find_their_calls_in_whatever_order_they_come(
    statuses: list[int], seed: int
) -> None:
    calls = [
        Call(method="GET", path=f"/{n}", decode=lambda data: data) for n in range(len(statuses))
    ]
    answer = [[number, status, {"of": number}] for number, status in enumerate(statuses)]
    random.Random(seed).shuffle(answer)

    replies = encode(calls).result(json.loads(json.dumps(answer)))

    assert [
        OperationAnswer(status, {"of": number}) for number, status in enumerate(statuses)
    ] == list(replies)
    for call, reply, status in zip(calls, replies, statuses, strict=True):
        outcome = outcome_of(call, reply)
        assert (outcome is reply) == (200 <= status < 300)
        assert outcome is reply or getattr(outcome, "path", None) == call.path


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("levels", [1_000, 1_100, 5_000, 100_000])
async def test_an_item_that_is_nested_too_deep_is_the_error_of_that_item_alone(
    make_talkjs: MakeTalkJS, engine: str, status: int, levels: int
) -> None:
    library = import_module(engine)
    deep = "[" * levels + "]" * levels
    alice = json.dumps({"id": "alice", "name": 'A, "li]ce"}', "createdAt": 1})

    def answer(request: Any) -> Any:
        numbers = [operation[0] for operation in json.loads(request.content)]
        items = [
            f"[{n}, {status if n == 3 else 200}, {deep if n == 3 else alice}]" for n in numbers
        ]
        return library.Response(200, content=f"[{', '.join(items)}]".encode())

    talkjs = make_talkjs(transport=library.MockTransport(answer), retry=1)
    calls = [call_of(talkjs.users.get, "alice") for _ in range(11)]

    results = await talkjs.batch(*calls, return_exceptions=True)

    wrong = [index for index, result in enumerate(results) if isinstance(result, TalkJSError)]
    assert [3] == wrong
    assert isinstance(results[3], DecodeError if status == 200 else BadRequest)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413])
async def test_the_calls_of_a_batch_that_is_refused_as_such_are_sent_alone(
    talkjs: AsyncTalkJS, emulator: Emulator, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.conversations.upsert("c", participants=["alice"])
    emulator.faults.add(f"return-{status}", on="POST /batch")
    before = talkjs.budget.granted

    found, missing, sent, deleted = await talkjs.batch(
        call_of(talkjs.users.get, "alice"),
        call_of(talkjs.users.get, "bob"),
        call_of(talkjs.messages.send, "c", sender="alice", text="hi"),
        call_of(talkjs.conversations.delete, "c"),
        return_exceptions=True,
    )

    assert isinstance(found, User)
    assert "alice" == found.id
    assert isinstance(missing, NotFound)
    assert "/users/bob" == missing.path
    assert isinstance(sent, SendReceipt)
    assert deleted is None
    assert 1 == len(emulator.commits.of("message.sent"))
    assert 4 == talkjs.budget.granted - before
    assert 1 == caplog.text.count("A batch was refused as such")
    assert (0, 0) == (talkjs.budget.in_flight, talkjs.batch_budget.in_flight)


async def test_a_call_that_is_sent_alone_keeps_what_its_batch_left_open(
    talkjs: AsyncTalkJS, make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.conversations.upsert("c", participants=["alice"])
    emulator.faults.add("drop-after-commit", on="POST /batch", first=1)
    emulator.faults.add("return-403", on="POST /batch")
    used_up = TokenBucket(1e-3, 600, tokens=0, clock=emulator.clock)
    hasty = make_talkjs(limiter=used_up, max_wait=1.0, retry=RetryPolicy(base_delay=0.0))

    (outcome,) = await hasty.batch(
        call_of(hasty.messages.send, "c", sender="alice", text="hi"), return_exceptions=True
    )

    assert isinstance(outcome, OutcomeUnknown)
    assert 1 == len(outcome.idempotency_keys)
    assert 1 == len(emulator.commits.of("message.sent"))


async def test_a_batch_that_was_refused_as_such_is_no_attempt_of_its_calls(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-405", on="POST /batch")
    emulator.faults.add("return-500", on="PUT /users/*", first=2)

    await talkjs.with_options(retry=3).batch(call_of(talkjs.users.upsert, "bob", name="Bob"))

    assert "Bob" == (await talkjs.users.get("bob")).name


async def test_a_wrong_key_is_the_error_of_every_call_of_a_batch(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-401", on="POST /batch")

    outcomes = await talkjs.batch(*[call_of(talkjs.users.get, "alice")] * 3, return_exceptions=True)

    assert [Unauthorized] * 3 == [type(outcome) for outcome in outcomes]
    assert 1 == len(emulator.requests)


async def test_coroutines_instead_of_calls_are_told_what_to_write_and_leave_no_warning(
    talkjs: AsyncTalkJS,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await talkjs.batch(talkjs.users.get("a"), talkjs.users.get("b"))  # type: ignore[call-overload]

    assert (
        "calls[0]: must be a Call, not coroutine: write "
        'call_of(talkjs.users.get, "alice") for talkjs.users.get("alice").'
    ) == str(caught.value)
