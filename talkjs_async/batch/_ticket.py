"""
One call that waits for the ordinary budget, and that a batch may take along meanwhile.

Knows the call and how it waits; the dispatcher knows the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import anyio

from talkjs_async._core.call import Call, Lane
from talkjs_async._core.clock import Clock
from talkjs_async.batch._encoding import OperationAnswer
from talkjs_async.errors import RateLimitWaitTimeout, TalkJSError
from talkjs_async.limits import Limiter, Permit

ALONE: Final = "alone"
"""What a batch hands over that was refused as such: the call goes alone."""

Outcome = OperationAnswer | TalkJSError | str


class Taken(Exception):
    """A batch takes the call along; it need not wait for its own token."""


class Tickets(Protocol):
    """What a ticket needs of the queue it is in."""

    def join(self, ticket: Ticket) -> None: ...

    def leave(self, ticket: Ticket) -> None: ...

    def seconds_to_batch(self, ticket: Ticket) -> float: ...

    async def turn(self, ticket: Ticket) -> None: ...


class Ticket:
    """
    A queued call: it gets its own permit, or a batch takes it first; never both.

    Attributes:
        call: What to send.
        lane: Where it queues.
        subject: The user or conversation that it writes to. None when it reads.
        only_batch: Whether its own token is too far away, so that it waits for a batch alone.
        taken: Whether a batch took it.
    """

    __slots__ = (
        "_answered",
        "_clock",
        "_limiter",
        "_outcome",
        "_scope",
        "_tickets",
        "call",
        "lane",
        "only_batch",
        "subject",
    )

    def __init__(
        self, tickets: Tickets, limiter: Limiter, call: Call[Any], lane: Lane, clock: Clock
    ) -> None:
        self.call: Call[Any] = call
        self.lane: Lane = lane
        self.subject: str | None = None if call.method == "GET" else subject_of(call)
        self.only_batch: bool = False
        self._tickets = tickets
        self._limiter = limiter
        self._clock = clock
        self._scope = anyio.CancelScope()
        self._answered: anyio.Event | None = None
        self._outcome: Outcome = ALONE

    @property
    def taken(self) -> bool:
        return self._answered is not None

    async def acquire(self, left: Callable[[], float | None]) -> Permit:
        """
        Wait for a token or for a batch, whichever comes first.

        Args:
            left: How many seconds the wait may take from now on. None for as long as it takes.

        Raises:
            Taken: A batch was faster; `outcome` waits for its answer.
            RateLimitWaitTimeout: Neither comes in time.
        """
        permit: Permit | None = None
        self._tickets.join(self)
        try:
            with self._scope:
                permit = await self._wait(left)
        finally:
            self._tickets.leave(self)
        if self.taken:
            if permit is not None:
                permit.refund()
            raise Taken
        assert permit is not None  # noqa: S101 - only `take` ends the scope
        try:
            await self._tickets.turn(self)
        except BaseException:
            permit.refund()
            raise
        return permit

    async def _wait(self, left: Callable[[], float | None]) -> Permit:
        try:
            return await self._limiter.acquire(lane=self.lane, max_wait=left())
        except RateLimitWaitTimeout as error:
            seconds = left()
            batch = self._tickets.seconds_to_batch(self)
            if seconds is None or batch > seconds:
                wait = min(error.retry_after, batch)
                raise RateLimitWaitTimeout(retry_after=wait, max_wait=error.max_wait) from None
            # Its own token is too far away, but a batch will come in time.
            self.only_batch = True
            await self._clock.sleep(seconds)
            raise

    def take(self) -> None:
        """Give the call to a batch. `put` must follow."""
        self._answered = anyio.Event()
        self._scope.cancel()

    def put(self, outcome: Outcome) -> None:
        """Hand over what became of the call in the batch. The first outcome counts."""
        assert self._answered is not None  # noqa: S101 - taken before
        if not self._answered.is_set():
            self._outcome = outcome
            self._answered.set()

    async def outcome(self) -> Outcome:
        """Wait for the batch that took the call along."""
        assert self._answered is not None  # noqa: S101 - taken before
        await self._answered.wait()
        return self._outcome


def subject_of(call: Call[Any]) -> str:
    """The user or conversation that a call is about: "/users/alice"."""
    return "/".join(call.path.removeprefix("/import").split("/", 3)[:3])
