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

from talkjs_async._core.call import Call, nothing
from talkjs_async._core.history import CallHistory
from talkjs_async._core.retry import RetryPolicy, RetryState, parse_retry_after
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
        ("9" * 400, None),
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


DRAWS = 2_000


@pytest.mark.parametrize(
    ("attempt", "bound"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 20.0), (9_999, 20.0)]
)
def test_the_pauses_fill_what_lies_below_their_bound(attempt: int, bound: float) -> None:
    policy = RetryPolicy(base_delay=0.5, max_delay=20.0)

    pauses = [policy.delay(ServerError(status=500), attempt) for _ in range(DRAWS)]

    assert 0.0 <= min(pauses) < 0.02 * bound
    assert 0.98 * bound < max(pauses) <= bound


def test_jitter_on_top_of_retry_after_is_a_second_at_most() -> None:
    policy = RetryPolicy(base_delay=64.0, max_delay=64.0)

    pauses = [policy.delay(RateLimited(status=429, retry_after=7.0), 3) for _ in range(DRAWS)]

    assert 7.0 <= min(pauses)
    assert 7.9 < max(pauses) <= 8.0


def test_a_wait_of_an_error_that_is_no_answer_is_no_retry_after() -> None:
    policy = RetryPolicy(base_delay=0.0)

    assert 0.0 == policy.delay(RateLimitWaitTimeout(retry_after=9.0, max_wait=0.0), 1)


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize(
    ("retry_after", "bound", "again"),
    [(5.0, 5.0, True), (5.1, 5.0, False), (None, 0.0, True), (0.0, 0.0, True)],
)
def test_a_retry_after_up_to_the_bound_is_obeyed(
    status: int, retry_after: float | None, bound: float, again: bool
) -> None:
    kind = RateLimited if status == 429 else ServerError
    error = kind(status=status, retry_after=retry_after)

    assert again is RetryPolicy(max_retry_after=bound).allows(error, idempotent=False)


@pytest.mark.parametrize("value", ["inf", "nan", "-inf", "1e999"])
def test_a_retry_after_that_is_not_finite_is_none(value: str) -> None:
    assert parse_retry_after(value, now=0.0) is None


def test_a_policy_says_which_rule_is_broken() -> None:
    with pytest.raises(ConfigurationError, match=r"^max_delay: must be a number of seconds .* -1"):
        RetryPolicy(max_delay=-1)
    with pytest.raises(ConfigurationError, match=r"^attempts: must be a whole number .* 0"):
        RetryPolicy(attempts=0)


def test_a_policy_may_allow_a_single_attempt() -> None:
    assert 1 == RetryPolicy(attempts=1).attempts


class Frozen:
    """A clock that a test sets, and that notes how long it was slept on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


CALL: Call[Any] = Call(method="PUT", path="/x", decode=nothing, repeatable_for=10.0)


@pytest.mark.anyio
class TestRetryState:
    def test_time_in_the_queue_of_later_attempts_adds_up(self) -> None:
        state = RetryState(RetryPolicy(), Frozen(), CallHistory(CALL))

        for waited in (5.0, 2.0, 3.0):
            state.begin(waited)

        assert (5.0, 3) == (state.queued, state.history.attempts)

    def test_what_has_expired_is_over(self) -> None:
        clock = Frozen()
        state = RetryState(RetryPolicy(), clock, CallHistory(CALL))
        state.begin(0.0)
        state.history.failed(OutcomeUnknown("lost", method="PUT", path="/x"))
        state.check_leaving()
        clock.now = 10.1

        with pytest.raises(OutcomeUnknown) as caught:
            state.check_leaving()

        assert state.over is True
        assert not state.allows(caught.value)

    @pytest.mark.parametrize(
        ("ends_at", "bound", "left"),
        [
            (math.inf, None, None),
            (math.inf, 3.0, 3.0),
            (4.0, None, 4.0),
            (4.0, 3.0, 3.0),
            (4.0, 5.0, 4.0),
            (-1.0, 5.0, 0.0),
            (-1.0, None, 0.0),
        ],
    )
    def test_the_next_step_has_what_is_left(
        self, ends_at: float, bound: float | None, left: float | None
    ) -> None:
        clock = Frozen()
        clock.now = 100.0
        state = RetryState(RetryPolicy(), clock, CallHistory(CALL), clock.now + ends_at)

        assert left == state.left(bound)

    @pytest.mark.parametrize(
        ("left", "leaves"), [(-1.0, False), (0.0, False), (1e-9, False), (0.5, True)]
    )
    def test_no_attempt_leaves_without_time_for_an_answer(self, left: float, leaves: bool) -> None:
        clock = Frozen()
        clock.now = 7.0
        state = RetryState(RetryPolicy(), clock, CallHistory(CALL), clock.now + left, 7.0 + left)

        if leaves:
            state.check_leaving()
        else:
            with pytest.raises(RateLimitWaitTimeout):
                state.check_leaving()

        assert leaves is state.allows(UNKNOWN)

    def test_a_call_that_must_be_over_says_whether_it_left(self) -> None:
        state = RetryState(RetryPolicy(), Frozen(), CallHistory(CALL), 2.5, 2.5)

        waited, sent = state.out_of_time(sent=False), state.out_of_time(sent=True)

        assert isinstance(waited, RateLimitWaitTimeout)
        assert (2.5, 2.5) == (waited.retry_after, waited.max_wait)
        assert "could not leave in 2.50 s" in str(waited)
        assert "total_timeout" in str(waited)
        assert isinstance(sent, OutcomeUnknown)
        assert "PUT /x: no answer came in the 2.5 s that the call had in all." == str(sent)
        assert state.over is True

    async def tries(
        self, policy: RetryPolicy, *, waited: float = 0.0, ends_at: float = math.inf
    ) -> tuple[int, list[float]]:
        """Fail each attempt after a second; how many there were, and the pauses between them."""
        clock = Frozen()
        clock.now = 100.0
        state = RetryState(policy, clock, CallHistory(CALL), ends_at + clock.now)

        async def attempt() -> None:
            clock.now += waited
            state.begin(waited)
            clock.now += 1.0
            raise ServerError(status=503, retry_after=1.0)

        with pytest.raises(ServerError):
            await state.retrying()(attempt)
        return state.history.attempts, clock.slept

    async def test_attempts_are_bounded(self) -> None:
        attempts, pauses = await self.tries(RetryPolicy(attempts=3, base_delay=0.0))

        assert (3, [1.0, 1.0]) == (attempts, pauses)

    @pytest.mark.parametrize(("max_elapsed", "attempts"), [(0.5, 1), (2.0, 2), (5.9, 3), (6.0, 4)])
    async def test_no_attempt_starts_after_the_time_is_over(
        self, max_elapsed: float, attempts: int
    ) -> None:
        policy = RetryPolicy(attempts=50, base_delay=0.0, max_elapsed=max_elapsed)

        assert attempts == (await self.tries(policy))[0]
        assert attempts == (await self.tries(policy, waited=7.0))[0]

    @pytest.mark.parametrize(("ends_at", "attempts"), [(2.0, 1), (2.1, 2), (4.0, 2), (4.1, 3)])
    async def test_no_attempt_starts_when_all_must_be_over(
        self, ends_at: float, attempts: int
    ) -> None:
        policy = RetryPolicy(attempts=50, base_delay=0.0)

        assert attempts == (await self.tries(policy, ends_at=ends_at))[0]

    async def test_what_the_policy_does_not_allow_is_tried_once(self) -> None:
        state = RetryState(RetryPolicy(), Frozen(), CallHistory(CALL))
        tried = 0

        async def attempt() -> None:
            nonlocal tried
            tried += 1
            raise BadRequest(status=400)

        with pytest.raises(BadRequest):
            await state.retrying()(attempt)

        assert 1 == tried
