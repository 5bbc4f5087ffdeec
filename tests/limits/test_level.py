"""The arithmetic of the bucket, moment by moment."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.limits import Lane
from talkjs_async.limits._level import DRIFT, Level, pause_of
from talkjs_async.limits._permit import LOST_AFTER

FULL_RATE = 9.0 * (1 - DRIFT)


def bucket(
    *,
    rate: float = 9.0,
    burst: int = 600,
    max_in_flight: int | None = None,
    reserve: int | None = None,
    tokens: float | None = None,
    now: float = 1000.0,
) -> Level:
    return Level(
        rate=rate, burst=burst, max_in_flight=max_in_flight, reserve=reserve, tokens=tokens, now=now
    )


def grant(tokens: Level, count: int = 1) -> None:
    for _ in range(count):
        tokens.take("interactive", 1000.0)


def settle_all(tokens: Level, now: float) -> None:
    for number in list(tokens.open):
        tokens.settle(number, now)


class TestSettlement:
    def test_a_token_in_flight_does_not_refill(self) -> None:
        tokens = bucket()

        grant(tokens, 5)

        assert 595 == tokens.free(1000.0)
        assert 595 == tokens.free(9999.0)

    def test_it_refills_from_the_answer_on(self) -> None:
        tokens = bucket()
        grant(tokens, 5)

        settle_all(tokens, 1010.0)

        assert pytest.approx(595) == tokens.free(1010.0)
        assert pytest.approx(599) == tokens.free(1010.0 + 4 / FULL_RATE)
        assert 600 == tokens.free(1011.0)

    def test_undoing_a_grant_leaves_no_trace(self) -> None:
        tokens = bucket()

        number = tokens.take("interactive", 1000.0)
        tokens.untake(number)
        tokens.untake(number)

        assert (600, 0, 0) == (tokens.free(1000.0), len(tokens.open), tokens.granted)

    def test_it_can_start_with_any_number_of_tokens(self) -> None:
        assert pytest.approx(0.0, abs=1e-9) == bucket(tokens=0.0).free(1000.0)
        assert pytest.approx(-5.0) == bucket(tokens=-5.0).free(1000.0)

    def test_a_million_grants_do_not_drift(self) -> None:
        tokens = bucket()
        interval = Fraction(tokens.interval)
        count = 1_000_000

        for _ in range(count):
            tokens.settle(tokens.take("interactive", 1000.0), 1000.0)

        error = Fraction(tokens.full_at) - (1000 + count * interval)
        assert abs(error) < Fraction(1, 1000)

    @given(
        st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=50),
        st.integers(1, 20),
        st.floats(0.1, 100),
    )
    def test_what_is_due_agrees_with_what_is_free(
        self, steps: list[tuple[float, bool]], burst: int, rate: float
    ) -> None:
        tokens = bucket(rate=rate, burst=burst, reserve=0)
        now = 1000.0

        for seconds, takes in steps:
            now += seconds
            due = tokens.due("interactive", now, owed=False)
            if due > now + 1e-9:
                assert tokens.free(now) < 1
            lost_at = min(tokens.open.values(), default=(math.inf, 0))[0] + LOST_AFTER
            if due < lost_at:
                assert pytest.approx(max(tokens.free(now), 1.0)) == tokens.free(max(due, now))
            if takes and due <= now:
                tokens.take("interactive", now)
            elif tokens.open:
                tokens.settle(min(tokens.open), now)


class TestReserves:
    @pytest.mark.parametrize(("burst", "reserve"), [(600, 30), (500, 25), (19, 0), (1, 0)])
    def test_background_leaves_a_twentieth_of_the_burst(self, burst: int, reserve: int) -> None:
        tokens = bucket(burst=burst)

        need, _ = tokens.lanes["background"]

        assert 1 + reserve == need

    @pytest.mark.parametrize(
        ("cap", "places"), [(20, 16), (5, 4), (4, 4), (1, 1), (None, math.inf)]
    )
    def test_background_leaves_a_fifth_of_the_places(self, cap: int | None, places: float) -> None:
        tokens = bucket(max_in_flight=cap)

        _, most = tokens.lanes["background"]

        assert places == most

    @pytest.mark.parametrize(
        ("lane", "owed", "left"),
        [("interactive", False, 0), ("background", False, 3), ("background", True, 0)],
    )
    def test_no_reserve_counts_for_whoever_is_owed(self, lane: Lane, owed: bool, left: int) -> None:
        tokens = bucket(burst=10, reserve=3)

        while tokens.due(lane, 1000.0, owed=owed) <= 1000.0:
            tokens.take("interactive", 1000.0)

        assert left == tokens.free(1000.0)


class TestAfterA429:
    def test_half_a_second_of_the_rate_is_owed(self) -> None:
        tokens = bucket()

        pause = tokens.drain(1000.0, 0.0)

        assert pytest.approx(0.5 + tokens.interval) == pause
        assert pytest.approx(-0.5 * FULL_RATE) == tokens.free(1000.0)
        assert pytest.approx(1.0) == tokens.free(1000.0 + pause)

    def test_a_rate_that_recovers_does_not_end_the_pause(self) -> None:
        tokens = bucket()
        tokens.drain(1000.0, 0.0)
        tokens.drain(1001.0, 60.0)

        tokens.recover(1030.0)

        assert 1061.0 == tokens.due("interactive", 1030.0, owed=False)

    def test_the_margin_is_learned_up_to_a_twentieth_of_the_burst(self) -> None:
        tokens = bucket()

        capacities = []
        for n in range(10):
            tokens.drain(1000.0 + 10_000 * n, 0.0)
            capacities.append(tokens.capacity)

        assert pytest.approx(600 - 0.5 * FULL_RATE) == capacities[0]
        assert pytest.approx(600 - 1.0 * FULL_RATE) == capacities[1]
        assert 570 == capacities[-1]

    @pytest.mark.parametrize(("burst", "reserve"), [(1, 0), (2, 1), (10, 9)])
    def test_the_margin_never_shuts_background_out(self, burst: int, reserve: int) -> None:
        tokens = bucket(burst=burst, reserve=reserve)

        for n in range(10):
            tokens.drain(1000.0 + 10_000 * n, 0.0)

        assert tokens.due("background", 1e6, owed=False) <= 1e6

    def test_the_first_one_leaves_the_rate_alone(self) -> None:
        tokens = bucket()

        tokens.drain(1000.0, 0.0)
        tokens.drain(1000.0 + 2 * 3600, 0.0)

        assert FULL_RATE == tokens.rate

    def test_one_more_soon_after_cuts_the_rate(self) -> None:
        tokens = bucket()

        tokens.drain(1000.0, 0.0)
        tokens.drain(1060.0, 0.0)

        assert pytest.approx(0.85 * FULL_RATE) == tokens.rate

    def test_the_rate_comes_back_little_by_little(self) -> None:
        tokens = bucket()
        tokens.drain(1000.0, 0.0)
        tokens.drain(1001.0, 0.0)

        rates = []
        for now in range(1002, 1200):
            if now >= tokens.recover_at:
                tokens.recover(float(now))
            rates.append(tokens.rate)

        assert pytest.approx(0.85 * FULL_RATE + 0.001 * FULL_RATE) == rates[0]
        assert pytest.approx(0.85 * FULL_RATE + 0.1 * FULL_RATE) == rates[99]
        assert FULL_RATE == rates[-1]
        assert math.inf == tokens.recover_at

    def test_the_rate_never_goes_to_nothing(self) -> None:
        tokens = bucket()

        for n in range(1000):
            tokens.drain(1000.0 + n, 0.0)

        assert pytest.approx(0.02 * FULL_RATE) == tokens.rate

    def test_another_rate_changes_no_token(self) -> None:
        tokens = bucket()
        tokens.drain(1000.0, 0.0)
        tokens.drain(1001.0, 0.0)
        before = tokens.free(1050.0)

        tokens.recover(1050.0)

        assert pytest.approx(before) == tokens.free(1050.0)

    @pytest.mark.parametrize(
        ("asked", "pause"),
        [
            (None, 0.0),
            (3.0, 3.0),
            (0.0, 0.0),
            (-1.0, 0.0),
            (math.nan, 0.0),
            (1e9, 60.0),
            (math.inf, 60.0),
        ],
    )
    def test_a_retry_after_is_obeyed_within_reason(self, asked: float | None, pause: float) -> None:
        assert pause == pause_of(asked)
