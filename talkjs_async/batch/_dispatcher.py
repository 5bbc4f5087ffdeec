"""
Takes calls that wait for the ordinary budget into batches.

TalkJS has a second budget, for `POST /batch`: 500 requests at once, then one per second, of up to
ten operations each. While calls queue for an ordinary token, the dispatcher takes the first ten of
them and sends them as one batch. Nothing is ever delayed to fill a batch.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import current_token

from talkjs_async._core.call import Call, Lane
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryState
from talkjs_async.batch._charges import charges_of
from talkjs_async.batch._encoding import (
    MOST_OPERATIONS,
    OperationAnswer,
    encode,
    failure_for,
    failure_of,
)
from talkjs_async.errors import ConfigurationError, OutcomeUnknown, RateLimited, TalkJSError
from talkjs_async.limits import Limiter, Permit

logger: Final = logging.getLogger("talkjs_async")

_LOOK_AGAIN: Final = 1.0
"""Seconds until a limiter of batches that refused to work is asked again."""

_LANES: Final[tuple[Lane, ...]] = ("interactive", "background")


class Taken(Exception):
    """A batch takes the call along; it need not wait for its own token."""


class Ticket:
    """
    A queued call's position in both queues.

    Either the call gets its own token, or the dispatcher takes it first; never both.
    """

    __slots__ = ("_answered", "_dispatcher", "_limiter", "_outcome", "_scope", "call", "lane")

    def __init__(
        self, dispatcher: Dispatcher, limiter: Limiter, call: Call[Any], lane: Lane
    ) -> None:
        self.call: Call[Any] = call
        self.lane: Lane = lane
        self._dispatcher = dispatcher
        self._limiter = limiter
        self._scope: anyio.CancelScope | None = None
        self._answered: anyio.Event | None = None
        self._outcome: OperationAnswer | TalkJSError | None = None

    async def acquire(self, *, max_wait: float | None) -> Permit:
        """
        Wait for a token or for a batch, whichever comes first.

        Raises:
            Taken: A batch was faster; `outcome` waits for its answer.
        """
        with anyio.CancelScope() as self._scope:
            self._dispatcher.join(self)
            try:
                permit = await self._limiter.acquire(lane=self.lane, max_wait=max_wait)
            finally:
                self._dispatcher.leave(self, taken=self._answered is not None)
            if self._answered is None:
                return permit
            permit.refund()
        raise Taken

    def take(self) -> Call[Any]:
        """Give the call to a batch. `put` must follow."""
        assert self._scope is not None  # noqa: S101 - only joined tickets are taken
        self._answered = anyio.Event()
        self._scope.cancel()
        return self.call

    def put(self, outcome: OperationAnswer | TalkJSError) -> None:
        """Hand over what became of the call in the batch."""
        assert self._answered is not None  # noqa: S101 - taken before
        self._outcome = outcome
        self._answered.set()

    async def outcome(self) -> OperationAnswer | TalkJSError:
        """Wait for the batch that took the call along."""
        assert self._answered is not None  # noqa: S101 - taken before
        await self._answered.wait()
        assert self._outcome is not None  # noqa: S101 - put before
        return self._outcome


class Dispatcher:
    """
    Takes queued calls into batches, in a task of its own.

    Runs from `start` to `stop` in one event loop; calls of other event loops never see it.

    Attributes:
        active: Whether it takes calls. It stops for good when a 429 shows that TalkJS charges the
            operations of a batch to the ordinary budget: nothing is won then.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._ordinary = pipeline.limiters["ordinary"]
        self._batch = pipeline.limiters["batch"]
        self._queued: dict[Lane, OrderedDict[Ticket, None]] = {
            lane: OrderedDict() for lane in _LANES
        }
        self._joined = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._loop: object = None
        self._charges = charges_of(self._ordinary)
        self._batches = 0
        self._leaving = 0
        self.active: bool = False

    async def start(self) -> None:
        """Begin to take calls of this event loop."""
        self._tasks = await anyio.create_task_group().__aenter__()
        self._loop = current_token()
        self._joined = anyio.Event()
        self.active = not self._charges.each
        self._tasks.start_soon(self._dispatch)

    async def stop(self) -> None:
        """Stop. Calls in a batch under way get OutcomeUnknown, or repeat themselves."""
        self.active = False
        if self._tasks is not None:
            tasks, self._tasks = self._tasks, None
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)

    def serves(self, call: Call[Any]) -> bool:
        """Tell whether *call*, made here and now, may be taken along."""
        if self._tasks is None:
            raise ConfigurationError(
                "overflow_to_batch", "works inside `async with AsyncTalkJS(...)` only."
            )
        if self._charges.each:
            self.active = False
        return self.active and _may_overflow(call) and current_token() == self._loop

    def join(self, ticket: Ticket) -> None:
        """Put a call last in the line of its lane."""
        self._queued[ticket.lane][ticket] = None
        self._joined.set()

    def leave(self, ticket: Ticket, *, taken: bool) -> None:
        """Take a call out of the line, or note that a taken one has left the limiter's."""
        if taken:
            self._leaving -= 1
        else:
            del self._queued[ticket.lane][ticket]

    def throttled(self) -> None:
        """Note a 429 of an ordinary request."""
        if self.active and self._batches:
            self.active = False
            logger.warning(
                "A 429 came while calls overflowed into batches, so TalkJS may charge operations "
                "to the ordinary budget. No more calls are taken into batches."
            )

    async def _dispatch(self) -> None:
        tasks = self._tasks
        while tasks is not None and self.active:
            while self._leaving:
                # Those who were taken still stand in the limiter's line, and in its estimate.
                await anyio.lowlevel.checkpoint()
            lane = self._overflowing()
            if lane is None:
                self._joined = anyio.Event()
                await self._joined.wait()
                # Whoever gets an ordinary token at once has left again by then.
                await anyio.lowlevel.checkpoint()
                continue
            try:
                permit = await self._batch.acquire(lane=lane)
            except TalkJSError:
                # Closed, or the store that holds it is away: the calls wait for ordinary tokens.
                await self._pipeline.clock.sleep(_LOOK_AGAIN)
                continue
            tickets = self._first_ten() if self._overflowing() and self.active else []
            if tickets:
                self._batches += 1
                tasks.start_soon(self._send, self._take(tickets), permit)
            else:
                permit.refund()

    def _overflowing(self) -> Lane | None:
        """The first lane in which calls wait for tokens, rather than for a free connection."""
        budget = self._ordinary.statistics()
        if not budget.effective_rate:
            return None
        # The estimates are those of one more caller; the last one in line waits a token less.
        token = (1 + 1e-6) / budget.effective_rate
        if self._queued["interactive"] and budget.estimated_wait > token:
            return "interactive"
        if self._queued["background"] and budget.estimated_wait_background > token:
            return "background"
        return None

    def _first_ten(self) -> list[Ticket]:
        """
        The calls that go into the next batch, in the order of the line.

        TalkJS runs the operations of a batch in any order, so no two of them write to the same
        user or conversation: the second one stays in the line.
        """
        chosen: list[Ticket] = []
        written: set[str] = set()
        for lane in _LANES:
            for ticket in self._queued[lane]:
                if len(chosen) == MOST_OPERATIONS:
                    return chosen
                subject = _subject(ticket.call)
                if ticket.call.method == "GET":
                    chosen.append(ticket)
                elif subject not in written:
                    written.add(subject)
                    chosen.append(ticket)
        return chosen

    def _take(self, tickets: list[Ticket]) -> dict[Ticket, Call[Any]]:
        for ticket in tickets:
            del self._queued[ticket.lane][ticket]
        self._leaving += len(tickets)
        return {ticket: ticket.take() for ticket in tickets}

    async def _send(self, waiting: dict[Ticket, Call[Any]], permit: Permit) -> None:
        pipeline = self._pipeline

        async def prepaid() -> Permit:
            return permit

        request = encode(list(waiting.values()))
        retry_state = RetryState(pipeline.retry, pipeline.clock, idempotent=False)
        try:
            replies = pipeline.read(request, await pipeline.sender(request, retry_state, prepaid)())
            for (ticket, call), reply in zip(waiting.items(), replies, strict=True):
                failure = failure_of(call, reply)
                if isinstance(failure, RateLimited):
                    self.active = False
                    await self._charges.refused(self._ordinary)
                ticket.put(failure or reply or _unknown(call))
            waiting.clear()
        except TalkJSError as error:
            for ticket, call in waiting.items():
                ticket.put(failure_for(call, error))
            waiting.clear()
        finally:
            # Cancelled, or a bug: no call may be left waiting.
            permit.refund()
            for ticket, call in waiting.items():
                ticket.put(_unknown(call))


def _may_overflow(call: Call[Any]) -> bool:
    # A write to a collection (`PUT /users`) may touch anybody.
    return call.batchable and (call.method == "GET" or call.path.count("/") > 1)


def _subject(call: Call[Any]) -> str:
    """The user or conversation that a call is about: "/users/alice"."""
    return "/".join(call.path.removeprefix("/import").split("/", 3)[:3])


def _unknown(call: Call[Any]) -> OutcomeUnknown:
    return OutcomeUnknown(
        "the batch that carried it has no answer for it.", method=call.method, path=call.path
    )
