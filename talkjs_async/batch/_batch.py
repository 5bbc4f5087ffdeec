"""
Sends many calls as few requests: cut into tens, each repeated on its own where that is safe.

Source: TalkJS documentation, REST API, Batch (read 2026-11-22).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from typing import Any, Final, Literal, TypeVar, overload

import anyio
import attrs

from talkjs_async._core.call import Call, nothing
from talkjs_async._core.history import CallHistory
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryPolicy, RetryState
from talkjs_async.batch._charges import charges_of, pay_for_each
from talkjs_async.batch._encoding import (
    MOST_OPERATIONS,
    OperationAnswer,
    check_batchable,
    encode,
    failure_for,
    failure_of,
    is_refused,
)
from talkjs_async.errors import ConnectFailed, DecodeError, RateLimited, TalkJSError
from talkjs_async.limits import Permit

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")

AT_ONCE: Final = 20
"""Requests of one `batch` that are queued or on their way: the rest of the calls just waits."""

_POST: Final = Call(method="POST", path="/batch", decode=nothing)
"""What the events of a batch are about."""


class Batch:
    """
    Sends many calls as few requests; `talkjs.batch` is one.

    Each call has its own result or error, at its own position, and is repeated on its own where
    that is safe. TalkJS runs the calls of a batch in any order: what depends on each other goes
    into two batches.
    """

    __slots__ = ("_charges", "_pipeline")

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._charges = charges_of(pipeline.limiters["ordinary"])

    @overload
    async def __call__(self, *, return_exceptions: bool = False) -> tuple[()]: ...
    @overload
    async def __call__(
        self, call1: Call[T1], /, *, return_exceptions: Literal[False] = False
    ) -> tuple[T1]: ...
    @overload
    async def __call__(
        self, call1: Call[T1], call2: Call[T2], /, *, return_exceptions: Literal[False] = False
    ) -> tuple[T1, T2]: ...
    @overload
    async def __call__(
        self,
        call1: Call[T1],
        call2: Call[T2],
        call3: Call[T3],
        /,
        *,
        return_exceptions: Literal[False] = False,
    ) -> tuple[T1, T2, T3]: ...
    @overload
    async def __call__(
        self,
        call1: Call[T1],
        call2: Call[T2],
        call3: Call[T3],
        call4: Call[T4],
        /,
        *,
        return_exceptions: Literal[False] = False,
    ) -> tuple[T1, T2, T3, T4]: ...
    @overload
    async def __call__(
        self,
        call1: Call[T1],
        call2: Call[T2],
        call3: Call[T3],
        call4: Call[T4],
        call5: Call[T5],
        /,
        *,
        return_exceptions: Literal[False] = False,
    ) -> tuple[T1, T2, T3, T4, T5]: ...
    @overload
    async def __call__(
        self,
        call1: Call[T1],
        call2: Call[T2],
        call3: Call[T3],
        call4: Call[T4],
        call5: Call[T5],
        call6: Call[T6],
        /,
        *,
        return_exceptions: Literal[False] = False,
    ) -> tuple[T1, T2, T3, T4, T5, T6]: ...
    @overload
    async def __call__(
        self, *calls: Call[T], return_exceptions: Literal[False] = False
    ) -> tuple[T, ...]: ...
    @overload
    async def __call__(
        self, call1: Call[T1], /, *, return_exceptions: Literal[True]
    ) -> tuple[T1 | TalkJSError]: ...
    @overload
    async def __call__(
        self, call1: Call[T1], call2: Call[T2], /, *, return_exceptions: Literal[True]
    ) -> tuple[T1 | TalkJSError, T2 | TalkJSError]: ...
    @overload
    async def __call__(
        self,
        call1: Call[T1],
        call2: Call[T2],
        call3: Call[T3],
        /,
        *,
        return_exceptions: Literal[True],
    ) -> tuple[T1 | TalkJSError, T2 | TalkJSError, T3 | TalkJSError]: ...
    @overload
    async def __call__(
        self,
        call1: Call[T1],
        call2: Call[T2],
        call3: Call[T3],
        call4: Call[T4],
        /,
        *,
        return_exceptions: Literal[True],
    ) -> tuple[T1 | TalkJSError, T2 | TalkJSError, T3 | TalkJSError, T4 | TalkJSError]: ...
    @overload
    async def __call__(
        self, *calls: Call[T], return_exceptions: bool
    ) -> tuple[T | TalkJSError, ...]: ...

    async def __call__(self, *calls: Call[Any], return_exceptions: bool = False) -> tuple[Any, ...]:
        """
        Send *calls*, ten to a request, and wait for all of them.

        Args:
            calls: Made with `call_of(talkjs.users.get, "alice")`; any number. A list method gives
                its first page.
            return_exceptions: True: errors stand among the results, in the place of theirs.

        Returns:
            A result for each call, in the order of *calls*.

        Raises:
            ConfigurationError: A call cannot be part of a batch. Nothing was sent.
            TalkJSError: Without *return_exceptions*: the error of the first call that has one. All
                the others have been sent as well.
        """
        check_batchable(calls)
        operations = [_BatchCall(call) for call in calls]
        portions = [
            operations[start : start + MOST_OPERATIONS]
            for start in range(0, len(operations), MOST_OPERATIONS)
        ]
        waiting = iter(portions)
        if len(portions) <= 1:
            await self._work(waiting)
        else:
            async with anyio.create_task_group() as tasks:
                for _ in range(min(AT_ONCE, len(portions))):
                    tasks.start_soon(self._work, waiting)
        results = tuple(operation.outcome() for operation in operations)
        if not return_exceptions:
            for result in results:
                if isinstance(result, TalkJSError):
                    raise result
        return results

    async def _work(self, waiting: Iterator[list[_BatchCall]]) -> None:
        for operations in waiting:
            await self._send(operations)

    async def _send(self, operations: list[_BatchCall]) -> None:
        """Send up to ten operations until each has succeeded or failed for good."""
        pipeline = self._pipeline
        # Which of them may be repeated is decided for each; what arrives at the loop may be.
        retry_state = pipeline.begin(_POST)

        async def attempt() -> None:
            await self._try([each for each in operations if each.pending], retry_state)
            again = [
                each.failure for each in operations if each.pending and each.failure is not None
            ]
            if again:
                # A copy: what the loop notes in it is not about one of the calls.
                raise copy(max(again, key=lambda error: error.retry_after or 0.0))

        # When the policy ends it, each operation knows its own failure.
        with contextlib.suppress(TalkJSError):
            await pipeline.persist(_POST, retry_state, attempt)

    async def _try(self, operations: list[_BatchCall], retry_state: RetryState) -> None:
        """Send the operations once and note what became of each."""
        pipeline = self._pipeline
        paid: list[Permit] = []
        refused = False
        call = encode([each.call for each in operations], api_version=pipeline.api_version)
        acquire = partial(self._acquire, operations, retry_state, paid)
        try:
            answer = await pipeline.sender(call, retry_state, acquire)()
            replies = pipeline.read(call, answer)
            refused = any(reply is not None and reply.status == 429 for reply in replies)
        except _Expired:
            rest = [each for each in operations if each.pending]
            if rest:
                await self._try(rest, retry_state)
            return
        except TalkJSError as error:
            if isinstance(error, ConnectFailed | RateLimited):
                _end(paid, Permit.refund)
            await self._failed(operations, error, retry_state)
            return
        finally:
            _end(paid, Permit.throttled if refused else Permit.settle)
        if refused:
            await self._charges.refused(pipeline.limiters["ordinary"])
        for each, reply in zip(operations, replies, strict=True):
            failure = failure_of(each.call, reply)
            if failure is None:
                each.reply, each.pending = reply, False
            else:
                each.failed(failure, pipeline.retry)

    async def _acquire(
        self, operations: list[_BatchCall], retry_state: RetryState, paid: list[Permit]
    ) -> Permit:
        """Wait for the permit of a batch, and put into *paid* that of its operations."""
        pipeline = self._pipeline
        asked = pipeline.clock.monotonic()
        # In this order: a call that waits for a batch holds nothing that others could use.
        permit = await pipeline.acquire(pipeline.limiters["batch"], retry_state)
        try:
            if self._charges.each:
                await pay_for_each(
                    pipeline.limiters["ordinary"],
                    len(operations),
                    paid,
                    lane=pipeline.lane,
                    max_wait=retry_state.left(pipeline.max_wait),
                    asked=asked,
                    clock=pipeline.clock,
                )
            _begin(operations, pipeline.clock.monotonic())
        except BaseException:
            permit.refund()
            raise
        return permit

    async def _failed(
        self, operations: list[_BatchCall], error: TalkJSError, retry_state: RetryState
    ) -> None:
        """Note that the batch failed; if it was refused as such, send its operations one by one."""
        pipeline = self._pipeline
        if not is_refused(error):
            for each in operations:
                each.failed(failure_for(each.call, error), pipeline.retry)
                if isinstance(error, DecodeError):
                    # As of a single call: it would come as large, or as odd, again.
                    each.pending = False
            return
        self._charges.warn_of_refusal(error)
        for each in operations:
            own = attrs.evolve(retry_state, history=each.history, queued=0.0)
            try:
                answer = await pipeline.persist(each.call, own, pipeline.sender(each.call, own))
                each.reply = OperationAnswer(200, pipeline.data(each.call, answer))
            except TalkJSError as failure:
                each.failure = failure
            each.pending = False


class _Expired(Exception):
    """An operation was granted its permit so late that a repeat would not be recognised."""


def _begin(operations: list[_BatchCall], now: float) -> None:
    """Count an attempt of each operation."""
    for each in operations:
        if each.history.has_expired(now):
            each.failure, each.pending = each.history.expiry(), False
    if not all(each.pending for each in operations):
        raise _Expired
    for each in operations:
        each.history.begin(now)


def _end(permits: list[Permit], how: Callable[[Permit], None]) -> None:
    while permits:
        how(permits.pop())


@attrs.define
class _BatchCall:
    call: Call[Any]
    history: CallHistory = attrs.field(init=False)
    pending: bool = True
    reply: OperationAnswer | None = None
    failure: TalkJSError | None = None

    def __attrs_post_init__(self) -> None:
        self.history = CallHistory(self.call)

    def failed(self, failure: TalkJSError, policy: RetryPolicy) -> None:
        self.history.failed(failure)
        self.failure = failure
        self.pending = policy.allows(failure, idempotent=self.call.idempotent)
        if self.history.is_success(failure):
            self.reply, self.pending = OperationAnswer(200, {}), False

    def outcome(self) -> Any:
        if self.reply is None:
            return self.failure and self.history.verdict(self.failure)
        try:
            return self.call.result(self.reply.data)
        except TalkJSError as error:
            return error
