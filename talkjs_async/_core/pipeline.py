"""
The road of one call: retry( limit -> sign -> send -> classify ) -> decode.

The only place that sends. The order of the steps is explained, with its reasons, in
`docs/explanation/road-of-a-call.md`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import attrs

from talkjs_async._core import codec
from talkjs_async._core.call import Bucket, Call, Chunks, Lane, Upload, nothing, target
from talkjs_async._core.classify import classify, shown_headers
from talkjs_async._core.clock import Clock
from talkjs_async._core.history import CallHistory
from talkjs_async._core.retry import RetryPolicy, RetryState, parse_retry_after
from talkjs_async._http.answer import HttpExchange, Unreadable
from talkjs_async._http.connections import Connections
from talkjs_async._http.engine import Engine
from talkjs_async._http.watch import Terms
from talkjs_async.auth import Auth
from talkjs_async.errors import (
    ConnectFailed,
    DecodeError,
    OutcomeUnknown,
    TalkJSError,
    TransportError,
)
from talkjs_async.limits import Limiter, Permit
from talkjs_async.telemetry import AttemptEnded, Hook, RetryScheduled, emit

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

Acquire = Callable[[], Awaitable[Permit]]
"""Waits for the permit of one attempt."""

_NO_CONTENT = frozenset({204, 205})
"""Successes that have no body. What reads an answer is given null."""

_CLOSING_TAKES_AT_MOST = 5.0
"""Seconds that the source of an upload has for letting go, also when the call was cancelled."""


@attrs.frozen(kw_only=True)
class Pipeline:
    """
    Sends calls for one app, with one set of options.

    Derived pipelines (`attrs.evolve`) share connections, limiters and signer.

    Attributes:
        root: URL of the app, `https://api.talkjs.com/v1/{appId}`.
        headers: What every request carries, besides its credential and version.
        auth: None sends no credential.
        api_version: Of calls that have none of their own. None: TalkJS's choice.
        limiters: The budget of each bucket.
        timeout: Seconds that connecting, and each read or write, may take; httpx's four names.
        terms: What the answer to one attempt may take, in seconds and bytes.
        lane, max_wait: How to queue for the budget.
        total_timeout: Seconds that a call may take in all: waits, attempts and pauses.
        kept: What must live as long as a call runs, though its client may be gone.
    """

    root: str
    headers: tuple[tuple[bytes, bytes], ...]
    auth: Auth | None
    api_version: str | None
    limiters: dict[Bucket, Limiter]
    connections: Connections
    clock: Clock
    retry: RetryPolicy
    timeout: dict[str, float | None]
    terms: Terms
    lane: Lane
    max_wait: float | None
    total_timeout: float | None
    hooks: Sequence[Hook]
    kept: object = None

    async def run(self, call: Call[T], /) -> T:
        """
        Send *call*, repeating it where that is safe, and decode the answer.

        Raises:
            TalkJSError: Whatever goes wrong; see the tree in `talkjs_async.errors`.
        """
        retry_state = self.begin(call)
        answer = await self.persist(call, retry_state, self.sender(call, retry_state))
        # Outside the retry: a 200 whose body reads oddly must never send a message again.
        try:
            return self.read(call, answer)
        except DecodeError as error:
            _tell_answer(error, retry_state)
            raise

    def begin(self, call: Call[Any]) -> RetryState:
        """Start the clock of a call, and count its attempts from here on."""
        now = self.clock.monotonic()
        ends_at = math.inf if self.total_timeout is None else now + self.total_timeout
        return RetryState(self._policy(call), self.clock, CallHistory(call), ends_at)

    def sender(
        self, call: Call[Any], retry_state: RetryState, acquire: Acquire | None = None
    ) -> Callable[[], Awaitable[bytes]]:
        """
        Make the function that sends *call* once: limit, sign, send, classify.

        It returns the body of the success. *retry_state* is told how each use of it ended.

        Args:
            call: What to send.
            retry_state: Of this use of the retry policy.
            acquire: Where the permits come from. None: the budget of the call.

        Raises:
            ConfigurationError: The call cannot be sent at all.
        """
        # Encoded once, so that every attempt sends the same bytes.
        url = self.root + target(call)
        body = b"" if call.body is None else codec.encode(call.body)
        acquire = acquire or partial(self.acquire, self.limiters[call.bucket], retry_state)
        return partial(self._attempt, call, url, body, retry_state, acquire)

    async def acquire(self, limiter: Limiter, retry_state: RetryState) -> Permit:
        """Wait for a permit, for as long as the options allow."""
        return await limiter.acquire(lane=self.lane, max_wait=retry_state.left(self.max_wait))

    def _policy(self, call: Call[Any]) -> RetryPolicy:
        if call.upload is None or call.upload.replayable:
            return self.retry
        return attrs.evolve(self.retry, attempts=1)

    def read(self, call: Call[T], answer: bytes) -> T:
        """
        Decode the body of a success.

        Raises:
            DecodeError: It is not what the API promises.
        """
        return call.result(self.data(call, answer))

    def data(self, call: Call[Any], answer: bytes) -> Any:
        """
        Parse the body of a success, if its call looks at it at all.

        Raises:
            DecodeError: It is not JSON.
        """
        if call.decode is nothing:
            return None
        if not call.needs_answer:
            return codec.lenient(answer)
        try:
            return codec.decode(answer)
        except DecodeError as error:
            error.method, error.path = call.method, call.path
            error.maybe_done = call.method != "GET"
            raise

    async def persist(
        self, call: Call[Any], retry_state: RetryState, attempt: Callable[[], Awaitable[T]]
    ) -> T:
        """
        Repeat *attempt* for as long as the policy allows.

        Args:
            call: What it is about, for the events.
            retry_state: New for each use; *attempt* keeps the count in it.
            attempt: Raises what went wrong.
        """
        try:
            return await attempt()
        except TalkJSError as error:
            if not retry_state.allows(error):
                raise
            failure: TalkJSError | None = error

        async def again() -> T:
            nonlocal failure
            if failure is not None:
                # The first attempt is over: tenacity, loaded only now, is told how it ended.
                error, failure = failure, None
                raise error
            return await attempt()

        retrying = retry_state.retrying()
        if self.hooks:
            retrying.before_sleep = partial(self._announce_retry, call, retry_state)
        try:
            result: T = await retrying(again)
        except TalkJSError as error:
            verdict = retry_state.history.verdict(error)
            if verdict is error:
                raise
            raise verdict from error
        return result

    async def _attempt(
        self, call: Call[Any], url: str, body: bytes, retry_state: RetryState, acquire: Acquire
    ) -> bytes:
        status: int | None = None
        failure: TalkJSError | None = None
        chunks: Chunks | None = None
        begun = succeeded = False
        asked = granted = self.clock.monotonic()
        permit = await acquire()
        # Nothing runs between the grant and this `try`, which owns the permit. Until the request
        # has left, the token goes back unused.
        end_permit: Callable[[], None] = permit.refund
        try:
            granted = self.clock.monotonic()
            retry_state.check_repeatable()
            retry_state.begin(granted - asked)
            begun = True
            if call.upload is not None:
                chunks = call.upload.open()
            engine = self.connections.engine
            async with self.connections.borrow() as http:
                # Signed after the waits: 10 000 calls at 9/s queue for 17 minutes, and a
                # token lives 30 s.
                request = self._request(call, url, chunks or body, engine, retry_state)
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
                    return b"null" if status in _NO_CONTENT else content
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
                how = None if succeeded else failure or "Cancelled"
                self._announce(call, retry_state, status, how, asked, granted)

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
        engine: Engine,
        retry_state: RetryState,
    ) -> httpx.Request:
        headers = list(self.headers)
        if self.auth is not None:
            bearer = self.auth.bearer(self.clock.time())
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
            terms = terms._replace(seconds=retry_state.left(terms.seconds) or 0.0)
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
        how: TalkJSError | str | None,
        asked: float,
        granted: float,
    ) -> None:
        event = AttemptEnded(
            method=call.method,
            path=call.path,
            attempt=retry_state.history.attempts,
            status=status,
            error=type(how).__name__ if isinstance(how, TalkJSError) else how,
            waited=granted - asked,
            elapsed=self.clock.monotonic() - granted,
            headers={} if status is None else _headers_told(retry_state),
        )
        emit(self.hooks, event)

    def _announce_retry(self, call: Call[Any], retry_state: RetryState, state: Any) -> None:
        event = RetryScheduled(
            method=call.method,
            path=call.path,
            attempt=retry_state.history.attempts,
            delay=state.upcoming_sleep,
            error=type(state.outcome.exception()).__name__,
        )
        emit(self.hooks, event)


async def _close(chunks: Chunks) -> None:
    with anyio.move_on_after(_CLOSING_TAKES_AT_MOST, shield=True):
        await chunks.aclose()


def _headers_told(retry_state: RetryState) -> dict[str, str]:
    answered = retry_state.answered
    return {} if answered is None else shown_headers(answered[1].items())


def _note_failure(retry_state: RetryState, failure: TalkJSError, status: int | None) -> None:
    if status is not None:
        _tell_answer(failure, retry_state)
    retry_state.history.failed(failure)


def _tell_answer(error: TalkJSError, retry_state: RetryState) -> None:
    """Give *error* what support asks for: the status and the headers of the answer."""
    error.headers = _headers_told(retry_state)
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
    elif call.record_id is not None and call.is_of_another(codec.lenient(content)):
        why = "it is about another record"
    else:
        return None
    failure = OutcomeUnknown(
        f"TalkJS answered {status}, but {why}", method=call.method, path=call.path, status=status
    )
    failure.__cause__ = trouble
    return failure
