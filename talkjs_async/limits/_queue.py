"""
The queue in front of a budget: two lanes, strict order, direct hand-off, one timer.

Knows who waits and for how long, nothing of where tokens come from: that is a `TokenSource`.
However many callers wait, only one of them, the leader, watches the clock; a token is handed to the
caller whose turn it is, so no caller wakes up in vain and none can overtake.
"""

from __future__ import annotations

import math
from threading import RLock
from typing import Final

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import Clock, SystemClock
from talkjs_async.errors import LimiterUnavailable, RateLimitWaitTimeout, TalkJSError
from talkjs_async.limits._token_source import TokenSource
from talkjs_async.limits._waiter import (
    CLOSED,
    GONE,
    GRANTED,
    LATE,
    WAITING,
    Timer,
    Waiter,
)
from talkjs_async.limits._waiter_types import waiter_type_here
from talkjs_async.limits._waiting_lists import Deadlines, LaneQueue

SLACK: Final = 1e-6
"""Seconds that we wake after the moment computed, so that rounding never makes it too early."""

_SHARE: Final = 9
"""
Interactive grants, while background waits, after which background is owed one of its own, whatever
is left: it gets every tenth and does not starve.
"""

_AHEAD: Final = 2 * _SHARE
"""
Interactive grants that background can have in advance: served freely until now, it does not disturb
a page that opens with 20 calls.
"""


class Queue:
    """
    Both lanes of one budget.

    Attributes:
        lock: Guards the queue and its source. The same thread may enter twice: a garbage collection
            can end an abandoned call, which gives its token back, at any moment.
        waiting: How many callers wait.
        due: When `dispatch` must be called, at the latest.
        closed: Whether all callers are refused.
        last: The waiter that was granted last. With the state GRANTED it has yet to run.
    """

    __slots__ = (
        "_again",
        "_background",
        "_clock",
        "_deadlines",
        "_dispatching",
        "_interactive",
        "_last",
        "_leader",
        "_monotonic",
        "_offset",
        "_owed",
        "_queues",
        "_reason",
        "_source",
        "_system_clock",
        "_timer",
        "_timer_at",
        "closed",
        "due",
        "last",
        "lock",
        "waiting",
    )

    def __init__(self, source: TokenSource, clock: Clock) -> None:
        self.lock = RLock()
        self.waiting = 0
        self._source = source
        self._clock = clock
        self._system_clock = type(clock) is SystemClock
        self._monotonic = clock.monotonic
        self._last = clock.monotonic()
        self._offset = 0.0
        self._interactive = LaneQueue()
        self._background = LaneQueue()
        self._queues: dict[Lane, LaneQueue] = {
            "interactive": self._interactive,
            "background": self._background,
        }
        self._deadlines = Deadlines()
        self._reason = ""
        self._owed = -_AHEAD
        self.closed = False
        self.last: Waiter | None = None
        self._dispatching = False
        self._again = False
        self._leader: Waiter | None = None
        self.due = math.inf
        self._timer: Timer | None = None
        self._timer_at = math.inf

    def now(self) -> float:
        """Seconds that never go back, whatever the clock does."""
        now = self._monotonic() + self._offset
        if now < self._last:
            # As if no time had passed: neither tokens nor waits are lost or won.
            self._offset += self._last - now
            return self._last
        self._last = now
        return now

    def waiting_in(self, lane: Lane) -> int:
        """How many callers wait in *lane*."""
        return self._queues[lane].waiting

    def estimate(self, lane: Lane, now: float) -> float:
        """Seconds until a new caller in *lane* gets its token, if all goes on as it does now."""
        interactive = self._interactive.waiting
        background = self._background.waiting
        # Background callers that get their share while the interactive ones wait.
        sharing = max((self._owed + interactive) // _SHARE, 0)
        faster = interactive + min(sharing, background)
        estimate = self._source.estimate
        if lane == "interactive":
            return estimate(now, ahead=faster, faster=0, lane=lane)
        last = estimate(now, ahead=interactive + background, faster=faster, lane=lane)
        # Every tenth grant is its own, out of the reserve as well.
        before = max(_SHARE * (background + 1) - self._owed, 0)
        if before > interactive:
            return last
        share = estimate(now, ahead=before + background, faster=0, lane="interactive")
        return min(share, last)

    def rest(self) -> None:
        """Note that background got a token while no caller waited. Lock held."""
        self._owed = -_AHEAD

    def join(self, lane: Lane, now: float, max_wait: float | None) -> Waiter:
        """
        Join the queue, and serve the callers that are due, perhaps this very one. Lock held.

        Raises:
            RateLimitWaitTimeout: The estimated wait is longer than *max_wait*.
            LimiterUnavailable: The limiter is closed.
        """
        if self.closed:
            raise LimiterUnavailable("The limiter is closed.")
        if now >= self.due:
            self.dispatch(now)
        deadline = math.inf
        if max_wait is not None:
            estimate = self.estimate(lane, now)
            if estimate > max_wait + SLACK:
                raise RateLimitWaitTimeout(retry_after=estimate, max_wait=max_wait)
            # A waiter that is due at the last moment is woken a little later, and in time.
            deadline = now + max_wait + 3 * SLACK if max_wait else now
        waiter = waiter_type_here(system_clock=self._system_clock)(lane)
        lane_queue = self._queues[lane]
        lane_queue.join(waiter)
        self.waiting += 1
        if deadline < math.inf:
            self._deadlines.add(waiter, deadline, waiting=self.waiting)
        # A waiter behind others of its lane changes nothing, unless none is left to wake us.
        leader = self._leader
        if (
            lane_queue.waiting == 1
            or deadline < self.due
            or (leader is not None and leader.is_lost())
        ):
            last = self.last
            if last is not None and last.state == GRANTED and waiter.has_timer:
                # The one who came before has its token, but has yet to run. Do not overtake it.
                waiter.fire_soon(self._fire)
            else:
                self.dispatch(now)
        return waiter

    def refusal(self, waiter: Waiter, since: float, max_wait: float | None) -> TalkJSError:
        """Say why *waiter*, who came at *since*, was woken without a token."""
        if waiter.state == CLOSED or max_wait is None:
            return LimiterUnavailable(self._reason)
        with self.lock:
            now = self.now()
            estimate = now - since + self.estimate(waiter.lane, now)
        # How long answers take is not known before the first one, and an estimate of nothing would
        # have the caller ask over and over.
        least = max_wait + self._source.interval
        return RateLimitWaitTimeout(retry_after=max(estimate, least), max_wait=max_wait)

    async def look_out(self, waiter: Waiter) -> None:
        """Sleep until *waiter* is woken; as the leader only until the next token is due."""
        if waiter.has_timer:
            await waiter
            return
        with self.lock:
            leads = waiter is self._leader
            seconds = max(self.due + SLACK - self.now(), 0.0)
        if not leads:
            await waiter
            return
        await waiter.poll(self._clock, seconds)
        with self.lock:
            self.dispatch(self.now())

    def close(self) -> None:
        """Refuse all callers from now on, those that wait included."""
        with self.lock:
            self.closed = True
            self.refuse("The limiter was closed while this call waited.")

    def refuse(self, reason: str) -> None:
        """Refuse those who wait. Lock held."""
        self._reason = reason
        for queue in self._queues.values():
            while (head := queue.head()) is not None:
                self._end(head, CLOSED)
                head.wake()

    def rouse(self) -> None:
        """Have one of those who wait look at its state again. Lock held."""
        for queue in self._queues.values():
            while (head := queue.head()) is not None:
                if head.wake():
                    return
                self._end(head, GONE)

    def dispatch(self, now: float) -> None:
        """Grant all that is due, and see that the next grant is made in time. Lock held."""
        if self._dispatching:
            self._again = True
            return
        self._dispatching = True
        source = self._source
        try:
            while True:
                self._again = False
                head, due = self._grant_due(now)
                deadline, late = self._deadlines.next()
                deadline += source.grace
                if late is not None and deadline <= now:
                    self._end(late, LATE)
                    late.wake()
                    continue
                due = min(due, deadline)
                if self._appoint(head, due, now) and not self._again:
                    return
        finally:
            self._dispatching = False

    def _grant_due(self, now: float) -> tuple[Waiter | None, float]:
        """Grant every token that is due. Return who is next, and when."""
        source = self._source
        fast, slow = self._interactive, self._background
        while self.waiting:
            interactive = fast.head() if fast.waiting else None
            if slow.waiting:
                background = slow.head()
                owed = self._owed >= _SHARE
            else:
                background = None
                owed = False
            head = background if owed or interactive is None else interactive
            if head is None:
                break
            due = source.due(head.lane, now, owed=owed)
            if due > now:
                return head, due
            if head.state != WAITING:
                # A garbage collection has just ended it.
                continue
            head.state = GRANTED
            if head is background:
                self._owed = max(self._owed - _SHARE, -_AHEAD)
                slow.waiting -= 1
            else:
                fast.waiting -= 1
                if background is not None:
                    self._owed += 1
            self.waiting -= 1
            head.grant = source.take(head.lane, now)
            self.last = head
            if not head.wake():
                head.state = GONE
                source.untake(head.grant)
        return None, math.inf

    def _appoint(self, head: Waiter | None, due: float, now: float) -> bool:
        """
        Make *head* the leader: its event loop is the one that wakes us when the next token is due.

        Returns:
            False when its event loop turns out to have ended, so that another one must be found.
        """
        before, self._leader = self._leader, head
        polling_until, self.due = self.due, due
        if head is None or due == math.inf:
            self._leader = None
            return True
        if not head.has_timer:
            # If it sleeps until a later moment, or does not watch yet, it has to look again.
            looks = head is before and due >= polling_until and not head.is_lost()
            if not looks and not head.wake():
                self._end(head, GONE)
                return False
            return True
        timer = self._timer
        if timer is not None:
            if self._timer_at <= due and timer.serves(head) and not head.is_lost():
                return True
            timer.cancel()
        try:
            self._timer = head.set_timer(due + SLACK - now, self._fire)
        except RuntimeError:
            self._end(head, GONE)
            return False
        self._timer_at = due
        return True

    def _fire(self) -> None:
        with self.lock:
            self.dispatch(self.now())

    def leave(self, waiter: Waiter) -> None:
        """Give back the place of a cancelled caller, or the token that it was just handed."""
        with self.lock:
            if waiter.state == GRANTED:
                waiter.state = GONE
                self._source.untake(waiter.grant)
            elif waiter.state == WAITING:
                self._end(waiter, GONE)
                if waiter is not self._leader:
                    return
                self._leader = None
            if self.waiting:
                self.dispatch(self.now())

    def _end(self, waiter: Waiter, state: int) -> None:
        waiter.state = state
        self._queues[waiter.lane].waiting -= 1
        self.waiting -= 1
