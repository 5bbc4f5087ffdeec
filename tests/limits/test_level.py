"""The arithmetic of the bucket, moment by moment."""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async import Lane
from talkjs_async.limits._level import DRIFT, Level
from talkjs_async.limits._permit import LOST_AFTER
from talkjs_async.limits._throttling import pause_of, recovery_speed

RATE, BURST = 9.0, 600
FULL_RATE = RATE * (1 - DRIFT)


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

    @pytest.mark.parametrize("tokens", [-2.0, 0.0, 0.5])
    def test_a_token_is_due_when_it_has_refilled(self, tokens: float) -> None:
        made = bucket(tokens=tokens)
        there = 1000.0 + (1 - tokens) * made.interval

        assert pytest.approx(there) == made.due("interactive", 1000.0, owed=False)
        assert pytest.approx(there) == made.due("interactive", there - 0.001, owed=False)
        assert made.due("interactive", there + 1e-6, owed=False) <= there + 1e-6

    def test_a_token_behind_those_in_flight_is_due_when_it_has_refilled(self) -> None:
        made = bucket(burst=10, reserve=0)
        grant(made, 10)
        for number in range(1, 5):
            made.settle(number, 1010.0)

        assert pytest.approx(1010.0 + made.interval) == made.due("interactive", 1010.0, owed=False)

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
        assert 31.0 == tokens.estimate(1030.0, ahead=0, faster=0, lane="interactive")

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

    @pytest.mark.parametrize(
        ("burst", "reserve", "capacity"), [(20, 18, 19.0), (20, 5, 19.0), (2, 0, 1.9), (1, 0, 1.0)]
    )
    def test_a_small_bucket_learns_what_leaves_room_for_background(
        self, burst: int, reserve: int, capacity: float
    ) -> None:
        tokens = bucket(burst=burst, reserve=reserve)

        for n in range(10):
            tokens.drain(1000.0 + 10_000 * n, 0.0)

        assert pytest.approx(capacity) == tokens.capacity

    def test_at_the_end_of_a_pause_there_is_one_token(self) -> None:
        tokens = bucket()
        tokens.hold(1000.0, 5.0)

        grant(tokens)

        assert pytest.approx(1005.0 + tokens.interval) == (
            tokens.due("interactive", 1005.0, owed=False)
        )

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
        assert (2, 1061.0) == (tokens.generation, tokens.recover_at)
        assert pytest.approx(1.0) == tokens.rate * tokens.interval

    def test_the_rate_comes_back_little_by_little(self) -> None:
        tokens = bucket()
        tokens.drain(1000.0, 0.0)
        tokens.drain(1001.0, 0.0)

        rates = []
        for now in range(1002, 1020):
            tokens.recover(float(now))
            rates.append(tokens.rate)

        assert pytest.approx(0.85 * FULL_RATE + 0.016 * FULL_RATE) == rates[0]
        assert pytest.approx(0.85 * FULL_RATE + 0.080 * FULL_RATE) == rates[4]
        assert FULL_RATE == rates[-1]
        assert math.inf == tokens.recover_at

    @pytest.mark.parametrize(
        ("span", "quiet", "speed"),
        [
            (0.0, 0.0, 0.016),
            (20.0, 0.0, 0.016),
            (40.0, 0.0, 0.004),
            (40.0, 120.0, 0.008),
            (40.0, 1000.0, 0.016),
            (3600.0, 0.0, 0.0005),
            (3600.0, 120.0, 0.001),
            (3600.0, 1e9, 0.016),
        ],
    )
    def test_the_longer_429s_went_on_the_slower_the_rate_comes_back(
        self, span: float, quiet: float, speed: float
    ) -> None:
        assert pytest.approx(speed) == recovery_speed(span, quiet)

    def test_after_a_storm_of_another_client_the_rate_is_back_within_a_minute(self) -> None:
        world = SharedServer(bucket(now=0.0, tokens=0.0, max_in_flight=20))

        world.run(100.0, other=0.0)
        world.run(115.0, other=50.0)
        world.run(175.0, other=0.0)

        assert world.throttled > 1
        assert world.tokens.rate >= 0.9 * FULL_RATE

    # As many as there were when a thousandth of the rate came back each second.
    @pytest.mark.parametrize(("other", "most"), [(1, 26), (3, 36), (4.5, 48), (6, 71), (8, 174)])
    def test_beside_a_client_that_stays_an_hour_has_few_429s(self, other: float, most: int) -> None:
        world = SharedServer(bucket(now=0.0, tokens=0.0, max_in_flight=20))

        world.run(100.0, other=0.0)
        world.run(3700.0, other=other)

        assert world.throttled <= most

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


class TestGrants:
    def test_each_has_a_number_of_its_own_and_ends_once(self) -> None:
        tokens = bucket(now=0.0)
        numbers = [tokens.take("interactive", 0.0) for _ in range(3)]

        ends = [tokens.settle(numbers[0], 1.0), tokens.settle(numbers[0], 1.0)]
        undone = [tokens.untake(numbers[1]), tokens.untake(numbers[1])]

        assert [1, 2, 3] == numbers
        assert ([True, False], [True, False]) == (ends, undone)
        assert [3] == list(tokens.open)
        assert (0.0, 0) == tokens.open[3]
        assert 2 == tokens.granted

    def test_the_time_of_answers_is_a_mean_of_the_latest(self) -> None:
        tokens = bucket(now=0.0)
        seen = []

        for took in (2.0, 2.0, 12.0):
            tokens.settle(tokens.take("interactive", 100.0), 100.0 + took)
            seen.append(tokens.answer_time)

        assert [2.0, 2.0, pytest.approx(3.0)] == seen

    def test_the_oldest_are_presumed_lost_first(self) -> None:
        tokens = bucket(now=0.0)
        for moment in (0.0, 0.0, 50.0):
            tokens.take("interactive", moment)

        early = tokens.presume_lost(LOST_AFTER - 0.1)
        late = tokens.presume_lost(LOST_AFTER)

        assert (LOST_AFTER, LOST_AFTER + 50.0) == (early, late)
        assert [3] == list(tokens.open)
        assert math.inf == bucket().presume_lost(1e9)

    def test_a_lost_one_makes_room_at_its_time(self) -> None:
        tokens = bucket(max_in_flight=1, now=0.0)
        tokens.take("interactive", 0.0)

        blocked = tokens.due("interactive", 1.0, owed=False)
        free = tokens.due("interactive", LOST_AFTER, owed=False)

        assert LOST_AFTER == blocked
        assert free <= LOST_AFTER

    def test_a_lost_one_makes_room_for_what_is_owed(self) -> None:
        tokens = bucket(max_in_flight=5, now=0.0)
        tokens.take("interactive", 0.0)
        for _ in range(4):
            tokens.take("interactive", 100.0)

        assert tokens.due("background", LOST_AFTER, owed=True) <= LOST_AFTER
        assert LOST_AFTER + 100.0 == tokens.due("background", LOST_AFTER, owed=False)

    def test_a_rate_that_was_cut_recovers_when_an_answer_comes(self) -> None:
        tokens = bucket(now=0.0)
        number = tokens.take("interactive", 0.0)
        tokens.drain(0.0, 0.0)
        tokens.drain(1.0, 0.0)
        cut = tokens.rate

        tokens.settle(number, 100.0)

        assert tokens.rate > cut


class TestEstimates:
    """Seconds until one more is due; what then happens is compared in `test_estimates.py`."""

    def test_what_is_there_needs_no_wait(self) -> None:
        assert 0.0 == bucket().estimate(1000.0, ahead=599, faster=0, lane="interactive")

    def test_each_token_that_is_not_there_takes_its_time(self) -> None:
        tokens = bucket(tokens=0)

        waits = [
            tokens.estimate(1000.0, ahead=ahead, faster=0, lane="interactive") for ahead in (0, 9)
        ]

        assert [pytest.approx(tokens.interval), pytest.approx(10 * tokens.interval)] == waits

    def test_background_waits_for_its_reserve(self) -> None:
        tokens = bucket(tokens=0, reserve=8)

        wait = tokens.estimate(1000.0, ahead=0, faster=0, lane="background")

        assert pytest.approx(9 * tokens.interval) == wait

    def test_a_pause_is_a_wait(self) -> None:
        tokens = bucket(now=0.0)
        tokens.hold(0.0, 7.0)

        assert pytest.approx(7.0) == tokens.estimate(0.0, ahead=0, faster=0, lane="interactive")
        assert pytest.approx(5.0) == tokens.estimate(2.0, ahead=0, faster=0, lane="interactive")

    def test_tokens_in_flight_begin_to_refill_when_their_answers_are_in(self) -> None:
        tokens = bucket(rate=1.0, burst=2, reserve=0, now=0.0)
        tokens.settle(tokens.take("interactive", 0.0), 4.0)
        for _ in range(2):
            tokens.take("interactive", 10.0)

        waits = [
            tokens.estimate(11.0, ahead=ahead, faster=0, lane="interactive") for ahead in (0, 1, 2)
        ]

        # The answers come at 14; then one token per second, two of them in flight for 4 s each.
        second = tokens.interval
        assert [
            pytest.approx(3.0 + second),
            pytest.approx(3.0 + 2 * second),
            pytest.approx(3.0 + 2 * second + (4.0 + second) / 2),
        ] == waits

    def test_slots_come_free_in_the_order_of_their_answers(self) -> None:
        tokens = bucket(max_in_flight=3, now=0.0)
        tokens.settle(tokens.take("interactive", 0.0), 2.0)
        for moment in (10.0, 10.5):
            tokens.take("interactive", moment)

        waits = [
            tokens.estimate(11.0, ahead=ahead, faster=0, lane="interactive") for ahead in range(5)
        ]

        assert [0.0, 1.0, 1.5, 2.0, 3.0] == waits

    def test_an_answer_that_is_late_is_expected_as_late_again(self) -> None:
        tokens = bucket(max_in_flight=1, now=0.0)
        tokens.settle(tokens.take("interactive", 0.0), 2.0)
        tokens.take("interactive", 10.0)

        assert 3.0 == tokens.estimate(15.0, ahead=0, faster=0, lane="interactive")

    def test_background_counts_the_slots_that_interactive_calls_leave(self) -> None:
        tokens = bucket(max_in_flight=5, now=0.0)
        tokens.settle(tokens.take("interactive", 0.0), 2.0)
        for _ in range(5):
            tokens.take("interactive", 10.0)

        alone = tokens.estimate(10.0, ahead=4, faster=0, lane="background")
        mixed = tokens.estimate(10.0, ahead=9, faster=5, lane="background")

        assert 4.0 == alone
        assert pytest.approx(4.0 + 4 * 2.0 / 4) == mixed


class SharedServer:
    """
    A server whose bucket another client draws on, too, while ours wants all that it can get.

    Attributes:
        tokens: Our level.
        throttled: How many of our requests were refused.
    """

    def __init__(self, tokens: Level) -> None:
        self.tokens = tokens
        self.throttled = 0
        self._now = 0.0
        self._there = 0.0
        self._wanted = 0.0
        self._under_way: deque[tuple[float, int, bool, int]] = deque()

    def run(self, until: float, *, other: float) -> None:
        """Let time pass, while the other client makes *other* requests per second."""
        while self._now < until:
            self._now += 0.02
            self._there = min(self._there + 0.02 * RATE, float(BURST))
            self._wanted += 0.02 * other
            while self._wanted >= 1:
                self._wanted -= 1
                self._accepts()
            while self._under_way and self._under_way[0][0] <= self._now:
                self._answer()
            while self.tokens.due("interactive", self._now, owed=False) <= self._now:
                number = self.tokens.take("interactive", self._now)
                generation = self.tokens.generation
                answered_at = self._now + 0.06
                self._under_way.append((answered_at, number, self._accepts(), generation))

    def _accepts(self) -> bool:
        accepted = self._there >= 1
        self._there -= accepted
        return accepted

    def _answer(self) -> None:
        _, number, accepted, generation = self._under_way.popleft()
        if accepted:
            self.tokens.settle(number, self._now)
            return
        self.throttled += 1
        del self.tokens.open[number]
        if generation == self.tokens.generation:
            self.tokens.drain(self._now, 0.0)
