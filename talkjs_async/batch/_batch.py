"""
Sends many calls as few requests: cut into tens, each repeated on its own where that is safe.

Source: TalkJS documentation, REST API, Batch (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, TypeVar, overload

import anyio
import attrs

from talkjs_async._core.call import Call, nothing
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryState
from talkjs_async.batch._charges import charges_of, pay_for_each
from talkjs_async.batch._encoding import (
    MOST_OPERATIONS,
    OperationAnswer,
    check_batchable,
    encode,
    failure_for,
    failure_of,
)
from talkjs_async.errors import ConnectFailed, RateLimited, TalkJSError
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
        operations = [_Operation(call) for call in calls]
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

    async def _work(self, waiting: Iterator[list[_Operation]]) -> None:
        for operations in waiting:
            await self._send(operations)

    async def _send(self, operations: list[_Operation]) -> None:
        """Send up to ten operations until each has succeeded or failed for good."""
        pipeline = self._pipeline
        # Which of them may be repeated is decided for each; what arrives at the loop may be.
        retry_state = RetryState(pipeline.retry, pipeline.clock, idempotent=True)

        async def attempt() -> None:
            pending = [operation for operation in operations if operation.pending]
            await self._try(pending, retry_state)
            again = [
                operation.failure
                for operation in pending
                if operation.pending and operation.failure is not None
            ]
            if again:
                raise max(again, key=lambda error: getattr(error, "retry_after", None) or 0.0)

        try:
            await pipeline.persist(_POST, retry_state, attempt)
        except TalkJSError:
            # The policy's bounds has ended; each operation knows its own failure.
            return

    async def _try(self, operations: list[_Operation], retry_state: RetryState) -> None:
        """Send the operations once and note what became of each."""
        pipeline = self._pipeline
        ordinary = pipeline.limiters["ordinary"]
        call = encode(
            [operation.call for operation in operations], api_version=pipeline.api_version
        )
        paid: Permit | None = None

        async def acquire() -> Permit:
            nonlocal paid
            asked = pipeline.clock.monotonic()
            permit = await pipeline.acquire(call)()
            if not self._charges.each:
                return permit
            # In this order: a call that waits for a batch holds nothing that others could use.
            try:
                max_wait = pipeline.max_wait
                if max_wait is not None:
                    max_wait = max(max_wait - (pipeline.clock.monotonic() - asked), 0.0)
                paid = await pay_for_each(
                    ordinary,
                    len(operations),
                    lane=pipeline.lane,
                    max_wait=max_wait,
                    clock=pipeline.clock,
                )
            except BaseException:
                permit.refund()
                raise
            return permit

        refused = False
        try:
            answer = await pipeline.sender(call, retry_state, acquire)()
            replies = pipeline.read(call, answer)
            refused = any(reply is not None and reply.status == 429 for reply in replies)
        except TalkJSError as error:
            if paid is not None and isinstance(error, ConnectFailed | RateLimited):
                paid.refund()
            for operation in operations:
                operation.failed(failure_for(operation.call, error), retry_state)
            return
        finally:
            if paid is not None:
                (paid.throttled if refused else paid.settle)()
        if refused:
            await self._charges.refused(ordinary)
        for operation, reply in zip(operations, replies, strict=True):
            failure = failure_of(operation.call, reply)
            if failure is None:
                operation.reply, operation.pending = reply, False
            else:
                retry_state.failed(failure)
                operation.failed(failure, retry_state)


@attrs.define
class _Operation:
    call: Call[Any]
    pending: bool = True
    reply: OperationAnswer | None = None
    failure: TalkJSError | None = None

    def failed(self, failure: TalkJSError, retry_state: RetryState) -> None:
        self.failure = failure
        self.pending = retry_state.policy.allows(failure, idempotent=self.call.idempotent)

    def outcome(self) -> Any:
        if self.reply is None:
            return self.failure
        try:
            return self.call.result(self.reply.data)
        except TalkJSError as error:
            return error
