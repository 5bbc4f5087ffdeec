"""The road of one call: each step's place in the order is a test."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any, cast

import anyio
import httpx
import jwt
import pytest

from talkjs_async import (
    AppTokenAuth,
    AsyncTalkJS,
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    NotFound,
    OutcomeUnknown,
    Permit,
    RateLimited,
    RateLimitWaitTimeout,
    RetryPolicy,
    ServerError,
    TokenBucket,
)
from talkjs_async.emulator import Emulator
from talkjs_async.telemetry import AttemptEnded, RetryScheduled, TelemetryEvent
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


async def chat(talkjs: AsyncTalkJS) -> None:
    """Two people and a conversation, to have somebody to send to."""
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.conversations.upsert("c1", participants=["alice"])


class Tokens:
    """An `Auth` that notes when it was asked."""

    def __init__(self) -> None:
        self.asked_at: list[float] = []

    def bearer(self, now: float) -> str:
        self.asked_at.append(now)
        return "sk_test_emulator"


async def test_each_attempt_takes_a_token_of_the_budget(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-503", first=2)

    await talkjs.users.list().collect()

    assert 3 == talkjs.budget.granted
    assert 3 == len(emulator.requests)


async def test_each_attempt_is_signed_when_it_leaves(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    tokens = Tokens()
    bucket = TokenBucket(rate=0.01, burst=1, clock=emulator.clock)
    talkjs = make_talkjs(auth=tokens, limiter=bucket)
    started = emulator.clock.time()

    await talkjs.users.list().collect()
    await talkjs.users.list().collect()

    assert tokens.asked_at[0] == started
    # 100 s in the queue, more than three lifetimes of a token.
    assert tokens.asked_at[1] >= started + 99.0
    assert [200, 200] == [exchange.status for exchange in emulator.requests]


async def test_a_429_is_repeated_and_pauses_all(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    emulator.faults.add("return-429-retry-after-3", nth=1)
    began = emulator.clock.monotonic()

    async with anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(talkjs.users.list().collect)

    refused = [exchange for exchange in emulator.requests if exchange.status == 429]
    assert 1 == len(refused)
    assert emulator.clock.monotonic() - began >= 3.0
    assert 1 == talkjs.budget.throttled


async def test_a_retry_after_beyond_the_bound_is_raised_with_its_value(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-429-retry-after-3600")

    with pytest.raises(RateLimited) as caught:
        await talkjs.users.get("alice")

    assert 3600.0 == caught.value.retry_after
    assert 1 == caught.value.attempts
    assert ("GET", "/users/alice") == (caught.value.method, caught.value.path)


async def test_a_date_in_retry_after_is_obeyed(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    emulator.faults.add("return-429-retry-after-5-date", first=1)
    began = emulator.clock.monotonic()

    await talkjs.users.list().collect()

    # An HTTP date has whole seconds.
    assert emulator.clock.monotonic() - began >= 4.0


async def test_attempts_are_bounded_and_counted(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=3))
    emulator.faults.add("return-500")

    with pytest.raises(ServerError, match="tried 3 times") as caught:
        await talkjs.users.get("alice")

    assert 3 == caught.value.attempts == len(emulator.requests)


async def test_the_time_spent_on_retries_is_bounded(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1_000_000, max_elapsed=30.0))
    emulator.faults.add("return-500")
    began = emulator.clock.monotonic()

    with pytest.raises(ServerError):
        await talkjs.users.get("alice")

    assert emulator.clock.monotonic() - began <= 30.0


async def test_waiting_for_the_budget_does_not_count_as_time_spent_on_retries(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    bucket = TokenBucket(rate=0.01, burst=1, clock=emulator.clock)
    talkjs = make_talkjs(limiter=bucket, retry=RetryPolicy(max_elapsed=30.0))
    emulator.faults.add("return-503", first=1)

    await talkjs.users.list().collect()

    assert [503, 200] == [exchange.status for exchange in emulator.requests]


async def test_a_message_whose_answer_is_lost_is_stored_once(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await chat(talkjs)
    emulator.faults.add("drop-after-commit", on="POST /conversations/*/messages", first=2)

    sent = await talkjs.messages.send("c1", sender="alice", text="once")

    commits = emulator.commits.of("message.sent")
    assert [sent.id] == [commit.message_id for commit in commits]
    assert 1 == len(emulator.requests.attempts())


async def test_a_post_without_a_key_is_not_repeated_when_its_outcome_is_unknown(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await chat(talkjs)
    emulator.faults.add("drop-after-commit", on="POST /conversations/*/messages", first=1)
    message = {"type": "UserMessage", "sender": "alice", "text": "perhaps"}

    with pytest.raises(OutcomeUnknown):
        await talkjs.request("POST", "/conversations/c1/messages", json=[message])

    assert 1 == len(emulator.commits.of("message.sent"))


async def test_a_request_that_never_left_is_always_repeated(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await chat(talkjs)
    emulator.faults.add("refuse", first=1)
    message = {"type": "UserMessage", "sender": "alice", "text": "surely"}

    await talkjs.request("POST", "/conversations/c1/messages", json=[message])

    assert 1 == len(emulator.commits.of("message.sent"))


async def test_a_refused_connection_costs_no_budget(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    emulator.faults.add("refuse")

    with pytest.raises(ConnectFailed):
        await talkjs.users.get("alice")

    assert 600.0 == talkjs.budget.tokens


async def test_a_server_that_never_answers_ends_in_a_timeout(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(timeout=5.0, retry=RetryPolicy(attempts=2))
    emulator.faults.add("stall-before-commit")

    with pytest.raises(OutcomeUnknown, match="tried 2 times"):
        await talkjs.users.get("alice")


async def test_a_repeat_that_comes_after_the_keys_have_expired_is_refused(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    await chat(make_talkjs())
    bucket = TokenBucket(rate=0.00001, burst=1, clock=emulator.clock)
    events: list[TelemetryEvent] = []
    talkjs = make_talkjs(limiter=bucket, hooks=[events.append])
    emulator.faults.add("drop-after-commit", first=1)

    with pytest.raises(OutcomeUnknown, match="no longer safe") as caught:
        await talkjs.messages.send("c1", sender="alice", text="once", idempotency_key="k1")

    assert 1 == len(emulator.commits.of("message.sent"))
    assert (1, ("k1",)) == (caught.value.attempts, caught.value.idempotency_keys)
    assert 1 == len([event for event in events if isinstance(event, AttemptEnded)])
    assert 0 == talkjs.budget.in_flight


@pytest.mark.parametrize("fault", ["drop-after-commit", "return-503-after-commit"])
async def test_a_404_to_a_repeated_delete_is_a_success(
    make_talkjs: MakeTalkJS, emulator: Emulator, fault: str
) -> None:
    talkjs = make_talkjs()
    await chat(talkjs)
    sent = await talkjs.messages.send("c1", sender="alice", text="hi")
    url = f"DELETE /conversations/c1/messages/{sent.id}"
    emulator.faults.add(fault, on=url, first=1)
    emulator.faults.add("return-404", on=url)

    await talkjs.messages.delete("c1", message_id=sent.id)

    assert 1 == len(emulator.commits.of("message.deleted"))
    with pytest.raises(NotFound):
        await talkjs.messages.delete("c1", message_id=sent.id)


async def test_a_5xx_to_a_call_without_a_key_says_that_it_may_have_been_carried_out(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=3))
    await chat(talkjs)
    emulator.faults.add("return-500-after-commit")

    with pytest.raises(ServerError, match="may have been carried out") as write:
        await talkjs.notifications.send("c1", channels=["sms"])
    with pytest.raises(ServerError) as read:
        await talkjs.users.get("alice")

    assert (True, False) == (write.value.maybe_done, read.value.maybe_done)
    assert "carried out" not in str(read.value)


class TestTotalTimeout:
    """Waits, attempts and pauses of a call, together."""

    @pytest.mark.parametrize("total_timeout", [0.0, 0.5, 2.0])
    async def test_a_call_that_cannot_leave_in_time_says_so_at_once(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, total_timeout: float
    ) -> None:
        bucket = TokenBucket(rate=0.1, burst=1, tokens=0, clock=emulator.clock)
        talkjs = make_talkjs(limiter=bucket).with_options(total_timeout=total_timeout)
        began = emulator.clock.monotonic()

        with pytest.raises(RateLimitWaitTimeout):
            await talkjs.users.get("alice")

        assert began == emulator.clock.monotonic()

    @pytest.mark.parametrize("fault", ["stall-after-commit", "return-503", "drop-after-commit"])
    async def test_nothing_lasts_longer(
        self, make_talkjs: MakeTalkJS, emulator: Emulator, fault: str
    ) -> None:
        await chat(make_talkjs())
        talkjs = make_talkjs(
            total_timeout=2.0, timeout=30.0, max_wait=2.0, retry=RetryPolicy(attempts=50)
        )
        emulator.faults.add(fault)
        began = emulator.clock.monotonic()

        with pytest.raises((OutcomeUnknown, ServerError)) as caught:
            await talkjs.messages.send("c1", sender="alice", text="hi")

        assert emulator.clock.monotonic() - began <= 2.0 + 1e-6
        assert caught.value.maybe_done

    async def test_a_call_without_time_for_an_answer_does_not_leave(
        self, make_talkjs: MakeTalkJS, emulator: Emulator
    ) -> None:
        talkjs = make_talkjs(total_timeout=0.0)

        with pytest.raises(RateLimitWaitTimeout):
            await talkjs.users.upsert("alice", name="Alice")

        assert 0 == len(emulator.requests)
        assert (0, 600.0) == (talkjs.budget.in_flight, talkjs.budget.tokens)

    async def test_the_wait_for_a_connection_counts(
        self, make_talkjs: MakeTalkJS, emulator: Emulator
    ) -> None:
        talkjs = make_talkjs(limiter=TokenBucket(max_in_flight=None, clock=emulator.clock))
        hasty = talkjs.with_options(total_timeout=2.0)
        await talkjs.users.upsert("alice", name="Alice")
        emulator.faults.add("latency-20")

        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(talkjs.users.get, "alice")
            await emulator.clock.sleep(1.0)
            began = emulator.clock.monotonic()
            with pytest.raises(RateLimitWaitTimeout, match=r"could not leave in 2\.00 s"):
                await hasty.users.upsert("bob", name="Bob")
            took = emulator.clock.monotonic() - began

        assert pytest.approx(2.0, abs=1e-6) == took
        assert ["alice"] == [commit.user_id for commit in emulator.commits.of("user.created")]

    async def test_waits_for_the_budget_of_all_attempts_count(
        self, make_talkjs: MakeTalkJS, emulator: Emulator
    ) -> None:
        bucket = TokenBucket(rate=1.0, burst=1, clock=emulator.clock)
        talkjs = make_talkjs(
            limiter=bucket, max_wait=2.0, total_timeout=2.0, retry=RetryPolicy(base_delay=0.0)
        )
        emulator.faults.add("return-503")
        began = emulator.clock.monotonic()

        with pytest.raises((RateLimitWaitTimeout, ServerError)):
            await talkjs.users.get("alice")

        assert emulator.clock.monotonic() - began <= 2.0 + 1e-6

    @pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "5", []])
    async def test_what_is_no_time_is_refused(self, make_talkjs: MakeTalkJS, value: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"^total_timeout: "):
            make_talkjs(total_timeout=value)


async def test_an_attempt_that_fails_in_the_users_code_is_not_shown_as_cancelled(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise ZeroDivisionError

    signer = FailingSigner(AppTokenAuth(emulator.app_id, emulator.secret_key))
    seen: list[TelemetryEvent] = []
    talkjs = make_talkjs(auth=signer, hooks=[seen.append])

    with pytest.raises(ZeroDivisionError):
        await talkjs.files.upload(broken(), filename="a")
    with pytest.raises(RuntimeError):
        await talkjs.users.get("alice")

    ended = [event.error for event in seen if isinstance(event, AttemptEnded)]
    assert ["ZeroDivisionError", "RuntimeError"] == ended


async def test_a_cancelled_attempt_is_not_shown_as_a_success(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    events: list[TelemetryEvent] = []
    talkjs = make_talkjs(hooks=[events.append])
    emulator.faults.add("latency-20")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(talkjs.users.get, "alice")
        await emulator.clock.sleep(1.0)
        tasks.cancel_scope.cancel()

    (ended,) = (event for event in events if isinstance(event, AttemptEnded))
    assert "Cancelled" == ended.error


@pytest.mark.parametrize(
    "fault", ["truncated-json", "empty-200", "bad-gzip", "garbage", "truncate-after-commit"]
)
async def test_an_odd_answer_is_one_of_our_errors(
    make_talkjs: MakeTalkJS, emulator: Emulator, fault: str
) -> None:
    await chat(make_talkjs())
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    emulator.faults.add(fault)

    with pytest.raises((DecodeError, OutcomeUnknown)):
        await talkjs.messages.send("c1", sender="alice", text="hi")


async def test_an_odd_body_of_a_success_never_sends_again(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await chat(talkjs)
    emulator.faults.add("truncated-json", on="POST /conversations/*/messages")

    with pytest.raises(DecodeError) as caught:
        await talkjs.messages.send("c1", sender="alice", text="hi")

    assert ("POST", "/conversations/c1/messages") == (caught.value.method, caught.value.path)
    assert 1 == len(emulator.commits.of("message.sent"))


async def test_the_body_of_a_write_without_data_is_not_looked_at(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("empty-200")

    await talkjs.users.upsert("alice", name="Alice")

    assert 1 == len(emulator.requests)


async def test_a_page_of_html_from_a_proxy_is_a_server_error(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    emulator.faults.add("return-502-html")

    with pytest.raises(ServerError) as caught:
        await talkjs.users.get("alice")

    assert 502 == caught.value.status


class Silence(httpx.AsyncBaseTransport):
    """A server that takes every request and never answers."""

    def __init__(self) -> None:
        self.heard = anyio.Event()
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        self.heard.set()
        await anyio.sleep_forever()
        raise AssertionError("never reached")


async def test_a_cancelled_call_is_not_repeated_and_ends_its_permit() -> None:
    silence = Silence()

    async with (
        AsyncTalkJS("app", "sk_test_emulator", transport=silence) as talkjs,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(talkjs.users.get, "alice")
        await silence.heard.wait()
        in_flight = talkjs.budget.in_flight
        tasks.cancel_scope.cancel()

    assert 1 == silence.requests
    assert (1, 0) == (in_flight, talkjs.budget.in_flight)
    # It had left, so its token is spent.
    assert talkjs.budget.tokens < 600.0


async def test_a_wait_longer_than_max_wait_is_refused_at_once(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    bucket = TokenBucket(rate=1.0, burst=1, clock=emulator.clock)
    talkjs = make_talkjs(limiter=bucket, max_wait=0.5)
    await talkjs.users.list().collect()
    began = emulator.clock.monotonic()

    with pytest.raises(RateLimitWaitTimeout):
        await talkjs.users.get("alice")

    assert began == emulator.clock.monotonic()


@pytest.mark.parametrize("then", ["a wait too long", "no connection", "a refusal"])
async def test_an_unknown_outcome_is_not_hidden_by_what_happens_to_the_repeat(
    make_talkjs: MakeTalkJS, emulator: Emulator, then: str
) -> None:
    await chat(make_talkjs())
    bucket = TokenBucket(
        rate=0.01, burst=1 if then == "a wait too long" else 9, clock=emulator.clock
    )
    talkjs = make_talkjs(limiter=bucket, max_wait=1.0, retry=RetryPolicy(attempts=2))
    emulator.faults.add("drop-after-commit", first=1)
    emulator.faults.add("refuse" if then == "no connection" else "return-429", nth=2)

    with pytest.raises(OutcomeUnknown, match="an earlier attempt may have been carried out"):
        await talkjs.messages.send("c1", sender="alice", text="perhaps")

    assert 1 == len(emulator.commits.of("message.sent"))


class FailingSigner:
    """An *auth* of a user's that fails from its second use on, as one does that asks a service."""

    def __init__(self, talkjs: AppTokenAuth) -> None:
        self._talkjs = talkjs
        self.used = 0

    def bearer(self, now: float) -> str:
        self.used += 1
        if self.used > 1:
            raise RuntimeError("no key today")
        return self._talkjs.bearer(now)


class FailingLimiter(TokenBucket):
    """A limiter of a user's that fails from its second use on."""

    used = 0

    async def acquire(self, **options: Any) -> Permit:
        self.used += 1
        if self.used > 1:
            raise RuntimeError("no database today")
        return await super().acquire(**options)


@pytest.mark.parametrize("overflow", [False, True])
@pytest.mark.parametrize("failing", ["auth", "limiter"])
async def test_what_fails_in_the_users_code_hides_no_unknown_outcome(
    make_talkjs: MakeTalkJS, emulator: Emulator, failing: str, overflow: bool
) -> None:
    await chat(make_talkjs())
    options: dict[str, Any] = (
        {"auth": FailingSigner(AppTokenAuth(emulator.app_id, emulator.secret_key))}
        if failing == "auth"
        else {"limiter": FailingLimiter(clock=emulator.clock)}
    )
    talkjs = make_talkjs(**options, overflow_to_batch=overflow)
    emulator.faults.add("drop-after-commit", first=1)

    with pytest.raises(OutcomeUnknown, match="an attempt may have been") as caught:
        await talkjs.messages.send("c1", sender="alice", text="perhaps", idempotency_key="k1")
    # What a call that was never sent ends with is the user's own error.
    with pytest.raises(RuntimeError):
        await talkjs.messages.send("c1", sender="alice", text="never")

    assert isinstance(caught.value.__cause__, RuntimeError)
    assert ("k1",) == caught.value.idempotency_keys
    assert 1 == len(emulator.commits.of("message.sent"))


async def test_a_lost_answer_is_the_outcome_although_later_attempts_were_answered(
    make_talkjs: MakeTalkJS, engine: str
) -> None:
    library = import_module(engine)
    statuses = iter([503, 429, 429])
    lost = True

    def answer(request: Any) -> Any:
        nonlocal lost
        if lost:
            lost = False
            raise library.ReadError("lost", request=request)
        return library.Response(next(statuses), headers={"Retry-After": "1"})

    talkjs = make_talkjs(
        transport=library.MockTransport(answer), retry=RetryPolicy(attempts=4, base_delay=0.0)
    )

    with pytest.raises(OutcomeUnknown) as caught:
        await talkjs.messages.send("c1", sender="alice", text="perhaps", idempotency_key="k1")

    unknown = caught.value
    assert (4, True, ("k1",)) == (unknown.attempts, unknown.maybe_done, unknown.idempotency_keys)
    assert 1.0 == unknown.retry_after


async def test_a_read_has_no_outcome_that_could_be_hidden(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    bucket = TokenBucket(rate=0.01, burst=1, clock=emulator.clock)
    talkjs = make_talkjs(limiter=bucket, max_wait=1.0)
    emulator.faults.add("drop-after-commit", first=1)

    with pytest.raises(RateLimitWaitTimeout):
        await talkjs.users.list().collect()


@pytest.mark.parametrize("bearer", [None, b"token", 5])
async def test_a_signer_that_returns_no_text_is_named(
    make_talkjs: MakeTalkJS, emulator: Emulator, bearer: Any
) -> None:
    class Signer:
        def bearer(self, now: float) -> str:
            return cast("str", bearer)

    talkjs = make_talkjs(auth=Signer())

    with pytest.raises(ConfigurationError, match=r"^auth: must return text \(str\)") as caught:
        await talkjs.users.get("alice")

    assert (0, 600.0) == (talkjs.budget.in_flight, talkjs.budget.tokens)
    assert caught.tb is not None
    error = caught.value.with_traceback(caught.tb.tb_next)
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert "b'token'" not in "".join(shown.format())


@pytest.mark.parametrize("bearer", ["", " ", "to ken", "to\nken", "to\r\nX-A: ken", "ken\ud800"])
async def test_a_signer_that_returns_what_no_header_can_hold_is_named(
    make_talkjs: MakeTalkJS, emulator: Emulator, bearer: str
) -> None:
    class Signer:
        def bearer(self, now: float) -> str:
            return bearer

    talkjs = make_talkjs(auth=Signer())

    with pytest.raises(ConfigurationError, match=r"^auth: must return a token") as caught:
        await talkjs.messages.send("c1", sender="alice", text="hi")

    assert (0, 600.0) == (talkjs.budget.in_flight, talkjs.budget.tokens)
    assert caught.tb is not None
    error = caught.value.with_traceback(caught.tb.tb_next)
    assert error.__context__ is None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert "ken'" not in "".join(shown.format())


async def test_a_limiter_that_returns_no_permit_is_named(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    class Broken(TokenBucket):
        async def acquire(self, **_options: Any) -> Permit:
            return cast("Permit", None)

    talkjs = make_talkjs(limiter=Broken(clock=emulator.clock))

    with pytest.raises(ConfigurationError, match=r"^budgets: .* returns None where a Permit is"):
        await talkjs.users.get("alice")


async def test_what_cannot_be_json_is_refused_before_a_token_is_taken(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match="json"):
        await talkjs.request("PUT", "/users/a", json={"name": float("nan")})

    assert 0 == talkjs.budget.granted


async def test_what_cannot_be_a_url_is_refused_before_a_token_is_taken(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match="params"):
        await talkjs.request("GET", "/users", params={"filter": "\ud83d"})

    assert 0 == talkjs.budget.granted


async def test_hooks_see_every_attempt_and_every_retry(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    events: list[Any] = []
    talkjs = make_talkjs(hooks=[events.append])
    emulator.faults.add("return-503", first=1)

    await talkjs.users.list().collect()

    assert [AttemptEnded, RetryScheduled, AttemptEnded] == [type(event) for event in events]
    assert [503, 200] == [event.status for event in events if isinstance(event, AttemptEnded)]
    assert "ServerError" == events[1].error


async def test_a_hook_that_fails_does_not_fail_the_call(
    make_talkjs: MakeTalkJS, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: object) -> None:
        raise RuntimeError("observer")

    await make_talkjs(hooks=[broken]).users.list().collect()

    assert "A hook failed on AttemptEnded" in caplog.text


async def test_the_token_is_a_fresh_app_jwt_for_each_attempt(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    seen: list[str] = []
    auth = AppTokenAuth(emulator.app_id, emulator.secret_key)

    class Recorder:
        def bearer(self, now: float) -> str:
            seen.append(auth.bearer(now))
            return seen[-1]

    recorded = make_talkjs(auth=Recorder())
    await recorded.users.list().collect()
    await emulator.clock.sleep(2.0)
    await recorded.users.list().collect()

    claims = [
        jwt.decode(
            token,
            emulator.secret_key.encode().ljust(32, b"\0"),
            algorithms=["HS256"],
            options={"verify_signature": False},
        )
        for token in seen
    ]
    now = int(emulator.clock.time())
    assert {"tokenType": "app", "iss": "emulator", "iat": now, "exp": now + 30} == claims[1]
    assert seen[0] != seen[1]
