"""
One exchange: a request goes out, the status comes back, then the body, within bounds.

The decoders of httpx cannot be bounded, so bodies are read as they travel and inflated here, in
steps. Knows HTTP and nothing of TalkJS. Called by the pipeline.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from talkjs_async._core.tasks import stray_cancellation_fails
from talkjs_async._http.engine import Engine
from talkjs_async._http.watch import Terms, too_large
from talkjs_async.errors import TalkJSError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_STEP: Final = 1024 * 1024
"""Bytes inflated at most between two chances for other tasks: some 3 ms."""

_SLICE: Final = 4096
"""Bytes of gzip that are looked at together: what is not used yet is copied with each step."""

_PIECES: Final = 128
"""Pieces read between two such chances: a read may bring thousands of chunks of one byte."""

_GZIP: Final = 16 + zlib.MAX_WBITS

_OURS: Final = frozenset(
    {"authorization", "host", "accept-encoding", "transfer-encoding", "expect", "te"}
)
"""Headers that are never taken over from a client of the user's; nor is any `Content-*`."""


class Unreadable(Exception):
    """A body that was cut short, or is in a coding that was not asked for."""


class HttpExchange:
    """
    One request and its answer.

    Args:
        engine: The library of *client*.
        client: Sends.
        request: Has its `Terms` in `extensions["terms"]`.
        foreign: Whether *client* sends through connections that are not ours: then nothing in them
            watches the deadline, and a cancel scope does.
    """

    __slots__ = (
        "_client",
        "_deadline",
        "_ends_at",
        "_engine",
        "_foreign",
        "_request",
        "_scope",
        "_terms",
    )

    def __init__(
        self, engine: Engine, client: httpx.AsyncClient, request: httpx.Request, *, foreign: bool
    ) -> None:
        self._engine = engine
        self._client = client
        self._request = request
        self._terms: Terms = request.extensions["terms"]
        self._foreign = foreign
        self._scope: anyio.CancelScope | None = None
        self._deadline = self._ends_at = math.inf
        if foreign:
            self._ends_at = anyio.current_time() + self._terms.in_all
        if foreign and self._terms.restarts:
            request.stream = engine.stream_of(_Paced(_pieces_of(request), self.run_clock))
        elif foreign:
            self.run_clock(True)

    def run_clock(self, runs: bool, /) -> None:
        """Restart the time limit for the rest of the exchange, or stop its clock."""
        seconds = self._terms.seconds
        self._deadline = min(anyio.current_time() + seconds, self._ends_at) if runs else math.inf
        if self._scope is not None:
            self._scope.deadline = self._deadline

    async def answer(self) -> httpx.Response:
        """
        Send the request, and return when the status of its answer is there.

        Redirects are answers, and the credential is the request's, whatever the client has been
        told. If a hook of its raises for the status, the answer is what counts.

        Raises:
            Exception: One of `engine.exceptions`.
            DecodeError: What came instead of a status is too large.
        """
        client, module = self._client, self._engine.module
        try:
            return await self._in_time(
                client.send(self._request, stream=True, auth=None, follow_redirects=False)
            )
        except Exception as error:
            if isinstance(error, TalkJSError):
                raise
            if not any(client.event_hooks.values()) or self._is_ours(error):
                if isinstance(error, module.HTTPStatusError):
                    refused: Any = error
                    answer: httpx.Response = refused.response
                    return answer
                raise
            # A hook of the user's, or a request that it made. Whether ours had left is not said.
            raise module.HTTPError(f"{type(error).__name__} in a hook") from error

    def _is_ours(self, error: Any) -> bool:
        """Whether the library says that *error* is about our request."""
        return getattr(error, "_request", None) is self._request

    async def body(self, answer: httpx.Response) -> bytes:
        """
        Read the body, within bounds before and after decoding.

        Raises:
            Unreadable: It is not whole, or in an unknown coding.
            DecodeError: It is too large.
        """
        engine, largest = self._engine, self._terms.largest
        try:
            if answer.is_stream_consumed or answer.is_closed:
                # By a hook, or by a transport that answers from memory. Decoded already.
                content: bytes | None = getattr(answer, "_content", None)
                if content is None:
                    raise Unreadable("a hook has closed it, or read it piece by piece")
                if len(content) > largest:
                    raise too_large(largest)
                return content
            # A connection of ours bounds it by itself. To stop in the middle would leave the
            # library's generators half-way, of which trio warns.
            raw = await self._in_time(_read(answer, largest if self._foreign else math.inf))
        except engine.exceptions as error:
            raise Unreadable(engine.describe(error)) from error
        finally:
            # httpx ties an answer to a stream that is tied to the answer: let go of it, or each
            # call leaves some fifty blocks of memory that only the garbage collector frees.
            answer.stream = self._request.stream
        if len(raw) > largest:
            raise too_large(largest)
        named = answer.headers.get("content-encoding")
        codings = _codings(named) if raw and named else []
        if not codings:
            return raw
        if codings not in (["gzip"], ["x-gzip"]):
            raise Unreadable("a content coding that was not asked for")
        return await inflate(raw, largest)

    async def _in_time(self, step: Awaitable[T]) -> T:
        if not self._foreign:
            return await step
        with (
            anyio.CancelScope(deadline=self._deadline) as self._scope,
            stray_cancellation_fails("The HTTP client"),
        ):
            return await step
        raise self._engine.module.ReadTimeout("too slow", request=self._request)


def _pieces_of(request: Any) -> AsyncIterator[bytes]:
    return aiter(request.stream)


class _Paced:
    """The pieces of an upload; the clock stands still while one is read from where it lies."""

    __slots__ = ("_pieces", "_run_clock")

    def __init__(self, pieces: AsyncIterator[bytes], run_clock: Callable[[bool], None]) -> None:
        self._pieces = pieces
        self._run_clock = run_clock

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._run_clock(False)
        try:
            return await anext(self._pieces)
        finally:
            self._run_clock(True)


def adopt(engine: Engine, client: httpx.AsyncClient, request: httpx.Request) -> None:
    """Add to *request* the headers and parameters of a client of the user's."""
    plain = engine.plain_headers
    for name, value in client.headers.multi_items():
        key = name.lower()
        if key in _OURS or key.startswith("content-") or plain.get(key) == value:
            continue
        if key == "user-agent" or key not in request.headers:
            request.headers[key] = value
    if client.params:
        # Ours win: another limit or cursor would be another page.
        request.url = request.url.copy_with(params=client.params.merge(request.url.params))


def _codings(named: str) -> list[str]:
    """List what was done to a body, in order. "identity" is nothing, and so is an empty entry."""
    return [
        each for each in map(str.strip, named.lower().split(",")) if each not in {"", "identity"}
    ]


async def _read(answer: httpx.Response, largest: float) -> bytes:
    body, pieces = bytearray(), 0
    try:
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > largest:
                raise too_large(largest)
            pieces += 1
            if pieces % _PIECES == 0:
                await checkpoint()
    finally:
        await answer.aclose()
    return bytes(body)


async def inflate(raw: bytes, largest: float) -> bytes:
    """
    Decode gzip, of any number of members, with chances for other tasks.

    Raises:
        Unreadable: It is not gzip, not whole, or something follows it.
        DecodeError: It would be larger than *largest*.

    Source: RFC 1952, section 2.2.
    """
    member = zlib.decompressobj(_GZIP)
    pieces, size, since = [], 0, 0
    try:
        for start in range(0, len(raw), _SLICE):
            rest, is_full = raw[start : start + _SLICE], False
            while rest or is_full:
                if member.eof:
                    member = zlib.decompressobj(_GZIP)
                # One byte above the bound is enough to know.
                most = int(min(_STEP, largest - size + 1))
                piece = member.decompress(rest, most)
                rest = member.unused_data if member.eof else member.unconsumed_tail
                is_full = len(piece) == most and not member.eof
                size += len(piece)
                if size > largest:
                    raise too_large(largest)
                pieces.append(piece)
                # A member of nothing costs time, too.
                since += len(piece) + _SLICE
                if since > _STEP:
                    since = 0
                    await checkpoint()
    except zlib.error as error:
        raise Unreadable("not gzip, as it says") from error
    if not member.eof:
        raise Unreadable("gzip that was cut short")
    return b"".join(pieces)
