"""
Carries up to ten calls in one request, and says what became of each.

For batches that a caller makes, and for those that take waiting calls along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from talkjs_async._core.attempt import Acquire, headers_told
from talkjs_async._core.call import Call, nothing
from talkjs_async._core.history import CallHistory
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryState
from talkjs_async.batch._charges import charges_of
from talkjs_async.batch._encoding import (
    OperationAnswer,
    encode,
    failure_for,
    is_refused,
    outcome_of,
)
from talkjs_async.errors import DecodeError, RateLimited, TalkJSError

Outcome = OperationAnswer | TalkJSError
"""What became of one call."""

BATCH: Final = Call(method="POST", path="/batch", decode=nothing)
"""What the events of a batch are about, and the count of its attempts."""


async def carry(
    pipeline: Pipeline, calls: Sequence[Call[Any]], retry_state: RetryState, acquire: Acquire
) -> list[Outcome] | None:
    """
    Send *calls* as one request, once.

    Args:
        pipeline: What sends it.
        calls: At most ten.
        retry_state: Of the batch.
        acquire: Where its permit comes from.

    Returns:
        What became of each, in their order. None: the batch was refused as such, which says nothing
        of its calls.
    """
    charges = charges_of(pipeline.limiters["ordinary"])
    request = encode(calls, api_version=pipeline.api_version)
    try:
        answer = await pipeline.sender(request, retry_state, acquire)()
        replies = pipeline.read(request, answer, retry_state)
    except TalkJSError as error:
        if is_refused(error):
            charges.warn_of_refusal(error)
            return None
        return [failure_for(call, error) for call in calls]
    outcomes = [outcome_of(call, reply) for call, reply in zip(calls, replies, strict=True)]
    headers = headers_told(retry_state)
    for outcome in outcomes:
        outcome.headers = headers
    if any(isinstance(outcome, RateLimited) for outcome in outcomes):
        await charges.refused(pipeline.limiters["ordinary"])
    return outcomes


def noted(outcome: Outcome, history: CallHistory) -> Outcome:
    """Take *outcome* into the *history* of its call: a 404 to a repeated DELETE is a success."""
    if isinstance(outcome, OperationAnswer):
        return outcome
    history.failed(outcome)
    return OperationAnswer(200, {}) if history.is_success(outcome) else outcome


def is_odd(outcome: TalkJSError) -> bool:
    """
    Tell whether the answer to the batch could not be read.

    As of a single call, it would come as large, or as odd, again.
    """
    return isinstance(outcome.__cause__, DecodeError)
