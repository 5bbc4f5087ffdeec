"""The queue in front of a budget: whose turn it is, who watches the clock, and what time it is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Generator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from talkjs_async import Lane
from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async.errors import LimiterUnavailable, RateLimitWaitTimeout
from talkjs_async.limits._queue import Queue
from talkjs_async.limits._waiter import (
    CLOSED,
    GONE,
    GRANTED,
    LATE,
    WAITING,
    Timer,
    Waiter,
)

AT_REST = -18
"""What background is owed when it was served freely until now: two turns less than none."""


class Turns:
    """A source of tokens that tells what it is asked: how many come before, and how."""

    grace = 0.0
    interval = 1.0

    def due(self, lane: Lane, now: float, *, owed: bool) -> float:
        return math.inf

    def take(self, lane: Lane, now: float) -> int:
        raise NotImplementedError

    def untake(self, number: int) -> object:
        raise NotImplementedError

    def estimate(self, now: float, *, ahead: int, faster: int, lane: Lane) -> float:
        # Background's own tokens come later, and more so behind many that have none.
        return now + ahead + {"interactive": 0.0, "background": 0.5}[lane] + 0.001 * faster


class Watch:
    """A clock that a test sets."""

    def __init__(self, moment: float = 0.0) -> None:
        self.moment = moment

    def time(self) -> float:
        return self.moment

    def monotonic(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def queue(*, interactive: int, background: int, owed: int) -> Queue:
    made = Queue(Turns(), Watch())
    made._interactive.waiting = interactive
    made._background.waiting = background
    made._owed = owed
    return made


@pytest.mark.parametrize(
    ("interactive", "background", "owed", "ahead"),
    [
        (0, 0, AT_REST, 0),
        (20, 5, AT_REST, 20),
        # After 27 turns background gets one, and each ninth from then on.
        (26, 5, AT_REST, 26),
        (27, 5, AT_REST, 28),
        (36, 5, AT_REST, 38),
        (500, 5, AT_REST, 505),
        (0, 3, 9, 1),
        (9, 3, 9, 11),
    ],
)
def test_a_new_interactive_call_waits_for_its_lane_and_the_share_of_background(
    interactive: int, background: int, owed: int, ahead: int
) -> None:
    made = queue(interactive=interactive, background=background, owed=owed)

    assert 100.0 + ahead == made.estimate("interactive", 100.0)


@pytest.mark.parametrize(
    ("interactive", "background", "owed", "wait"),
    [
        # Behind all others, with a token of its own.
        (0, 0, AT_REST, 0.5),
        (10, 3, AT_REST, 13.5 + 0.010),
        (26, 0, AT_REST, 26.5 + 0.026),
        # Its share comes first: after 27 turns, and nine more for each one before it.
        (27, 0, AT_REST, 27.0),
        (500, 0, AT_REST, 27.0),
        (500, 4, AT_REST, 63.0 + 4.0),
        (500, 0, 9, 0.0),
        (500, 0, 30, 0.0),
        (500, 2, 9, 18.0 + 2.0),
    ],
)
def test_a_new_background_call_waits_for_its_share_or_for_all_others(
    interactive: int, background: int, owed: int, wait: float
) -> None:
    made = queue(interactive=interactive, background=background, owed=owed)

    assert pytest.approx(wait) == made.estimate("background", 0.0)


def test_nothing_waits_in_front_of_a_new_queue() -> None:
    made = Queue(Turns(), Watch())

    assert (0, False, math.inf, None) == (made.waiting, made.closed, made.due, made.last)


def test_a_clock_that_goes_back_stands_still_and_then_goes_on() -> None:
    watch = Watch(100.0)
    made = Queue(Turns(), watch)

    seen = []
    for moment in (100.0, 103.0, 90.0, 95.0, 20.0, 20.5, 20.5):
        watch.moment = moment
        seen.append(made.now())

    assert [100.0, 103.0, 103.0, 108.0, 108.0, 108.5, 108.5] == seen


TRIFLE = 1e-5
"""Seconds: more than rounding, less than anybody notices."""


class Tokens:
    """A source whose tokens come at the moments that a test says."""

    grace = 0.0
    interval = 1.0

    def __init__(self, *moments: float) -> None:
        self.moments = list(moments)
        self.asked = 0
        self.when_asked: Callable[[], object] = int
        self.owed = False
        self.taken: list[Lane] = []
        self.taken_as_owed: list[bool] = []
        self.given_back: list[int] = []

    def due(self, lane: Lane, now: float, *, owed: bool) -> float:
        assert (lane in ("interactive", "background"), now >= 0.0) == (True, True)
        self.asked += 1
        self.when_asked()
        self.owed = owed
        return self.moments[0] if self.moments else math.inf

    def take(self, lane: Lane, now: float) -> int:
        assert now >= self.moments.pop(0)
        self.taken.append(lane)
        self.taken_as_owed.append(self.owed)
        return len(self.taken)

    def untake(self, number: int) -> object:
        self.given_back.append(number)
        return True

    def estimate(self, now: float, *, ahead: int, faster: int, lane: Lane) -> float:
        assert now >= 0.0
        return {"interactive": 7.0, "background": 8.0}[lane] + ahead


class OneTimer(Timer):
    def __init__(self, loop: str, seconds: float) -> None:
        self.loop = loop
        self.seconds = seconds
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def serves(self, waiter: Waiter) -> bool:
        return isinstance(waiter, Sleeper) and self.loop == waiter.loop


class Sleeper(Waiter):
    """A caller that only notes what is done to it; it watches the clock itself."""

    def __init__(self, lane: Lane = "interactive", *, loop: str = "a", alive: bool = True) -> None:
        self.lane = lane
        self.state = WAITING
        self.loop = loop
        self.alive = alive
        self.lost = False
        self.woken = 0
        self.slept: list[float] = []
        self.timers: list[OneTimer] = []
        self.when_woken: Callable[[], object] = int
        self.when_timed: Callable[[], object] = int

    def __await__(self) -> Generator[Any, Any, None]:
        self.slept.append(math.inf)
        return anyio.lowlevel.checkpoint().__await__()

    async def poll(self, clock: Clock, seconds: float) -> None:
        assert clock.time() >= 0
        self.slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    def wake(self) -> bool:
        self.woken += 1
        self.when_woken()
        return self.alive

    def is_lost(self) -> bool:
        return self.lost


class Alarmed(Sleeper):
    """A caller whose event loop has timers."""

    has_timer = True

    def set_timer(self, seconds: float, fire: Callable[[], None]) -> Timer:
        if not self.alive:
            raise RuntimeError("Event loop is closed")
        assert callable(fire)
        self.when_timed()
        self.timers.append(OneTimer(self.loop, seconds))
        return self.timers[-1]


def lined_up(source: Tokens, *waiters: Sleeper, at: float = 0.0) -> Queue:
    """A queue in which *waiters* have just come."""
    made = Queue(source, Watch(at))
    for waiter in waiters:
        made._queues[waiter.lane].join(waiter)
        made.waiting += 1
    return made


def soon_after(moment: float) -> object:
    """Not before *moment*, or the caller wakes in vain, and a trifle later."""
    return pytest.approx(moment + TRIFLE / 2, abs=TRIFLE / 2 - 1e-9)


class TestTheTimer:
    """One event loop has a timer for all."""

    def test_it_fires_soon_after_the_next_token_is_due(self) -> None:
        first, second = Alarmed(), Alarmed()
        made = lined_up(Tokens(5.0), first, second)

        made.dispatch(2.0)

        assert [soon_after(3.0)] == [timer.seconds for timer in first.timers]
        assert [] == second.timers
        assert 5.0 == made.due
        assert 0 == first.woken

    def test_it_stays_while_it_fires_early_enough(self) -> None:
        waiter = Alarmed()
        source = Tokens(5.0)
        made = lined_up(source, waiter)
        made.dispatch(2.0)

        made.dispatch(3.0)
        source.moments = [6.0]
        made.dispatch(4.0)

        assert 1 == len(waiter.timers)
        assert not waiter.timers[0].cancelled

    def test_another_one_takes_its_place_when_a_token_comes_sooner(self) -> None:
        waiter = Alarmed()
        source = Tokens(5.0)
        made = lined_up(source, waiter)
        made.dispatch(2.0)

        source.moments = [4.0]
        made.dispatch(3.0)
        made.dispatch(3.5)

        assert [True, False] == [timer.cancelled for timer in waiter.timers]
        assert soon_after(1.0) == waiter.timers[1].seconds

    @pytest.mark.parametrize("trouble", ["other loop", "lost"])
    def test_another_one_takes_its_place_where_it_would_not_wake_who_is_next(
        self, trouble: str
    ) -> None:
        first, second = Alarmed(), Alarmed(loop="b" if trouble == "other loop" else "a")
        made = lined_up(Tokens(5.0), first, second)
        made.dispatch(2.0)
        second.lost = trouble == "lost"

        made.leave(first)

        assert first.timers[0].cancelled
        assert 1 == len(second.timers)

    def test_a_caller_whose_event_loop_has_ended_is_passed_over(self) -> None:
        ended, alive = Alarmed(alive=False), Alarmed()
        made = lined_up(Tokens(5.0), ended, alive)

        made.dispatch(2.0)

        assert (GONE, WAITING) == (ended.state, alive.state)
        assert (1, 1) == (made.waiting, made.waiting_in("interactive"))
        assert 1 == len(alive.timers)

    def test_there_is_none_while_no_token_will_come(self) -> None:
        waiter = Alarmed()
        made = lined_up(Tokens(), waiter)

        made.dispatch(2.0)

        assert [] == waiter.timers
        assert math.inf == made.due


class TestThePollingLeader:
    """Where event loops have no timers for us, who is next sleeps until the token is due."""

    def test_only_who_is_next_is_told_to_look_and_only_once(self) -> None:
        first, second = Sleeper(), Sleeper()
        source = Tokens(5.0)
        made = lined_up(source, first, second)

        made.dispatch(2.0)
        made.dispatch(3.0)
        source.moments = [6.0]
        made.dispatch(3.0)

        assert (1, 0) == (first.woken, second.woken)

    def test_it_is_told_to_look_again_when_a_token_comes_sooner(self) -> None:
        waiter = Sleeper()
        source = Tokens(5.0)
        made = lined_up(source, waiter)
        made.dispatch(2.0)

        source.moments = [4.0]
        made.dispatch(3.0)

        assert 2 == waiter.woken

    def test_one_whose_event_loop_has_ended_is_passed_over(self) -> None:
        ended, alive = Sleeper(alive=False), Sleeper()
        made = lined_up(Tokens(5.0), ended, alive)

        made.dispatch(2.0)

        assert (GONE, WAITING) == (ended.state, alive.state)
        assert (1, 1) == (made.waiting, made.waiting_in("interactive"))
        assert 1 == alive.woken

    def test_one_whose_event_loop_was_left_behind_is_woken_to_find_out(self) -> None:
        left, alive = Sleeper(), Sleeper()
        made = lined_up(Tokens(5.0), left, alive)
        made.dispatch(2.0)
        left.lost, left.alive = True, False

        made.dispatch(3.0)

        assert (GONE, 1) == (left.state, alive.woken)

    @pytest.mark.anyio
    @pytest.mark.parametrize(("now", "seconds"), [(2.0, 3.0), (5.0, 0.0), (60.0, 0.0)])
    async def test_it_sleeps_until_soon_after_the_token_is_due(
        self, now: float, seconds: float
    ) -> None:
        first, second = Sleeper(), Sleeper()
        source = Tokens(5.0)
        made = lined_up(source, first, second)
        made.dispatch(2.0)
        made._clock.moment = now  # type: ignore[attr-defined]

        await made.look_out(first)
        await made.look_out(second)

        assert [math.inf] == second.slept
        (slept,) = first.slept
        assert seconds <= slept <= seconds + TRIFLE
        assert slept > 0.0 or now > 5.0
        assert [GRANTED, WAITING] == [first.state, second.state] or now < 5.0


class TestGrants:
    def test_a_token_that_meets_an_event_loop_that_has_ended_goes_to_the_next(self) -> None:
        ended, alive = Alarmed(alive=False), Alarmed()
        source = Tokens(1.0, 1.0)
        made = lined_up(source, ended, alive)

        made.dispatch(1.0)

        assert (GONE, GRANTED) == (ended.state, alive.state)
        assert [1] == source.given_back
        assert (2, 0, 0) == (alive.grant, made.waiting, made.waiting_in("interactive"))
        assert alive is made.last

    def test_background_comes_after_all_interactive_ones_and_owes_nothing(self) -> None:
        background, interactive = Alarmed("background"), Alarmed()
        source = Tokens(1.0, 1.0)
        made = lined_up(source, background, interactive)

        made.dispatch(1.0)

        assert ["interactive", "background"] == source.taken
        assert (0, 0) == (made.waiting_in("interactive"), made.waiting_in("background"))

    def test_among_very_many_background_gets_every_tenth_after_its_credit_is_used_up(
        self,
    ) -> None:
        source = Tokens(*[1.0] * 80)
        made = lined_up(
            source, *(Alarmed() for _ in range(100)), *(Alarmed("background") for _ in range(10))
        )

        made.dispatch(1.0)

        turns = [turn for turn, lane in enumerate(source.taken) if lane == "background"]
        assert [27, 37, 47, 57, 67, 77] == turns
        # Out of its reserve: they are its own.
        assert turns == [turn for turn, owed in enumerate(source.taken_as_owed) if owed]
        assert (26, 4) == (made.waiting_in("interactive"), made.waiting_in("background"))

    def test_background_alone_saves_up_no_more_than_two_turns(self) -> None:
        source = Tokens(*[1.0] * 35)
        made = lined_up(source, *(Alarmed("background") for _ in range(30)))
        source.moments = [1.0] * 20
        made.dispatch(1.0)
        for _ in range(40):
            waiter = Alarmed()
            made._interactive.join(waiter)
            made.waiting += 1

        source.moments = [1.0] * 40
        made.dispatch(1.0)

        assert [27, 37] == [n for n, lane in enumerate(source.taken[20:]) if lane == "background"]

    def test_what_is_asked_for_while_tokens_are_granted_is_done_afterwards(self) -> None:
        waiters = [Alarmed(), Alarmed()]
        source = Tokens(1.0)
        made = lined_up(source, *waiters)

        def give_one_back() -> None:
            source.moments.append(1.0)
            made.dispatch(1.0)

        waiters[0].when_woken = give_one_back
        made.dispatch(1.0)

        assert [GRANTED, GRANTED] == [waiter.state for waiter in waiters]
        assert [1, 1] == [waiter.woken for waiter in waiters]

    def test_what_is_asked_for_while_the_timer_is_set_is_done_afterwards(self) -> None:
        waiter = Alarmed()
        source = Tokens(5.0)
        made = lined_up(source, waiter)

        def give_one_back() -> None:
            if waiter.state == WAITING:
                source.moments = [1.0]
                made.dispatch(1.0)

        waiter.when_timed = give_one_back
        made.dispatch(1.0)

        assert GRANTED == waiter.state
        assert math.inf == made.due

    def test_nothing_is_owed_for_what_was_granted_while_background_did_not_wait(self) -> None:
        source = Tokens(*[1.0] * 100)
        made = lined_up(source, *(Alarmed() for _ in range(140)))
        made.dispatch(1.0)
        made._background.join(Alarmed("background"))
        made.waiting += 1

        source.moments = [1.0] * 40
        made.dispatch(1.0)

        assert ["interactive"] * 27 + ["background"] == source.taken[100:128]

    def test_however_many_ask_for_it_meanwhile(self) -> None:
        waiters = [Alarmed() for _ in range(2_000)]
        source = Tokens(*[1.0] * 2_000)
        made = lined_up(source, *waiters)
        for waiter in waiters:
            waiter.when_woken = lambda: made.dispatch(1.0)

        made.dispatch(1.0)

        assert {GRANTED} == {waiter.state for waiter in waiters}

    def test_who_is_gone_when_its_token_is_there_leaves_it_to_the_next(self) -> None:
        gone, alive = Alarmed(), Alarmed()
        source = Tokens(1.0)
        made = lined_up(source, gone, alive)
        # As when a garbage collection ends it in between.
        source.when_asked = lambda: made.leave(gone)

        made.dispatch(1.0)

        assert [GONE, GRANTED] == [gone.state, alive.state]
        assert (1, 0) == (len(source.taken), made.waiting)


class TestLeaving:
    def test_a_token_in_hand_goes_to_the_next(self) -> None:
        first, second = Alarmed(), Alarmed()
        source = Tokens(1.0)
        made = lined_up(source, first, second)
        made.dispatch(1.0)
        source.moments = [1.0]

        made._clock.moment = 1.0  # type: ignore[attr-defined]
        made.leave(first)

        assert (GONE, GRANTED) == (first.state, second.state)
        assert [1] == source.given_back
        assert 0 == made.waiting

    def test_who_does_not_lead_leaves_the_others_alone(self) -> None:
        first, second = Alarmed(), Alarmed()
        source = Tokens(5.0)
        made = lined_up(source, first, second)
        made.dispatch(1.0)
        asked = source.asked

        made.leave(second)

        assert (GONE, asked) == (second.state, source.asked)
        assert (1, 1) == (made.waiting, made.waiting_in("interactive"))
        assert [] == source.given_back

    def test_the_next_one_watches_when_the_leader_leaves(self) -> None:
        first, second = Sleeper(), Sleeper()
        made = lined_up(Tokens(5.0), first, second)
        made.dispatch(1.0)

        made.leave(first)

        assert (GONE, 1) == (first.state, second.woken)

    def test_the_last_one_leaves_nothing_behind(self) -> None:
        waiter = Alarmed("background")
        source = Tokens(5.0)
        made = lined_up(source, waiter)

        made.leave(waiter)

        assert (0, 0) == (made.waiting, made.waiting_in("background"))
        assert 0 == source.asked


class TestDeadlines:
    @pytest.mark.parametrize("grace", [0.0, 0.5])
    def test_who_is_late_is_woken_then_and_not_before(self, grace: float) -> None:
        hasty, patient = Alarmed(), Alarmed()
        source = Tokens(9.0)
        source.grace = grace
        made = lined_up(source, hasty, patient)
        made._deadlines.add(hasty, 3.0, waiting=2)

        made.dispatch(2.9 + grace)
        before = hasty.state
        made.dispatch(3.0 + grace)

        assert (WAITING, LATE) == (before, hasty.state)
        assert (1, 0) == (hasty.woken, patient.woken)
        assert (1, 9.0) == (made.waiting, made.due)
        assert soon_after(0.1) == hasty.timers[0].seconds

    @pytest.mark.anyio
    async def test_a_call_may_wait_for_just_as_long_as_it_is_told_and_no_shorter(self) -> None:
        made = Queue(Tokens(), Watch(10.0))

        with pytest.raises(RateLimitWaitTimeout) as refused:
            made.join("interactive", 10.0, 6.9)
        waiter = made.join("interactive", 10.0, 7.0)
        deadline, whose = made._deadlines.next()

        assert (7.0, 6.9) == (refused.value.retry_after, refused.value.max_wait)
        assert waiter is whose
        assert soon_after(17.0) == deadline

    @pytest.mark.anyio
    async def test_a_call_that_may_not_wait_is_late_at_once(self) -> None:
        class Full(Tokens):
            def estimate(self, now: float, *, ahead: int, faster: int, lane: Lane) -> float:
                return 0.0

        made = Queue(Full(), Watch(10.0))

        assert LATE == made.join("interactive", 10.0, 0.0).state
        assert 0 == made.waiting

    @pytest.mark.anyio
    async def test_a_call_that_waits_for_as_long_as_it_takes_has_none(self) -> None:
        made = Queue(Tokens(), Watch())

        made.join("interactive", 0.0, None)
        made.join("background", 0.0, None)

        assert (math.inf, None) == made._deadlines.next()
        assert (2, 1, 1) == (
            made.waiting,
            made.waiting_in("interactive"),
            made.waiting_in("background"),
        )

    @pytest.mark.parametrize(("max_wait", "told"), [(3.0, 6.0 + 7.0), (20.0, 21.0)])
    def test_who_waited_in_vain_is_told_its_whole_wait_and_more_than_it_would_wait(
        self, max_wait: float, told: float
    ) -> None:
        waiter = Sleeper()
        made = Queue(Tokens(), Watch(10.0))
        waiter.state = LATE

        error = made.refusal(waiter, 4.0, max_wait)

        assert isinstance(error, RateLimitWaitTimeout)
        assert (told, max_wait) == (error.retry_after, error.max_wait)


class TestJoining:
    @pytest.mark.anyio
    async def test_who_comes_behind_others_changes_nothing(self) -> None:
        source = Tokens(50.0)
        made = Queue(source, Watch())
        made.join("interactive", 0.0, None)
        asked = source.asked

        made.join("interactive", 0.0, None)
        made.join("interactive", 0.0, 60.0)

        assert (1, 1, 50.0) == (asked, source.asked, made.due)

    @pytest.mark.anyio
    async def test_the_first_of_its_lane_may_be_next(self) -> None:
        source = Tokens(50.0)
        made = Queue(source, Watch())
        made.join("background", 0.0, None)

        waiter = made.join("interactive", 0.0, None)

        assert waiter is made._leader

    @pytest.mark.anyio
    async def test_who_gives_up_before_the_next_token_has_the_queue_wake_then(self) -> None:
        made = Queue(Tokens(50.0), Watch())
        made.join("interactive", 0.0, None)

        made.join("interactive", 0.0, 20.0)

        assert soon_after(20.0) == made.due

    @pytest.mark.anyio
    async def test_who_comes_when_the_leader_is_lost_has_another_one_found(self) -> None:
        left = Sleeper(alive=True)
        source = Tokens(50.0)
        made = lined_up(source, left)
        made.dispatch(0.0)
        left.lost, left.alive = True, False

        waiter = made.join("interactive", 0.0, None)

        assert GONE == left.state
        assert waiter is made._leader

    @pytest.mark.anyio
    async def test_tokens_that_are_due_go_to_those_who_came_before(self) -> None:
        first = Sleeper()
        source = Tokens(5.0)
        made = lined_up(source, first)
        made.dispatch(0.0)

        second = made.join("interactive", 5.0, None)

        assert (GRANTED, WAITING) == (first.state, second.state)

    def test_only_the_system_clock_on_asyncio_has_timers(self) -> None:
        async def kinds() -> list[bool]:
            clocks: list[Clock] = [SYSTEM_CLOCK, Watch()]
            return [
                Queue(Tokens(), each).join("background", 0.0, None).has_timer for each in clocks
            ]

        assert [True, False] == asyncio.run(kinds())


class TestClosing:
    def test_all_who_wait_are_refused(self) -> None:
        waiters = [Sleeper(), Alarmed(), Sleeper("background")]
        made = lined_up(Tokens(5.0), *waiters)

        made.close()

        assert made.closed
        assert [(CLOSED, 1)] * 3 == [(waiter.state, waiter.woken) for waiter in waiters]
        assert 0 == made.waiting
        for max_wait in (None, 3.0):
            error = made.refusal(waiters[0], 0.0, max_wait)
            assert isinstance(error, LimiterUnavailable)
            assert "The limiter was closed while this call waited." == str(error)

    def test_all_who_come_are_refused(self) -> None:
        made = Queue(Tokens(0.0), Watch())
        made.close()

        with pytest.raises(LimiterUnavailable, match=r"^The limiter is closed\.$"):
            made.join("interactive", 0.0, None)

    def test_who_is_told_that_no_token_will_come_is_refused_for_that_reason(self) -> None:
        waiter = Sleeper()
        made = lined_up(Tokens(), waiter)

        made.refuse("The store is away.")

        assert "The store is away." == str(made.refusal(waiter, 0.0, None))
        assert not made.closed


def test_the_first_whose_event_loop_runs_is_the_one_that_looks() -> None:
    waiters = [Sleeper(alive=False), Sleeper(), Sleeper(), Sleeper("background")]
    made = lined_up(Tokens(), *waiters)

    made.rouse()

    assert [1, 1, 0, 0] == [waiter.woken for waiter in waiters]
    assert [GONE, WAITING, WAITING, WAITING] == [waiter.state for waiter in waiters]
    assert (3, 2) == (made.waiting, made.waiting_in("interactive"))


def test_background_looks_where_no_other_does() -> None:
    waiters = [Sleeper(alive=False), Sleeper("background")]
    made = lined_up(Tokens(), *waiters)

    made.rouse()

    assert [1, 1] == [waiter.woken for waiter in waiters]
    assert (1, 1) == (made.waiting, made.waiting_in("background"))


def test_after_a_rest_background_has_its_credit_again() -> None:
    made = queue(interactive=500, background=0, owed=9)

    made.rest()

    assert 27.0 == made.estimate("background", 0.0)
