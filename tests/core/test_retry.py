"""Which failures are worth another attempt, and after how long."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async._core.retry import RetryPolicy, parse_retry_after
from talkjs_async.errors import (
    APIError,
    BadRequest,
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
    ServerError,
)

POLICY = RetryPolicy()

NEVER_LEFT = ConnectFailed("refused", method="POST", path="/x")
UNKNOWN = OutcomeUnknown("no answer", method="POST", path="/x")


@pytest.mark.parametrize(
    ("error", "when_idempotent", "otherwise"),
    [
        (RateLimited(status=429), True, True),
        (RateLimited(status=429, retry_after=60.0), True, True),
        (RateLimited(status=429, retry_after=61.0), False, False),
        (ServerError(status=500), True, True),
        (ServerError(status=503), True, True),
        (ServerError(status=503, retry_after=3600.0), False, False),
        (ServerError(status=502), True, False),
        (ServerError(status=504), True, False),
        (NEVER_LEFT, True, True),
        (UNKNOWN, True, False),
        (BadRequest(status=400), False, False),
        (NotFound(status=404), False, False),
        (APIError(status=302), False, False),
        (DecodeError(json_path="$", expected="JSON", got="HTML"), False, False),
        (RateLimitWaitTimeout(retry_after=2.0, max_wait=1.0), False, False),
        (ConfigurationError("limit", "no"), False, False),
        (ValueError(), False, False),
        (KeyboardInterrupt(), False, False),
    ],
    ids=lambda value: f"{type(value).__name__} {value}",
)
def test_only_what_another_attempt_may_cure_is_repeated(
    error: BaseException, when_idempotent: bool, otherwise: bool
) -> None:
    assert when_idempotent == POLICY.allows(error, idempotent=True)
    assert otherwise == POLICY.allows(error, idempotent=False)


@given(attempt=st.integers(1, 10_000))
def test_the_pause_lies_between_zero_and_a_bound_that_doubles(attempt: int) -> None:
    bound = min(POLICY.max_delay, POLICY.base_delay * 2.0 ** (attempt - 1 if attempt < 60 else 60))

    assert 0.0 <= POLICY.delay(UNKNOWN, attempt) <= bound


@given(seconds=st.floats(0, 60), attempt=st.integers(1, 20))
def test_no_one_comes_back_before_retry_after(seconds: float, attempt: int) -> None:
    error = RateLimited(status=429, retry_after=seconds)

    assert seconds <= POLICY.delay(error, attempt) <= seconds + 1.0


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("attempts", 0),
        ("attempts", 2.5),
        ("base_delay", -1.0),
        ("max_delay", math.nan),
        ("max_retry_after", math.inf),
        ("max_elapsed", "60"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(argument: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**{argument: value})

    assert argument == caught.value.argument


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("2", 2.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("Sun, 99 Nov 2026 00:00:00 GMT", None),
        (formatdate(1_030.0, usegmt=True), 30.0),
        (formatdate(970.0, usegmt=True), 0.0),
        # Without a zone, and in the form of asctime: UTC all the same.
        ("Thu, 01 Jan 1970 00:17:00", 20.0),
        ("Thu Jan  1 00:17:00 1970", 20.0),
        ("Thu, 01 Jan 1970 01:17:00 +0100", 20.0),
        # Two headers, as the HTTP libraries join them.
        ("5, 10", 10.0),
        ("10, 5", 10.0),
        ("5, soon", 5.0),
        (f"{formatdate(1_030.0, usegmt=True)}, 5", 30.0),
        (f"5, {formatdate(1_002.0, usegmt=True)}", 5.0),
        (",", None),
        ("1_0", None),
        ("٣", None),
        ("1e3", None),
        ("0x5", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(
    value: str | None, seconds: float | None
) -> None:
    assert seconds == parse_retry_after(value, now=1_000.0)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of this system cannot be set")
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "UTC"])
def test_a_date_without_a_zone_means_the_same_everywhere(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    now = datetime(2026, 11, 26, 22, tzinfo=UTC).timestamp()
    try:
        seconds = parse_retry_after("Thu, 26 Nov 2026 22:00:20", now=now)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert 20.0 == seconds


@given(value=st.text() | st.text("0123456789,.- :ThuJan"))
def test_any_retry_after_is_read_or_ignored(value: str) -> None:
    seconds = parse_retry_after(value, now=0.0)

    assert seconds is None or 0.0 <= seconds < math.inf
