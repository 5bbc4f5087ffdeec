"""
The road of one call: retry( limit -> sign -> send -> classify ) -> decode.

What stands inside the brackets is an attempt, in a module of its own. The order of the steps is
explained, with its reasons, in `docs/explanation/road-of-a-call.md`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import attrs

from talkjs_async._core import codec
from talkjs_async._core.attempt import Acquire, Attempts, tell_answer
from talkjs_async._core.call import Bucket, Call, Lane, nothing, target
from talkjs_async._core.history import CallHistory
from talkjs_async._core.retry import RetryPolicy, RetryState
from talkjs_async.errors import DecodeError, TalkJSError
from talkjs_async.limits import Limiter, Permit
from talkjs_async.telemetry import RetryScheduled, emit

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Pipeline(Attempts):
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
    limiters: dict[Bucket, Limiter]
    retry: RetryPolicy
    lane: Lane
    max_wait: float | None
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
        return self.read(call, answer, retry_state)

    def begin(self, call: Call[Any]) -> RetryState:
        """Start the clock of a call, and count its attempts from here on."""
        total = math.inf if self.total_timeout is None else self.total_timeout
        ends_at = self.clock.monotonic() + total
        return RetryState(self._policy(call), self.clock, CallHistory(call), ends_at, total)

    def sender(
        self, call: Call[Any], retry_state: RetryState, acquire: Acquire | None = None
    ) -> Callable[[], Awaitable[bytes]]:
        """
        Make the function that sends *call* once.

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
        return partial(self.attempt, call, url, body, retry_state, acquire)

    async def acquire(self, limiter: Limiter, retry_state: RetryState) -> Permit:
        """Wait for a permit, for as long as the options allow."""
        return await limiter.acquire(lane=self.lane, max_wait=retry_state.left(self.max_wait))

    def _policy(self, call: Call[Any]) -> RetryPolicy:
        if call.upload is None or call.upload.replayable:
            return self.retry
        return attrs.evolve(self.retry, attempts=1)

    def read(self, call: Call[T], answer: bytes, retry_state: RetryState) -> T:
        """
        Decode the body of a success, the latest answer of *retry_state*.

        Raises:
            DecodeError: It is not what the API promises.
        """
        try:
            return call.result(self.data(call, answer))
        except DecodeError as error:
            tell_answer(error, retry_state)
            raise

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
            return codec.decode_cut(answer, call.cut) if call.cut else codec.decode(answer)
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
        except Exception as error:
            # Of code of the user's, such as an *auth*. What may be done by now goes before it.
            if retry_state.history.maybe_done:
                raise retry_state.history.lost(error) from error
            raise

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
        except Exception as error:
            if retry_state.history.maybe_done:
                raise retry_state.history.lost(error) from error
            raise
        return result

    def _announce_retry(self, call: Call[Any], retry_state: RetryState, state: Any) -> None:
        event = RetryScheduled(
            method=call.method,
            path=call.path,
            attempt=retry_state.history.attempts,
            delay=state.upcoming_sleep,
            error=type(state.outcome.exception()).__name__,
        )
        emit(self.hooks, event)
