"""
Many calls in one request.

`encode` and `failure_of` are pure: ten calls become one, and its answer becomes theirs. `Batch`
sends: it cuts the calls into tens and repeats each on its own where that is safe.

Source: TalkJS documentation, REST API, Batch (read 2026-11-22): at most 10 operations `[number,
method, path, payload?, options?]`, in any order; answers `[number, status, body]`; a budget of its
own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import copy
from functools import partial
from typing import Any, Final, Literal, TypeVar, overload

import anyio
import attrs

from talkjs_async._core.call import Call, nothing
from talkjs_async._core.classify import classify
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import Patience
from talkjs_async.batch._charges import PayingForEach, charges_of
from talkjs_async.errors import (
    APIError,
    ConfigurationError,
    OutcomeUnknown,
    TalkJSError,
    TransportError,
)
from talkjs_async.models._field_types import mismatch

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")

MOST_OPERATIONS: Final = 10
"""Documented; the eleventh makes TalkJS refuse them all."""

AT_ONCE: Final = 20
"""Requests of one `batch` that are queued or on their way: the rest of the calls just waits."""

_POST: Final = Call(method="POST", path="/batch", decode=nothing)
"""What the events of a batch are about."""


@attrs.frozen
class Reply:
    """
    TalkJS's answer to one operation.

    Attributes:
        status: As if it had been a request of its own.
        data: Parsed JSON.
    """

    status: int
    data: Any


def check_batchable(calls: Sequence[Call[Any]]) -> None:
    """
    Refuse what a batch cannot carry.

    Raises:
        ConfigurationError: A call is none, uploads a file, is a batch itself, does not belong to an
            app, or has a query without being a GET.
    """
    for index, call in enumerate(calls):
        if not isinstance(call, Call):
            raise ConfigurationError(
                f"calls[{index}]",
                f"must be made by call_of(method, ...), not {type(call).__name__}.",
            )
        if not call.batchable or (call.query and call.method != "GET"):
            raise ConfigurationError(
                f"calls[{index}]",
                f"{call.method} {call.path} cannot be part of a batch: send it by itself.",
            )


def encode(
    calls: Sequence[Call[Any]], *, api_version: str | None = None
) -> Call[tuple[Reply | None, ...]]:
    """
    Make one call of up to ten.

    Args:
        calls: They must be batchable.
        api_version: Of calls that have none of their own. Which version an operation has whose
            batch was sent with the header is not documented, so each says it for itself.

    Returns:
        A call whose result has a reply for each of *calls*, in their order; None where TalkJS said
        nothing of it.
    """
    return Call(
        method="POST",
        path="/batch",
        body=[_operation(index, call, api_version) for index, call in enumerate(calls)],
        decode=partial(_read_replies, len(calls)),
        idempotent=all(call.idempotent for call in calls),
        repeatable_for=min(call.repeatable_for for call in calls),
        bucket="batch",
        batchable=False,
    )


def _operation(number: int, call: Call[Any], api_version: str | None) -> list[Any]:
    payload = call.query if call.method == "GET" else call.body
    operation: list[Any] = [number, call.method, call.path or "/"]
    version = call.api_version or api_version
    if version is not None:
        # The options come fifth, so there must be a fourth (inferred).
        return [*operation, payload or {}, {"api_version": version}]
    return operation if payload is None or payload == {} else [*operation, payload]


def _read_replies(count: int, data: Any) -> tuple[Reply | None, ...]:
    if not isinstance(data, list):
        raise mismatch("an array", data)
    replies: dict[float, Reply] = {}
    for entry in data:
        match entry:
            case [int() | float() as number, int() as status, *body]:
                replies[number] = Reply(status, body[0] if body else {})
    return tuple(replies.get(number) for number in range(count))


def failure_of(call: Call[Any], reply: Reply | None) -> TalkJSError | None:
    """
    Say what went wrong with one call of a batch.

    Args:
        call: The call.
        reply: TalkJS's answer to it. None: there was none, so nobody knows.

    Returns:
        None if nothing went wrong: `call.result(reply.data)` is its result.
    """
    if reply is None:
        return OutcomeUnknown(
            "the answer to the batch does not mention it.", method=call.method, path=call.path
        )
    if reply.status == 200:
        return None
    return classify(
        status=reply.status,
        body=json.dumps(reply.data).encode(),
        retry_after=None,
        method=call.method,
        path=call.path,
    )


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
        patience = Patience(pipeline.retry, pipeline.clock, idempotent=True)

        async def attempt() -> None:
            pending = [operation for operation in operations if operation.pending]
            await self._try(pending, patience)
            again = [
                operation.failure
                for operation in pending
                if operation.pending and operation.failure is not None
            ]
            if again:
                raise max(again, key=lambda error: getattr(error, "retry_after", None) or 0.0)

        try:
            await pipeline.persist(_POST, patience, attempt)
        except TalkJSError:
            # The policy's patience has ended; each operation knows its own failure.
            return

    async def _try(self, operations: list[_Operation], patience: Patience) -> None:
        """Send the operations once and note what became of each."""
        pipeline = self._pipeline
        ordinary = pipeline.limiters["ordinary"]
        call = encode(
            [operation.call for operation in operations], api_version=pipeline.api_version
        )
        paying = None
        if self._charges.each:
            paying = PayingForEach(
                pipeline.limiters["batch"],
                ordinary,
                operations=len(operations),
                clock=pipeline.clock,
            )
            pipeline = attrs.evolve(pipeline, limiters={"batch": paying})
        refused = False
        try:
            answer = await pipeline.sender(call, patience)()
            replies = pipeline.read(call, answer)
            refused = any(reply is not None and reply.status == 429 for reply in replies)
        except TalkJSError as error:
            for operation in operations:
                operation.failed(failure_for(operation.call, error), patience)
            return
        finally:
            if paying is not None:
                paying.end(refused=refused)
        if refused:
            await self._charges.refused(ordinary)
        for operation, reply in zip(operations, replies, strict=True):
            failure = failure_of(operation.call, reply)
            if failure is None:
                operation.reply, operation.pending = reply, False
            else:
                patience.failed(failure)
                operation.failed(failure, patience)


@attrs.define
class _Operation:
    call: Call[Any]
    pending: bool = True
    reply: Reply | None = None
    failure: TalkJSError | None = None

    def failed(self, failure: TalkJSError, patience: Patience) -> None:
        self.failure = failure
        self.pending = patience.policy.allows(failure, idempotent=self.call.idempotent)

    def outcome(self) -> Any:
        if self.reply is None:
            return self.failure
        try:
            return self.call.result(self.reply.data)
        except TalkJSError as error:
            return error


def failure_for(call: Call[Any], error: TalkJSError) -> TalkJSError:
    """Tell one call that the whole batch failed: an error of its own, about itself."""
    own = copy(error)
    if isinstance(own, APIError | TransportError):
        own.method, own.path = call.method, call.path
    own.__cause__ = error
    return own
