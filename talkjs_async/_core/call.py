"""
One request to TalkJS, as a value.

A `Call` is what every endpoint builds and what the pipeline, `batch` and bulk jobs send. It knows
nothing of connections, tokens or time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Generic, Literal, Protocol, Self, TypeVar
from urllib.parse import quote, quote_plus

import attrs

from talkjs_async._core.wire import TOO_DEEP, id_problem
from talkjs_async.errors import ConfigurationError, DecodeError, shown

T = TypeVar("T")

Bucket = Literal["ordinary", "batch", "anonymous"]
"""Which of TalkJS's budgets a request is charged to. The last one is not an app's."""

Lane = Literal["interactive", "background"]
"""Which queue for the budget a call waits in."""

Method = Literal["GET", "PUT", "POST", "PATCH", "DELETE"]


class Chunks(Protocol):
    """A body while it is sent, piece by piece."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Let go of whatever the pieces come from, read to the end or not."""
        ...


@attrs.frozen(kw_only=True)
class Upload:
    """
    A body that is not JSON and is read while it is sent.

    Attributes:
        content_type: Value of that header.
        length: Bytes of the body. None: not known, so it travels in chunks.
        open: Begins to read it from the start.
        replayable: Whether `open` gives the same bytes each time. If not, there is one attempt.
    """

    content_type: str
    length: int | None
    open: Callable[[], Chunks]
    replayable: bool


@attrs.frozen(kw_only=True)
class Call(Generic[T]):
    """
    A request and the way to read its answer.

    Attributes:
        method: HTTP method.
        path: Below `/v1/{appId}`, each segment percent-encoded, beginning with "/". Empty means the
            app itself.
        query: Parameters as TalkJS spells them, still unencoded.
        body: What to send as JSON. None sends no body (no endpoint takes a bare null).
        upload: What to send instead, if it is not JSON.
        decode: From parsed JSON to the result. `nothing` means that the body is never looked at.
        cut: How many arrays deep the answer is searched for parts that are nested too deep, which
            do not spoil the others. 0: not at all.
        needs_answer: Whether a success whose body cannot be read is an error. If not, `decode` gets
            None for it.
        idempotent: Whether repeating the request after an unknown outcome changes nothing.
        repeatable_for: Seconds for which that holds, counted from the first attempt.
        bucket: The budget that pays for it.
        idempotency_keys: Of the messages that it sends, in their order.
        names: Tells whether parsed JSON names the record that was asked for; None: it names none.
            An answer about another record is not its answer. Not given where no answer tells.
        missing_ok: Whether a 404 to it is a success: what it deletes need not be there.
        batchable: Whether `POST /batch` can carry it.
        api_version: TalkJS-REST-Version of this call. None: that of the client which sends it.
    """

    method: Method
    path: str
    query: dict[str, str] = attrs.field(factory=dict)
    body: Any = None
    upload: Upload | None = None
    decode: Callable[[Any], T]
    cut: int = 0
    needs_answer: bool = True
    idempotent: bool = True
    repeatable_for: float = float("inf")
    idempotency_keys: tuple[str, ...] = ()
    bucket: Bucket = "ordinary"
    names: Callable[[Any], bool | None] | None = attrs.field(default=None, eq=False)
    missing_ok: bool = False
    batchable: bool = True
    api_version: str | None = None

    def result(self, data: Any) -> T:
        """
        Decode parsed JSON.

        Raises:
            DecodeError: It is not what the API promises of this call.
        """
        try:
            return self._decoded(data)
        except DecodeError as error:
            error.method, error.path = self.method, self.path
            error.maybe_done = self.method != "GET"
            raise

    def _decoded(self, data: Any) -> T:
        if data is not TOO_DEEP or self.decode is nothing:
            try:
                return self.decode(data)
            except RecursionError:
                pass
        raise DecodeError(
            json_path="$", expected="what this call answers", got="JSON that is nested too deep"
        )


MOST_IN_A_TARGET: Final = 60_000
"""Characters of path and query. The HTTP libraries refuse URLs of more than 65,536."""


def target(call: Call[Any]) -> str:
    """
    Build the path with its query.

    Raises:
        ConfigurationError: A parameter is not valid Unicode, or there are too many of them.
    """
    try:
        # Put together without `str` and formatting: of a text that is a member of an enumeration,
        # they make the name of that member.
        query = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in call.query.items())
        built = call.path + ("?" + query if query else "")
    except UnicodeEncodeError:
        raise ConfigurationError("params", "hold half of a surrogate pair.") from None
    if len(built) > MOST_IN_A_TARGET:
        raise ConfigurationError(
            "params" if call.query else "path",
            f"make a URL of {len(built):,} characters; at most {MOST_IN_A_TARGET:,} can be sent.",
        )
    return built


class Run(Protocol):
    """Sends a call and returns its decoded answer. `Pipeline.run` is one."""

    async def __call__(self, call: Call[T], /) -> T: ...


def nothing(_data: object) -> None:
    """
    Decode the answer of a call that has none.

    TalkJS tells success by the status alone, so a body that says something else is not an error.
    """


def record(record_id: str) -> Callable[[Any], bool | None]:
    """Make the `Call.names` of a call that asks for one record."""

    return partial(_names, record_id)


def _names(record_id: str, data: Any) -> bool | None:
    named = data.get("id") if isinstance(data, dict) else None
    return named == record_id if isinstance(named, str) else None


def as_is(data: Any) -> Any:
    """Leave the parsed JSON as it came."""
    return data


def path(segment: str, /, **ids: str) -> str:
    """
    Build "/segment/id..." with every ID percent-encoded as one segment.

    Args:
        segment: The fixed first segment.
        ids: Argument name to ID, in the order of the URL.

    Raises:
        ConfigurationError: An ID is not text, is empty, too long or not valid Unicode, or is "." or
            "..", which URLs resolve away.
    """
    segments = [segment]
    for argument, value in ids.items():
        problem = id_problem(value)
        if problem is not None:
            raise ConfigurationError(argument, problem)
        if value in {".", ".."}:
            raise ConfigurationError(argument, f"must be an ID, not {shown(value)}.")
        segments.append(quote(value, safe=""))
    return "/" + "/".join(segments)
