"""
Runs a call as the pipeline does, with a dispatcher beside the queue.

A call that a batch takes along keeps its own result, error, retry and cancellation. See
`docs/explanation/overflow.md` for what it costs.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

import attrs

from talkjs_async._core.call import Call
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryState
from talkjs_async.batch._dispatcher import Dispatcher, Taken, Ticket
from talkjs_async.batch._encoding import OperationAnswer
from talkjs_async.errors import RateLimited, TalkJSError

T = TypeVar("T")


@attrs.frozen
class Overflow:
    """Runs calls as the pipeline does, with a dispatcher beside the queue."""

    pipeline: Pipeline
    dispatcher: Dispatcher

    async def run(self, call: Call[T], /) -> T:
        """
        Send *call*, alone or in a batch, repeating it where that is safe, and decode the answer.

        Raises:
            TalkJSError: As `Pipeline.run`.
        """
        pipeline = self.pipeline
        if not self.dispatcher.serves(call):
            return await pipeline.run(call)
        retry_state = RetryState(pipeline.retry, pipeline.clock, call.idempotent)
        answer = await pipeline.persist(
            call, retry_state, partial(self._attempt, call, retry_state)
        )
        if isinstance(answer, OperationAnswer):
            return call.result(answer.data)
        return pipeline.read(call, answer)

    async def _attempt(self, call: Call[Any], retry_state: RetryState) -> bytes | OperationAnswer:
        pipeline = self.pipeline
        ordinary = pipeline.limiters["ordinary"]
        # An operation says its version itself.
        own = attrs.evolve(call, api_version=call.api_version or pipeline.api_version)
        ticket = Ticket(self.dispatcher, ordinary, own, pipeline.lane)
        acquire = partial(ticket.acquire, max_wait=pipeline.max_wait)
        asked = pipeline.clock.monotonic()
        try:
            return await pipeline.sender(call, retry_state, acquire)()
        except RateLimited:
            self.dispatcher.throttled()
            raise
        except Taken:
            retry_state.queue_ended(pipeline.clock.monotonic() - asked)
        outcome = await ticket.outcome()
        if isinstance(outcome, TalkJSError):
            retry_state.failed(outcome)
            raise outcome
        return outcome
