"""
Runs a call as the pipeline does, with a dispatcher beside the queue.

A call that a batch takes keeps its own result, error, retry and cancellation. See
`docs/explanation/overflow.md` for what it costs.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import attrs
from anyio import NoEventLoopError
from anyio.lowlevel import current_token

from talkjs_async._core.call import Call
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryState
from talkjs_async.batch._carrier import is_odd, noted
from talkjs_async.batch._dispatcher import Dispatcher
from talkjs_async.batch._encoding import OperationAnswer
from talkjs_async.batch._ticket import Taken, Ticket
from talkjs_async.errors import RateLimited, TalkJSError
from talkjs_async.limits import Budget

T = TypeVar("T")


class Dispatchers:
    """One dispatcher for each event loop that a client works in."""

    __slots__ = ("_by_loop", "_for_job", "_pipeline")

    def __init__(self, pipeline: Pipeline, *, for_job: bool = False) -> None:
        """*for_job*: as for a `Dispatcher`."""
        self._pipeline = pipeline
        self._for_job = for_job
        self._by_loop: WeakKeyDictionary[object, Dispatcher] = WeakKeyDictionary()

    def here(self) -> Dispatcher:
        """Return the dispatcher of the running event loop, and make it first if needed."""
        loop = current_token().native_token
        made = self._by_loop.get(loop)
        if made is None:
            made = self._by_loop[loop] = Dispatcher(self._pipeline, for_job=self._for_job)
        return made

    def with_batches(self, budget: Budget) -> Budget:
        """Return *budget* with waits that allow for batches of this event loop, if it runs one."""
        try:
            dispatcher = self.here()
        except NoEventLoopError:
            return budget
        return dispatcher.with_batches(budget)


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
            return answer.result_of(call)
        return pipeline.read(call, answer, retry_state)

    async def _attempt(
        self, call: Call[Any], retry_state: RetryState, dispatcher: Dispatcher
    ) -> bytes | OperationAnswer:
        pipeline = self.pipeline
        if not dispatcher.serves(call):
            return await pipeline.sender(call, retry_state)()
        ticket = Ticket(dispatcher, pipeline, call, retry_state)
        try:
            return await pipeline.sender(call, retry_state, ticket.acquire)()
        except Taken:
            pass
        except RateLimited:
            dispatcher.throttled()
            raise
        finally:
            dispatcher.ended(ticket)
        outcome = await ticket.outcome()
        if outcome is None:
            retry_state.history.take_back()
            return await pipeline.sender(call, retry_state)()
        outcome = noted(outcome, retry_state.history)
        if isinstance(outcome, TalkJSError):
            retry_state.over = retry_state.over or is_odd(outcome)
            raise outcome
        return outcome
