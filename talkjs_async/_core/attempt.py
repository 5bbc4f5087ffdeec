"""
One attempt of a call: limit -> sign -> send -> classify.

The only place that sends. Knows nothing of what is repeated.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import attrs

from talkjs_async._core import codec
from talkjs_async._core.call import Call, Chunks, Upload, nothing
from talkjs_async._core.classify import NO_CONTENT, classify, shown_headers
from talkjs_async._core.clock import Clock
from talkjs_async._core.credentials import checked_bearer
from talkjs_async._core.retry import RetryState, parse_retry_after
from talkjs_async._core.tasks import OutOfTime, within
from talkjs_async._http.answer import HttpExchange, Unreadable
from talkjs_async._http.connections import Connections
from talkjs_async._http.watch import Terms
from talkjs_async.auth import Auth
from talkjs_async.errors import (
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    OutcomeUnknown,
    TalkJSError,
    TransportError,
    shown,
)
from talkjs_async.limits import Permit
from talkjs_async.telemetry import AttemptEnded, Hook, emit

if TYPE_CHECKING:
    import httpx

Acquire = Callable[[], Awaitable[Permit]]
"""Waits for the permit of one attempt."""

_CLOSING_TAKES_AT_MOST: Final = 5.0
"""Seconds that the source of an upload has for letting go, also when the call was cancelled."""


@attrs.frozen(kw_only=True)
class Attempts:
    """
    What attempts need, and what they do. See `Pipeline` for the attributes.
    """

    headers: tuple[tuple[bytes, bytes], ...]
    auth: Auth | None
    api_version: str | None
    connections: Connections
    clock: Clock
    timeout: dict[str, float | None]
    terms: Terms
    total_timeout: float | None
    hooks: Sequence[Hook]

    async def attempt(
        self, call: Call[Any], url: str, body: bytes, retry_state: RetryState, acquire: Acquire
    ) -> bytes:
        status: int | None = None
        failure: TalkJSError | None = None
        chunks: Chunks | None = None
        begun = succeeded = False
        asked = granted = self.clock.monotonic()
        permit = checked_permit(await acquire())
        # Nothing runs between the grant and this `try`, which owns the permit. Until the request
        # has left, the token goes back unused.
        end_permit: Callable[[], None] = permit.refund
        try:
            granted = self.clock.monotonic()
            retry_state.check_leaving()
            retry_state.begin(granted - asked)
            begun = True
            if call.upload is not None:
                chunks = call.upload.open()
            async with self._borrow(retry_state) as http:
                # Signed after the waits: 10 000 calls at 9/s queue for 17 minutes, and a
                # token lives 30 s.
                request = self._request(call, url, chunks or body, retry_state)
                end_permit = permit.settle
                exchange = self.connections.exchange(http, request)
                try:
                    answer = await self._answer(call, exchange, request, granted, retry_state)
                except (TransportError, DecodeError) as error:
                    failure = error
                    if isinstance(error, ConnectFailed):
                        end_permit = permit.refund
                    raise
                # The status counts from here on, whatever becomes of the body.
                status = answer.status_code
                retry_after = parse_retry_after(
                    answer.headers.get("retry-after"), now=self.clock.time()
                )
                if status == 429:
                    end_permit = partial(permit.throttled, retry_after)
                content, trouble = await _content(exchange, answer)
                if 200 <= status < 300:
                    failure = _success_without_result(call, status, content, trouble)
                    if failure is not None:
                        # In here, so that it costs the connection.
                        raise failure
                    succeeded = True
                    return b"null" if status in NO_CONTENT else content
            failure = classify(
                status=status,
                body=content,
                retry_after=retry_after,
                method=call.method,
                path=call.path,
            )
            if retry_state.history.is_success(failure):
                succeeded = True
                return b"{}"
            raise failure
        finally:
            end_permit()
            if failure is not None:
                _note_failure(retry_state, failure, status)
            if chunks is not None:
                await _close(chunks)
            if begun and self.hooks:
                how = None if succeeded else failure or sys.exception()
                self._announce(call, retry_state, status, how, asked, granted)

    def _borrow(self, retry_state: RetryState) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        loan = self.connections.borrow()
        return loan if self.total_timeout is None else _InTime(loan, retry_state)

    async def _answer(
        self,
        call: Call[Any],
        exchange: HttpExchange,
        request: httpx.Request,
        since: float,
        retry_state: RetryState,
    ) -> httpx.Response:
        engine = self.connections.engine
        try:
            answer = await exchange.answer()
        except engine.exceptions as error:
            raise engine.translate(
                error,
                method=call.method,
                path=call.path,
                url=request.url,
                seconds=self.clock.monotonic() - since,
            ) from error
        except DecodeError as error:
            error.method, error.path = call.method, call.path
            raise
        retry_state.answered = answer.status_code, answer.headers
        return answer

    def _request(
        self,
        call: Call[Any],
        url: str,
        body: bytes | Chunks,
        retry_state: RetryState,
    ) -> httpx.Request:
        engine = self.connections.engine
        headers = list(self.headers)
        if self.auth is not None:
            bearer = checked_bearer(self.auth.bearer(self.clock.time()))
            headers.append((b"Authorization", b"Bearer " + bearer.encode()))
        version = call.api_version or self.api_version
        if version is not None:
            headers.append((b"TalkJS-REST-Version", version.encode()))
        if call.upload is not None:
            headers += _headers_of(call.upload)
        elif call.method != "GET":
            headers.append((b"Content-Type", b"application/json"))
        terms = self.terms if call.upload is None else self.terms._replace(restarts=True)
        timeout = self.timeout
        if self.total_timeout is not None:
            timeout = {step: retry_state.left(seconds) for step, seconds in timeout.items()}
            terms = terms._replace(
                seconds=retry_state.left(terms.seconds) or 0.0,
                in_all=retry_state.left(None) or 0.0,
            )
            if not isinstance(body, bytes):
                body = _Timely(body, retry_state)
        extensions = {"timeout": timeout, "terms": terms}
        request = engine.Request(
            call.method, url, headers=headers, content=body, extensions=extensions
        )
        if call.upload is not None:
            request.stream = engine.stream_of(body)
        return request

    def _announce(
        self,
        call: Call[Any],
        retry_state: RetryState,
        status: int | None,
        how: BaseException | None,
        asked: float,
        granted: float,
    ) -> None:
        event = AttemptEnded(
            method=call.method,
            path=call.path,
            attempt=retry_state.history.attempts,
            status=status,
            error=_told(how),
            waited=granted - asked,
            elapsed=self.clock.monotonic() - granted,
            headers={} if status is None else headers_told(retry_state),
        )
        emit(self.hooks, event)


def _told(error: BaseException | None) -> str | None:
    """Say in an event how an attempt ended. Cancellations are no `Exception`, on either loop."""
    if error is None:
        return None
    return type(error).__name__ if isinstance(error, Exception) else "Cancelled"


@attrs.frozen
class _InTime:
    """Waits for a connection, for as long as the call may take in all."""

    loan: AbstractAsyncContextManager[httpx.AsyncClient]
    retry_state: RetryState

    async def __aenter__(self) -> httpx.AsyncClient:
        state = self.retry_state
        try:
            return await within(state.clock, state.left(None), self.loan.__aenter__)
        except OutOfTime:
            raise state.out_of_time(sent=False) from None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self.loan.__aexit__(kind, error, traceback)


@attrs.frozen
class _Timely:
    """The pieces of an upload, which come no later than its call may take in all."""

    pieces: Chunks
    retry_state: RetryState

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        state = self.retry_state
        try:
            return await within(state.clock, state.left(None), self.pieces.__anext__)
        except OutOfTime:
            # What goes before the first piece has left.
            raise state.out_of_time(sent=True) from None

    async def aclose(self) -> None:
        await self.pieces.aclose()


def checked_permit(permit: Permit) -> Permit:
    """Return *permit*, which a limiter of a user's may have made."""
    if not isinstance(permit, Permit):
        raise ConfigurationError(
            "budgets", f"has a limiter that returns {shown(permit)} where a Permit is due."
        )
    return permit


async def _close(chunks: Chunks) -> None:
    with anyio.move_on_after(_CLOSING_TAKES_AT_MOST, shield=True):
        await chunks.aclose()


def headers_told(retry_state: RetryState) -> dict[str, str]:
    """Choose what errors and events show of the latest answer's headers. Empty: there was none."""
    answered = retry_state.answered
    return {} if answered is None else shown_headers(answered[1].items())


def _note_failure(retry_state: RetryState, failure: TalkJSError, status: int | None) -> None:
    if status is not None:
        tell_answer(failure, retry_state)
    retry_state.history.failed(failure)


def tell_answer(error: TalkJSError, retry_state: RetryState) -> None:
    """Give *error* what support asks for: the status and the headers of the answer."""
    error.headers = headers_told(retry_state)
    if isinstance(error, DecodeError) and retry_state.answered is not None:
        error.status = retry_state.answered[0]


def _headers_of(upload: Upload) -> list[tuple[bytes, bytes]]:
    headers = [(b"Content-Type", upload.content_type.encode())]
    if upload.length is not None:
        # Without it, both libraries send chunks.
        headers.append((b"Content-Length", str(upload.length).encode()))
    return headers


async def _content(
    exchange: HttpExchange, answer: httpx.Response
) -> tuple[bytes, Unreadable | DecodeError | None]:
    """Read the body, or return why it cannot be: that decides nothing about an error status."""
    try:
        return await exchange.body(answer), None
    except (Unreadable, DecodeError) as trouble:
        return b"", trouble


def _success_without_result(
    call: Call[Any], status: int, content: bytes, trouble: Unreadable | DecodeError | None
) -> TalkJSError | None:
    """Say why a 2xx has not the result that *call* is for. None: it has, or needs none."""
    if call.decode is nothing or not call.needs_answer:
        return None
    if isinstance(trouble, DecodeError):
        trouble.method, trouble.path = call.method, call.path
        return trouble
    if trouble is not None:
        why = f"its body cannot be read ({trouble})"
    elif call.names is not None and call.names(codec.lenient(content)) is False:
        why = "it is about another record"
    else:
        return None
    failure = OutcomeUnknown(
        f"TalkJS answered {status}, but {why}", method=call.method, path=call.path, status=status
    )
    failure.__cause__ = trouble
    return failure
