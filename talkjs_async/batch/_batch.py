"""
Sends many calls as few requests: cut into tens, each repeated on its own where that is safe.

Source: TalkJS documentation, REST API, Batch (read 2026-11-22).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from copy import copy
from functools import partial
from typing import Any, Final, Literal, TypeVar, overload

import anyio
import attrs

from talkjs_async._core.call import Call
from talkjs_async._core.history import CallHistory
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryPolicy, RetryState
from talkjs_async._core.tasks import first_of, stray_cancellation_fails
from talkjs_async._core.wire import checked_flag
from talkjs_async.batch._carrier import BATCH, Outcome, carry, is_odd, noted
from talkjs_async.batch._charges import both, charges_of, pay_for_each
from talkjs_async.batch._encoding import MOST_OPERATIONS, OperationAnswer, check_batchable
from talkjs_async.errors import TalkJSError
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
        checked_flag("return_exceptions", return_exceptions)
        operations = [_Operation(call, CallHistory(call)) for call in calls]
        portions = [
            operations[start : start + MOST_OPERATIONS]
            for start in range(0, len(operations), MOST_OPERATIONS)
        ]
        waiting = iter(portions)
        # Which of them may be repeated is decided for each; what arrives at the loop may be.
        began = self._pipeline.begin(BATCH)
        if len(portions) <= 1:
            await self._work(waiting, began)
        else:
            try:
                async with anyio.create_task_group() as tasks:
                    for _ in range(min(AT_ONCE, len(portions))):
                        tasks.start_soon(self._work, waiting, began)
            except BaseExceptionGroup as several:
                # A hook that exits, say: it comes out as it does of a single call.
                raise first_of(several) from None
        results = tuple(operation.result() for operation in operations)
        if not return_exceptions:
            for result in results:
                if isinstance(result, TalkJSError):
                    raise result
        return results

    async def _work(self, waiting: Iterator[list[_Operation]], began: RetryState) -> None:
        for operations in waiting:
            with stray_cancellation_fails("A batch"):
                await self._send(operations, attrs.evolve(began, history=CallHistory(BATCH)))

    async def _send(self, operations: list[_Operation], retry_state: RetryState) -> None:
        """Send up to ten operations until each has succeeded or failed for good."""
        broken: Exception | None = None

        async def attempt() -> None:
            nonlocal broken
            try:
                await self._try([each for each in operations if each.pending], retry_state)
            except Exception as error:  # noqa: BLE001 - an *auth* of the user's may raise anything
                broken = error
                return
            again = [
                each.outcome
                for each in operations
                if each.pending and isinstance(each.outcome, TalkJSError)
            ]
            if again:
                # A copy: what the loop notes in it is not about one of the calls.
                raise copy(max(again, key=lambda error: error.retry_after or 0.0))

        # When the policy ends it, each operation knows its own failure.
        with contextlib.suppress(TalkJSError):
            await self._pipeline.persist(BATCH, retry_state, attempt)
        if broken is not None and not _keep(operations, broken):
            raise broken

    async def _try(self, operations: list[_Operation], retry_state: RetryState) -> None:
        """Send the operations once and note what became of each."""
        pipeline = self._pipeline
        calls = [each.call for each in operations]
        acquire = partial(self._acquire, operations, retry_state)
        try:
            outcomes = await carry(pipeline, calls, retry_state, acquire)
        except _Expired:
            rest = [each for each in operations if each.pending]
            if rest:
                await self._try(rest, retry_state)
            return
        for index, each in enumerate(operations):
            if outcomes is None:
                await self._send_alone(each, retry_state)
            else:
                each.note(outcomes[index], pipeline.retry)

    async def _acquire(self, operations: list[_Operation], retry_state: RetryState) -> Permit:
        """Wait for the permit of a batch, and for those of its operations if they need some."""
        pipeline = self._pipeline
        asked = pipeline.clock.monotonic()

        def left() -> float | None:
            waited = pipeline.clock.monotonic() - asked
            own = None if pipeline.max_wait is None else max(pipeline.max_wait - waited, 0.0)
            return retry_state.left(own)

        # In this order: a call that waits for a batch holds nothing that others could use.
        permit = await pipeline.acquire(pipeline.limiters["batch"], retry_state)
        try:
            if self._charges.each:
                ordinary = pipeline.limiters["ordinary"]
                paid = pay_for_each(ordinary, len(operations), lane=pipeline.lane, left=left)
                if ordinary is pipeline.limiters["batch"]:
                    # One limiter for both: several batches that hold a slot each, and wait for
                    # another, would wait for each other for ever.
                    permit.settle()
                    permit = await paid
                else:
                    permit = both(permit, await paid)
            _begin(operations, pipeline.clock.monotonic())
        except BaseException:
            permit.refund()
            raise
        return permit

    async def _send_alone(self, operation: _Operation, retry_state: RetryState) -> None:
        pipeline, call = self._pipeline, operation.call
        own = attrs.evolve(retry_state, history=operation.history, queued=0.0)
        operation.pending = False
        operation.history.take_back()
        try:
            answer = await pipeline.persist(call, own, pipeline.sender(call, own))
            operation.outcome = OperationAnswer(200, pipeline.data(call, answer))
        except TalkJSError as failure:
            operation.outcome = failure


class _Expired(Exception):
    """An operation was granted its permit so late that a repeat would not be recognised."""


def _begin(operations: list[_Operation], now: float) -> None:
    """Count an attempt of each operation."""
    for each in operations:
        if each.history.has_expired(now):
            each.outcome, each.pending = each.history.expiry(), False
    if not all(each.pending for each in operations):
        raise _Expired
    for each in operations:
        each.history.begin(now)


def _keep(operations: list[_Operation], error: Exception) -> bool:
    """
    Keep what became of operations when their repeat failed with an *error* that is not ours.

    Returns:
        Whether any of them was carried out, or may have been. If not, the error goes to the caller.
    """
    kept = any(
        each.history.maybe_done or isinstance(each.outcome, OperationAnswer) for each in operations
    )
    for each in operations if kept else ():
        if not each.pending:
            continue
        if each.history.maybe_done:
            each.outcome = each.history.lost(error)
        elif isinstance(each.outcome, TalkJSError):
            each.outcome.__cause__ = error
    return kept


@attrs.define
class _Operation:
    call: Call[Any]
    history: CallHistory
    pending: bool = True
    outcome: Outcome | None = None

    def note(self, outcome: Outcome, policy: RetryPolicy) -> None:
        """Take in how an attempt ended, and decide whether there is another one."""
        self.outcome = outcome = noted(outcome, self.history)
        self.pending = (
            isinstance(outcome, TalkJSError)
            and policy.allows(outcome, idempotent=self.call.idempotent)
            and not is_odd(outcome)
        )

    def result(self) -> Any:
        if not isinstance(self.outcome, OperationAnswer):
            return self.outcome and self.history.verdict(self.outcome)
        try:
            return self.outcome.result_of(self.call)
        except TalkJSError as error:
            return error
