"""
One call that waits for the ordinary budget, and that a batch may take meanwhile.

Knows the call and how it waits; the dispatcher knows the others.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

import anyio
import attrs

from talkjs_async._core.call import Call, Lane
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryState
from talkjs_async._core.tasks import OutOfTime, within
from talkjs_async.batch._carrier import Outcome
from talkjs_async.errors import OutcomeUnknown, RateLimitWaitTimeout
from talkjs_async.limits import Permit

_LEAST: Final = 0.1
"""Seconds that a refused call is told at least: with nothing it would ask over and over."""


class Taken(Exception):
    """A batch takes the call along; it need not wait for its own token."""


class Tickets(Protocol):
    """
    What a ticket needs of the queue it is in.

    Attributes:
        ordered: Whether writes to one user or conversation keep their order.
    """

    ordered: bool

    def join(self, ticket: Ticket) -> None: ...

    def leave(self, ticket: Ticket) -> None: ...

    def call_batch(self, lane: Lane) -> None: ...

    def seconds_to_batch(self, ticket: Ticket) -> float: ...

    def seconds_to_leave(self, ticket: Ticket) -> float: ...

    def go_alone(self, ticket: Ticket) -> anyio.Semaphore | None: ...


class Ticket:
    """
    A queued call: it gets its own permit, or a batch takes it first; never both.

    Attributes:
        call: What to send.
        lane: Where it queues.
        subject: The user or conversation that it writes to. None when it reads, or when writes
            need no order.
        only_batch: Whether it waits for a batch only, since its own token would come too late.
        alone: Whether it leaves with its own permit, or has left.
        taken: Whether a batch took it.
        pipeline: The options of its client.
        attempt_timeout: Seconds that it waits for the batch's answer, if the batch may take longer.
    """

    __slots__ = (
        "_answered",
        "_asked",
        "_gives_up_at",
        "_outcome",
        "_retry_state",
        "_scope",
        "_tickets",
        "alone",
        "attempt_timeout",
        "call",
        "lane",
        "only_batch",
        "pipeline",
        "subject",
    )

    def __init__(
        self, tickets: Tickets, pipeline: Pipeline, call: Call[Any], retry_state: RetryState
    ) -> None:
        # Each operation of a batch carries its own API version.
        version = call.api_version or pipeline.api_version
        self.call: Call[Any] = attrs.evolve(call, api_version=version)
        self.lane: Lane = pipeline.lane
        free = call.method == "GET" or not tickets.ordered
        self.subject: str | None = None if free else subject_of(call)
        self.only_batch: bool = False
        self.alone: bool = False
        self.attempt_timeout: float = math.inf
        self._tickets = tickets
        self.pipeline: Pipeline = pipeline
        self._retry_state = retry_state
        self._asked = pipeline.clock.monotonic()
        longest = math.inf if pipeline.max_wait is None else pipeline.max_wait
        self._gives_up_at = self._asked + longest
        self._scope = anyio.CancelScope()
        self._answered: anyio.Event | None = None
        self._outcome: Outcome | None = None

    @property
    def taken(self) -> bool:
        return self._answered is not None

    async def acquire(self) -> Permit:
        """
        Wait for a token or for a batch, whichever comes first.

        Raises:
            Taken: A batch was faster; `outcome` waits for its answer.
            RateLimitWaitTimeout: Neither comes in time.
        """
        permit: Permit | None = None
        try:
            self._tickets.join(self)
            with self._scope:
                permit = await self._wait()
        finally:
            self._tickets.leave(self)
        if self.taken:
            if permit is not None:
                permit.refund()
            raise Taken
        assert permit is not None  # noqa: S101 - only `take` ends the scope
        try:
            await self._turn()
        except BaseException:
            permit.refund()
            raise
        return permit

    def _left(self) -> float | None:
        """Seconds that the wait may still take. None: no limit."""
        if self._gives_up_at == math.inf:
            return self._retry_state.left(None)
        now = self.pipeline.clock.monotonic()
        return self._retry_state.left(max(self._gives_up_at - now, 0.0))

    async def _wait(self) -> Permit:
        limiter = self.pipeline.limiters["ordinary"]
        try:
            return await limiter.acquire(lane=self.lane, max_wait=self._left())
        except RateLimitWaitTimeout as error:
            seconds, own = self._left(), error.retry_after
            if seconds is not None and self._tickets.seconds_to_batch(self) <= seconds:
                # Its own token would come too late, but a batch comes in time.
                self.only_batch = True
                self._tickets.call_batch(self.lane)
                await self.pipeline.clock.sleep(seconds)
                own -= seconds
            elif seconds is not None and self._tickets.seconds_to_leave(self) <= seconds:
                # The batches take others out of its way.
                with suppress(OutOfTime):
                    return await within(
                        self.pipeline.clock, seconds, partial(limiter.acquire, lane=self.lane)
                    )
                own -= seconds
            wait = max(min(own, self._tickets.seconds_to_leave(self)), _LEAST)
            raise RateLimitWaitTimeout(retry_after=wait, max_wait=error.max_wait) from None

    async def _turn(self) -> None:
        """Wait for the answer to a batch with an earlier write to the same thing, in order."""
        turn = self._tickets.go_alone(self)
        if turn is None:
            return
        clock = self.pipeline.clock
        try:
            await within(clock, self._left(), turn.acquire)
            # Wakes one after the other: trio runs tasks that wake together in any order.
            turn.release()
        except OutOfTime:
            waited = clock.monotonic() - self._asked
            raise RateLimitWaitTimeout(retry_after=waited, max_wait=waited) from None

    def take(self) -> bool:
        """
        Give the call to a batch. `put` must follow.

        Returns:
            False when the time of the call is over: its outcome is set then.
        """
        self._answered = anyio.Event()
        self._scope.cancel()
        state = self._retry_state
        now = self.pipeline.clock.monotonic()
        if state.history.has_expired(now):
            state.over = True
            self.put(state.history.expiry())
            return False
        state.begin(now - self._asked)
        return True

    def put(self, outcome: Outcome | None) -> None:
        """
        Set what became of the call in the batch. The first outcome counts.

        Args:
            outcome: None when the whole batch was refused, so that the call has to go alone.
        """
        assert self._answered is not None  # noqa: S101 - taken before
        if not self._answered.is_set():
            self._outcome = outcome
            self._answered.set()

    async def outcome(self) -> Outcome | None:
        """Wait for the batch that took the call, for as long as the call may take."""
        assert self._answered is not None  # noqa: S101 - taken before
        state, call = self._retry_state, self.call
        own = self.attempt_timeout
        seconds = state.left(None if own == math.inf else own)
        try:
            await within(state.clock, seconds, self._answered.wait)
        except OutOfTime:
            if seconds != own:
                return state.out_of_time(sent=True)
            return OutcomeUnknown(
                f"no answer came in the {own:.1f} s of attempt_timeout.",
                method=call.method,
                path=call.path,
            )
        return self._outcome


def subject_of(call: Call[Any]) -> str:
    """The user or conversation that a call is about: "/users/alice"."""
    return "/".join(call.path.removeprefix("/import").split("/", 3)[:3])
