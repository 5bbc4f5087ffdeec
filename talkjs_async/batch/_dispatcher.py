"""
Takes calls that wait for the ordinary budget into batches.

TalkJS has a second budget, for `POST /batch`: 500 requests at once, then one per second, of up to
ten operations each. While calls queue for an ordinary token, the dispatcher takes the first ten of
them and sends them as one batch. Only the calls of a job are delayed to fill a batch.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import anyio
import anyio.lowlevel
import attrs

from talkjs_async._core.attempt import checked_permit
from talkjs_async._core.call import Call, Lane
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.tasks import OutOfTime, spawn, within
from talkjs_async.batch._carrier import BATCH, carry
from talkjs_async.batch._charges import charges_of
from talkjs_async.batch._encoding import MOST_OPERATIONS
from talkjs_async.batch._supply import (
    lacks_tokens,
    must_wait,
    seconds_of_background,
    seconds_of_interactive,
)
from talkjs_async.batch._ticket import Ticket
from talkjs_async.batch._write_order import WriteOrder
from talkjs_async.errors import (
    LimiterUnavailable,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
)
from talkjs_async.limits import Budget, Permit
from talkjs_async.telemetry import log

_LOOK_AGAIN: Final = 1.0
"""Seconds until a batch limiter that refused is asked again."""

_LANES: Final[tuple[Lane, ...]] = ("interactive", "background")


class Dispatcher:
    """
    Takes queued calls of one event loop into batches.

    A task exists only while calls wait: it waits for the token of one batch, starts its successor,
    and sends the batch.

    Writes to one user or conversation leave in the order in which they were made.

    Attributes:
        active: Whether it takes calls. It stops for good when a 429 shows that TalkJS charges the
            operations of a batch to the ordinary budget, so that batches gain nothing; when TalkJS
            refuses batches; and when the client is closed.
    """

    def __init__(self, pipeline: Pipeline, *, for_job: bool = False) -> None:
        """
        Begin without a call.

        Args:
            for_job: Whether the calls are those of one job. Then a partial batch waits for more
                calls, for about as long as ten calls would take to leave one by one, until
                `fill_batches` says otherwise. And writes to one user or conversation need no order:
                a job sends a write that depends on another one only after the answer to that one.
        """
        self.ordered: bool = not for_job
        self._pipeline = pipeline
        self._fill = for_job
        self._ordinary = pipeline.limiters["ordinary"]
        self._batch = pipeline.limiters["batch"]
        self._charges = charges_of(self._ordinary)
        self._queued: dict[Lane, OrderedDict[Ticket, None]] = {
            lane: OrderedDict() for lane in _LANES
        }
        self._changed = anyio.Event()
        self._collecting = False
        self._for_background: anyio.CancelScope | None = None
        self._tasks: set[anyio.CancelScope] = set()
        self._task_ended = anyio.Event()
        self._writes = WriteOrder()
        self._leaving = 0
        self._sent_any = False
        self.active: bool = True

    async def aclose(self) -> None:
        """
        Take no more calls, and wait until the tasks have ended and given their permits back.

        Calls in a batch under way get OutcomeUnknown, or are repeated.
        """
        self.active = False
        for task in list(self._tasks):
            task.cancel()
        with anyio.CancelScope(shield=True):
            while self._tasks:
                await self._task_ended.wait()

    def fill_batches(self, wanted: bool) -> None:
        """Say whether a partial batch waits for more calls from now on."""
        self._fill = wanted
        self._changed.set()

    def serves(self, call: Call[Any]) -> bool:
        """Tell whether a batch may take *call*."""
        if self._charges.each or self._charges.warned:
            self.active = False
        # A write to a collection (`PUT /users`) may touch any of its members.
        own = call.method == "GET" or call.path.count("/") > 1
        return self.active and call.batchable and own

    def throttled(self) -> None:
        """Note a 429 of an ordinary request."""
        if self.active and self._sent_any:
            self.active = False
            log(
                logging.WARNING,
                "A 429 came while calls overflowed into batches, so TalkJS may charge operations "
                "to the ordinary budget. No more calls are taken into batches.",
            )

    # For tickets.

    def join(self, ticket: Ticket) -> None:
        """Put a call last in the queue of its lane."""
        self._queued[ticket.lane][ticket] = None
        self._changed.set()
        if must_wait(self._ordinary.statistics(), ticket.lane):
            self.call_batch(ticket.lane)

    def call_batch(self, lane: Lane) -> None:
        """See to it that a task looks whether calls in *lane* wait for a batch."""
        self._changed.set()
        if lane == "interactive" and self._for_background is not None:
            # The reserve, which that waits for, is there for these.
            self._for_background.cancel()
        if not self._collecting and self.active:
            self._collect()

    def leave(self, ticket: Ticket) -> None:
        """Take a call out of the queue, or note that a taken one has left the limiter's queue."""
        if ticket.taken:
            self._leaving -= 1
        else:
            del self._queued[ticket.lane][ticket]
        self._changed.set()
        for lane in _LANES:
            if self._queued[lane]:
                # It had no wait before it when it joined, perhaps, and lacks a token by now.
                self.call_batch(lane)
                break

    def seconds_to_batch(self, ticket: Ticket) -> float:
        """Seconds until a batch takes *ticket*, the last call of its lane."""
        return self._seconds_to_batch(ticket.lane, -1, alone=False)

    def seconds_to_leave(self, ticket: Ticket) -> float:
        """The same, or until its own token if batches take others out of its way."""
        return self._seconds_to_batch(ticket.lane, -1)

    def go_alone(self, ticket: Ticket) -> anyio.Semaphore | None:
        """
        Note that a call leaves with its own permit; `ended` must follow.

        Returns:
            As `WriteOrder.begin_alone`.
        """
        ticket.alone = True
        return self._writes.begin_alone(ticket.subject)

    def ended(self, ticket: Ticket) -> None:
        """Note that a call has ended; one that left alone no longer holds up later writes."""
        if ticket.alone and ticket.subject is not None:
            self._writes.end_alone(ticket.subject)
            self._changed.set()

    def with_batches(self, budget: Budget) -> Budget:
        """Return *budget*, the ordinary one, with waits that allow for batches."""
        wait, background = (self._seconds_to_batch(lane, 0) for lane in _LANES)
        return attrs.evolve(
            budget,
            estimated_wait=min(budget.estimated_wait, wait),
            estimated_wait_background=min(budget.estimated_wait_background, background),
        )

    def _seconds_to_batch(self, lane: Lane, ahead: int, *, alone: bool = True) -> float:
        """
        Seconds until a batch takes a call behind the queue and *ahead* more calls.

        Infinity when no batch will.
        """
        if not self.active:
            return math.inf
        interactive, background = (len(self._queued[each]) for each in _LANES)
        budgets = self._ordinary.statistics(), self._batch.statistics()
        if lane == "interactive":
            return seconds_of_interactive(interactive + ahead, *budgets)
        return seconds_of_background(interactive, background + ahead, *budgets, alone=alone)

    # The tasks.

    def _collect(self) -> None:
        self._collecting = True
        spawn(self._run, self._tasks)

    async def _run(self) -> None:
        try:
            await self._send_one()
        except (anyio.get_cancelled_exc_class(), GeneratorExit):
            raise
        except BaseException:  # noqa: BLE001 - a hook may exit; on trio it would end the program
            log(logging.ERROR, "A task of the overflow failed", exc_info=True)
        finally:
            ended, self._task_ended = self._task_ended, anyio.Event()
            ended.set()

    async def _send_one(self) -> None:
        """Wait until calls lack tokens, and send the first ten of them as a batch."""
        permit: Permit | None = None
        tickets: list[Ticket] = []
        try:
            try:
                while not tickets:
                    if permit is not None:
                        permit.refund()
                    lane = await self._lane()
                    if lane is None:
                        return
                    # A partial batch has waited long enough by now.
                    least = min(self._least, len(self._first_ten()))
                    try:
                        permit = await self._acquire(lane)
                    except (RateLimitWaitTimeout, LimiterUnavailable):
                        # The batch limiter is closed or without its store: calls wait for tokens.
                        await self._pipeline.clock.sleep(_LOOK_AGAIN)
                        continue
                    if permit is None:
                        continue
                    if self._overflowing() and self.active:
                        first = self._first_ten()
                        # If fewer are left, the others got tokens of their own meanwhile.
                        tickets = self._take(first) if len(first) >= least else []
            finally:
                self._collecting = False
            if self.active and any(self._queued.values()):
                self._collect()
            assert permit is not None  # noqa: S101 - there are tickets
            await self._carry(tickets, permit)
        finally:
            # After a cancellation or a bug, no call may be left waiting.
            for ticket in tickets:
                ticket.put(_unknown(ticket.call))
            if permit is not None:
                permit.refund()

    async def _acquire(self, lane: Lane) -> Permit | None:
        """Wait for the token of a batch. None: calls that go first wait for one now."""
        if lane == "interactive":
            return checked_permit(await self._batch.acquire(lane=lane))
        try:
            with anyio.CancelScope() as self._for_background:
                return checked_permit(await self._batch.acquire(lane=lane))
        finally:
            self._for_background = None
        return None

    async def _lane(self) -> Lane | None:
        """Wait until a batch could take calls, and return the lane. None when no call waits."""
        while True:
            while self._leaving:
                # Calls that were taken are still in the limiter's queue, and in its estimate.
                self._changed = anyio.Event()
                await self._changed.wait()
            if not self.active or not any(self._queued.values()):
                return None
            lane = self._overflowing()
            waiting = 0 if lane is None else len(self._first_ten())
            if waiting >= self._least:
                return lane
            self._changed = anyio.Event()
            if not waiting:
                await self._changed.wait()
            else:
                try:
                    await within(self._pipeline.clock, self._one_by_one, self._changed.wait)
                except OutOfTime:
                    return lane
            # A call that gets an ordinary token at once leaves the queue meanwhile.
            await anyio.lowlevel.checkpoint()

    @property
    def _least(self) -> int:
        return MOST_OPERATIONS if self._fill else 1

    @property
    def _one_by_one(self) -> float:
        """Seconds in which the calls of a batch would leave with ordinary tokens."""
        return MOST_OPERATIONS / self._ordinary.statistics().effective_rate

    def _overflowing(self) -> Lane | None:
        """The first lane in which calls wait for tokens, rather than for a slot in flight."""
        budget = self._ordinary.statistics()
        if not budget.effective_rate:
            return None
        for lane in _LANES:
            queued = self._queued[lane]
            if queued and (
                lacks_tokens(budget, lane) or any(ticket.only_batch for ticket in queued)
            ):
                return lane
        return None

    def _first_ten(self) -> list[Ticket]:
        """
        The calls that go into the next batch, in the order of the queue.

        TalkJS runs the operations of a batch in any order, so no two of them write to the same
        user or conversation: the second one stays in the queue.
        """
        chosen: list[Ticket] = []
        written: set[str] = set()
        for lane in _LANES:
            for ticket in self._queued[lane]:
                if len(chosen) == MOST_OPERATIONS:
                    return chosen
                subject = ticket.subject
                if subject is not None:
                    if subject in written or self._writes.is_busy(subject):
                        continue
                    written.add(subject)
                chosen.append(ticket)
        return chosen

    def _take(self, tickets: list[Ticket]) -> list[Ticket]:
        """Take *tickets* out of the queue, and return those that a batch is to carry."""
        self._leaving += len(tickets)
        for ticket in tickets:
            del self._queued[ticket.lane][ticket]
        carried = [ticket for ticket in tickets if ticket.take()]
        self._writes.begin_batch(ticket.subject for ticket in carried)
        return carried

    async def _carry(self, tickets: list[Ticket], permit: Permit) -> None:
        async def prepaid() -> Permit:
            return permit

        self._sent_any = True
        pipeline = _with_widest_limits(self._pipeline, tickets)
        calls = [each.call for each in tickets]
        for ticket in tickets:
            own = ticket.pipeline.terms.seconds
            if own < pipeline.terms.seconds:
                ticket.attempt_timeout = own
        try:
            outcomes = await carry(pipeline, calls, pipeline.begin(BATCH), prepaid)
            if outcomes is None or any(isinstance(each, RateLimited) for each in outcomes):
                self.active = False
            for index, ticket in enumerate(tickets):
                ticket.put(None if outcomes is None else outcomes[index])
        finally:
            self._writes.end_batch(ticket.subject for ticket in tickets)
            self._changed.set()


def _with_widest_limits(pipeline: Pipeline, tickets: Sequence[Ticket]) -> Pipeline:
    """Give a batch the longest timeouts and the largest answer that its calls allow."""
    options = [ticket.pipeline for ticket in tickets]
    terms = [each.terms for each in options]
    return attrs.evolve(
        pipeline,
        terms=pipeline.terms._replace(
            seconds=max(each.seconds for each in terms), largest=max(each.largest for each in terms)
        ),
        timeout={
            step: _longest([each.timeout[step] for each in options]) for step in pipeline.timeout
        },
        total_timeout=_longest([each.total_timeout for each in options]),
    )


def _longest(seconds: Sequence[float | None]) -> float | None:
    bounds = [each for each in seconds if each is not None]
    return max(bounds) if len(bounds) == len(seconds) else None


def _unknown(call: Call[Any]) -> OutcomeUnknown:
    return OutcomeUnknown(
        "the batch that carried it has no answer for it.", method=call.method, path=call.path
    )
