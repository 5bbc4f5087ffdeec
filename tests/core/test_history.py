"""What the attempts of a call leave open, moment by moment."""

from __future__ import annotations

import pytest

from talkjs_async._core.call import Call, Method, nothing
from talkjs_async._core.history import CallHistory
from talkjs_async.errors import (
    BadRequest,
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    LimiterUnavailable,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
    ServerError,
    TalkJSError,
)


def history(method: Method = "POST", repeatable_for: float = 100.0) -> CallHistory:
    return CallHistory(
        Call(
            method=method,
            path="/x",
            decode=nothing,
            repeatable_for=repeatable_for,
            idempotency_keys=("k",),
        )
    )


def lost() -> OutcomeUnknown:
    return OutcomeUnknown("lost", method="POST", path="/x")


NOTHING_DONE: list[TalkJSError] = [
    RateLimitWaitTimeout(retry_after=3.0, max_wait=1.0),
    LimiterUnavailable("closed"),
    RateLimited(status=429, retry_after=3.0),
    ConnectFailed("no", method="POST", path="/x"),
    ConfigurationError("client", "is closed"),
]


def test_attempts_are_counted_and_the_first_one_is_dated() -> None:
    made = history()

    made.begin(5.0)
    made.begin(7.0)

    assert (2, 5.0) == (made.attempts, made.first_sent)


def test_an_attempt_that_is_taken_back_does_not_count() -> None:
    made = history()
    for now in (5.0, 7.0, 9.0):
        made.begin(now)

    made.take_back()

    assert (2, 5.0) == (made.attempts, made.first_sent)


@pytest.mark.parametrize("error", [lost(), ServerError(status=500)], ids=repr)
def test_what_left_and_was_not_settled_may_have_been_carried_out(error: TalkJSError) -> None:
    made = history()
    made.begin(0.0)
    made.begin(1.0)

    made.failed(error)

    assert made.maybe_done
    assert error.maybe_done
    assert 2 == error.attempts  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "error", [*NOTHING_DONE, BadRequest(status=400), NotFound(status=404)], ids=repr
)
def test_what_was_refused_was_not_carried_out(error: TalkJSError) -> None:
    made = history()
    made.begin(0.0)

    made.failed(error)

    assert (False, False) == (made.maybe_done, error.maybe_done)
    assert made.verdict(error) is error


def test_a_call_that_reads_is_never_carried_out() -> None:
    made = history("GET")
    made.begin(0.0)
    error = lost()

    made.failed(error)

    assert (False, False) == (made.maybe_done, error.maybe_done)
    assert made.verdict(NOTHING_DONE[0]) is NOTHING_DONE[0]


def test_an_unknown_outcome_carries_the_keys() -> None:
    made = history()
    error = lost()

    made.failed(error)

    assert ("k",) == error.idempotency_keys


@pytest.mark.parametrize("error", NOTHING_DONE, ids=repr)
def test_an_error_that_says_nothing_was_done_is_not_the_verdict_after_a_lost_attempt(
    error: TalkJSError,
) -> None:
    made = history()
    made.begin(0.0)
    made.failed(lost())
    made.begin(1.0)
    error.headers = {"x-request-id": "r1"}

    verdict = made.verdict(error)

    assert isinstance(verdict, OutcomeUnknown)
    assert ("POST", "/x", 2, ("k",)) == (
        verdict.method,
        verdict.path,
        verdict.attempts,
        verdict.idempotency_keys,
    )
    assert (error.retry_after, error.headers) == (verdict.retry_after, verdict.headers)
    assert verdict.__cause__ is error
    assert verdict.maybe_done
    assert (
        "POST /x: an earlier attempt may have been carried out; the last one was not "
        f"({type(error).__name__}). (tried 2 times)"
    ) == str(verdict)


def test_code_of_the_users_that_fails_after_a_lost_attempt_is_told_as_the_cause() -> None:
    made = history()
    made.begin(0.0)
    made.failed(lost())
    error = KeyError("no token")

    told = made.lost(error)

    assert told.__cause__ is error
    assert told.maybe_done
    assert (None, ("k",)) == (told.retry_after, told.idempotency_keys)
    assert "then code of the caller's failed (KeyError)" in str(told)


@pytest.mark.parametrize(
    "error",
    [BadRequest(status=400), DecodeError(json_path="$", expected="a", got="b")],
    ids=repr,
)
def test_any_other_error_says_that_an_earlier_attempt_may_have_been_carried_out(
    error: TalkJSError,
) -> None:
    made = history()
    made.failed(lost())

    verdict = made.verdict(error)

    assert verdict is error
    assert verdict.maybe_done


def test_an_error_that_knows_more_keeps_it() -> None:
    error = DecodeError(json_path="$", expected="a", got="b")
    error.maybe_done = True

    assert history().verdict(error).maybe_done


@pytest.mark.parametrize(
    ("method", "lost_before", "error", "success"),
    [
        ("DELETE", True, NotFound(status=404), True),
        ("DELETE", False, NotFound(status=404), False),
        ("DELETE", True, BadRequest(status=400), False),
        ("PUT", True, NotFound(status=404), False),
    ],
)
def test_only_a_404_to_a_repeated_delete_is_a_success(
    method: Method, lost_before: bool, error: TalkJSError, success: bool
) -> None:
    made = history(method)
    if lost_before:
        made.failed(lost())

    assert success is made.is_success(error)


def test_a_repeat_expires_counted_from_the_first_attempt() -> None:
    made = history(repeatable_for=100.0)
    made.begin(50.0)
    fresh = made.has_expired(1000.0)
    made.failed(lost())
    made.begin(140.0)

    assert not fresh
    assert (False, False, True) == (
        made.has_expired(51.0),
        made.has_expired(150.0),
        made.has_expired(150.1),
    )
    assert (
        "POST /x: an earlier attempt may have been carried out, and repeating it is no longer "
        "safe. (tried 2 times)"
    ) == str(made.expiry())
    assert ("k",) == made.expiry().idempotency_keys
