"""
Runs a call as the pipeline does, with a dispatcher beside the queue.

A call that a batch takes along keeps its own result, error, retry and cancellation. See
`docs/explanation/overflow.md` for what it costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import attrs
from anyio.lowlevel import current_token

from talkjs_async._core.call import Call
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryState
from talkjs_async.batch._dispatcher import Dispatcher
from talkjs_async.batch._encoding import OperationAnswer
from talkjs_async.batch._ticket import Taken, Ticket
from talkjs_async.errors import RateLimited, TalkJSError
from talkjs_async.limits import Permit

T = TypeVar("T")


class Dispatchers:
    """One dispatcher for each event loop that a client works in."""

    __slots__ = ("_by_loop", "_make")

    def __init__(self, make: Callable[[], Dispatcher]) -> None:
        self._make = make
        self._by_loop: WeakKeyDictionary[object, Dispatcher] = WeakKeyDictionary()

    def here(self) -> Dispatcher:
        """The one of the event loop that runs, made if there is none."""
        loop = current_token().native_token
        made = self._by_loop.get(loop)
        if made is None:
            made = self._by_loop[loop] = self._make()
        return made


@attrs.frozen
class Overflow:
    """Runs calls as the pipeline does, with a dispatcher beside the queue."""

    pipeline: Pipeline
    dispatchers: Dispatchers

    async def run(self, call: Call[T], /) -> T:
        """
        Send *call*, alone or in a batch, repeating it where that is safe, and decode the answer.

        Raises:
            TalkJSError: As `Pipeline.run`.
        """
        pipeline = self.pipeline
        dispatcher = self.dispatchers.here()
        if not dispatcher.serves(call):
            return await pipeline.run(call)
        retry_state = pipeline.begin(call)
        answer = await pipeline.persist(
            call, retry_state, partial(self._attempt, call, retry_state, dispatcher)
        )
        if isinstance(answer, OperationAnswer):
            return call.result(answer.data)
        return pipeline.read(call, answer)

    async def _attempt(
        self, call: Call[Any], retry_state: RetryState, dispatcher: Dispatcher
    ) -> bytes | OperationAnswer:
        pipeline = self.pipeline
        asked = pipeline.clock.monotonic()
        if not dispatcher.serves(call):
            return await pipeline.sender(call, retry_state)()
        # An operation says its version itself.
        own = attrs.evolve(call, api_version=call.api_version or pipeline.api_version)
        ordinary = pipeline.limiters["ordinary"]
        ticket = Ticket(dispatcher, ordinary, own, pipeline.lane, pipeline.clock)
        ends_at = asked + (math.inf if pipeline.max_wait is None else pipeline.max_wait)

        def left() -> float | None:
            own = None if ends_at == math.inf else max(ends_at - pipeline.clock.monotonic(), 0.0)
            return retry_state.left(own)

        try:
            return await self._alone(call, retry_state, ticket, left, dispatcher)
        except Taken:
            retry_state.begin(pipeline.clock.monotonic() - asked)
        outcome = await ticket.outcome()
        if isinstance(outcome, str):
            return await pipeline.sender(call, retry_state)()
        if isinstance(outcome, TalkJSError):
            retry_state.history.failed(outcome)
            if not retry_state.history.is_success(outcome):
                raise outcome
            return OperationAnswer(200, {})
        return outcome

    async def _alone(
        self,
        call: Call[Any],
        retry_state: RetryState,
        ticket: Ticket,
        left: Callable[[], float | None],
        dispatcher: Dispatcher,
    ) -> bytes:
        granted = False

        async def acquire() -> Permit:
            nonlocal granted
            permit = await ticket.acquire(left)
            granted = True
            return permit

        try:
            return await self.pipeline.sender(call, retry_state, acquire)()
        except RateLimited:
            dispatcher.throttled()
            raise
        finally:
            if granted:
                dispatcher.ended(ticket)
