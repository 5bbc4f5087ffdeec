"""
Ten calls become one request, and its answer becomes theirs. Pure.

Source: TalkJS documentation, REST API, Batch (read 2026-11-22): at most 10 operations `[number,
method, path, payload?, options?]`, in any order; answers `[number, status, body]`; a budget of its
own.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, Final, TypeVar

import attrs

from talkjs_async._core import codec
from talkjs_async._core.call import Call
from talkjs_async._core.classify import NO_CONTENT, classify
from talkjs_async._core.wire import TOO_DEEP
from talkjs_async.errors import (
    APIError,
    ConfigurationError,
    DecodeError,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    TalkJSError,
    TransportError,
    Unauthorized,
    UnknownApp,
)
from talkjs_async.models._field_types import mismatch

T = TypeVar("T")

MOST_OPERATIONS: Final = 10
"""Documented; the eleventh makes TalkJS refuse them all."""

FIRST_FINAL: Final = 200
"""A lower status is interim (RFC 9110), or not a status."""


@attrs.define
class OperationAnswer:
    """
    TalkJS's answer to one operation.

    Attributes:
        status: As if it had been a request of its own.
        data: Parsed JSON.
        headers: Of the answer to the batch.
    """

    status: int
    data: Any
    headers: Mapping[str, str] = attrs.field(factory=dict, eq=False)

    def result_of(self, call: Call[T]) -> T:
        """
        Decode the result of the operation's *call*.

        Raises:
            DecodeError: It is not what the API promises.
        """
        try:
            return call.result(self.data)
        except DecodeError as error:
            error.status, error.headers = self.status, self.headers
            raise


def check_batchable(calls: Sequence[Call[Any]]) -> None:
    """
    Refuse what a batch cannot carry.

    Raises:
        ConfigurationError: A value is not a call; or a call uploads a file, is a batch itself, does
            not belong to an app, has a query and is not a GET, or has a body without a JSON form.
    """
    for index, call in enumerate(calls):
        if not isinstance(call, Call):
            for each in calls:
                if isinstance(each, Coroutine):
                    # None of them will run: this spares a warning for each.
                    each.close()
            way_out = (
                "give calls one by one, as in batch(*calls)."
                if isinstance(call, list | tuple)
                else 'write call_of(talkjs.users.get, "alice") for talkjs.users.get("alice").'
            )
            raise ConfigurationError(
                f"calls[{index}]", f"must be a Call, not {type(call).__name__}: {way_out}"
            )
        if not call.batchable or (call.query and call.method != "GET"):
            raise ConfigurationError(
                f"calls[{index}]",
                f"{call.method} {call.path} cannot be part of a batch: send it by itself.",
            )
        try:
            codec.encode(call.body)
        except ConfigurationError as error:
            # Or the others of its request would fail with it.
            raise ConfigurationError(f"calls[{index}]", str(error)) from None


def encode(
    calls: Sequence[Call[Any]], *, api_version: str | None = None
) -> Call[tuple[OperationAnswer | None, ...]]:
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
        names=partial(_names, calls) if any(call.names for call in calls) else None,
        # The array of answers, and each of them.
        cut=2,
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


def _read_replies(count: int, data: Any) -> tuple[OperationAnswer | None, ...]:
    if not isinstance(data, list):
        raise mismatch("an array", data)
    replies: dict[float, OperationAnswer | None] = {}
    for entry in data:
        match entry:
            # Two values are no numbers, though Python takes them for such.
            case [bool(), *_] | [_, bool(), *_]:
                pass
            case [int() | float() as number, int() as status, *body] if status >= FIRST_FINAL:
                if not body:
                    body = [None if status in NO_CONTENT else {}]
                reply = OperationAnswer(status, body[0])
                # Of two answers that differ, either may be the wrong one.
                same = number not in replies or replies[number] == reply
                replies[number] = reply if same else None
    return tuple(replies.get(number) for number in range(count))


def _names(calls: Sequence[Call[Any]], data: Any) -> bool | None:
    """
    Tell whether any of *calls* finds the record that it asked for: the others show a server that
    is odd. If none does, it is the answer to another batch, and says nothing of any call.
    """
    if not isinstance(data, list):
        return None
    named = [
        call.names(reply.data)
        for call, reply in zip(calls, _read_replies(len(calls), data), strict=True)
        if call.names is not None and reply is not None and 200 <= reply.status < 300
    ]
    return True if True in named else False if False in named else None


def outcome_of(call: Call[Any], reply: OperationAnswer | None) -> OperationAnswer | TalkJSError:
    """
    Say what became of one call of a batch.

    Args:
        call: The call.
        reply: TalkJS's answer to it. None: there was none.

    Returns:
        *reply* if nothing went wrong: `call.result(reply.data)` is the result then.
    """
    if reply is None:
        return OutcomeUnknown(
            "the answer to the batch does not tell of it.", method=call.method, path=call.path
        )
    if 200 <= reply.status < 300:
        if call.names is not None and call.names(reply.data) is False:
            return OutcomeUnknown(
                f"TalkJS answered {reply.status}, but it is about another record",
                method=call.method,
                path=call.path,
                status=reply.status,
            )
        return reply
    return classify(
        status=reply.status,
        body=_encoded(reply.data),
        retry_after=None,
        method=call.method,
        path=call.path,
    )


def _encoded(data: Any) -> bytes:
    # Nested as deep as that, it holds nothing that could be told.
    if data is TOO_DEEP:
        return b""
    try:
        return json.dumps(data).encode()
    except RecursionError:
        return b""


def is_refused(error: TalkJSError) -> bool:
    """
    Tell whether *error* refuses the batch itself, which says nothing about the calls in it.

    A proxy that does not let `POST /batch` through, or a plan without it, is no reason for a call
    to fail. A wrong key and an unknown app are.
    """
    return isinstance(error, APIError) and not isinstance(
        error, RateLimited | ServerError | Unauthorized | UnknownApp
    )


def failure_for(call: Call[Any], error: TalkJSError) -> TalkJSError:
    """Tell one call that the whole batch failed: an error of its own, about itself."""
    if isinstance(error, DecodeError) and call.method != "GET":
        own: TalkJSError = OutcomeUnknown(
            f"the answer to the batch that carried it cannot be read ({error}).",
            method=call.method,
            path=call.path,
        )
    else:
        own = copy(error)
    if isinstance(own, APIError | TransportError):
        own.method, own.path = call.method, call.path
    own.headers = error.headers
    own.__cause__ = error
    return own
