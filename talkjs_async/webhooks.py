"""
Webhooks: from the raw request of TalkJS to a typed event, or to one error.

There is no way to get an event that was not verified. Nothing here does I/O, so it fits any web
framework; `talkjs_async.fastapi` puts it behind a route.

Source: TalkJS docs, Webhooks and Security (documented); the unit of the timestamp is not.
"""

from __future__ import annotations

import hashlib
import hmac
import inspect
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Final, NoReturn, Protocol, TypeAlias

from talkjs_async._core.clock import SYSTEM_CLOCK, Clock, checked_clock
from talkjs_async._core.credentials import secret_key_of
from talkjs_async._core.wire import is_id, is_whole
from talkjs_async.errors import ConfigurationError, DecodeError, WebhookError
from talkjs_async.models._arguments import is_number
from talkjs_async.models._event_reader import read_event
from talkjs_async.models.events import WebhookEvent

__all__ = ["Headers", "RecentEvents", "SeenEvents", "Webhooks"]

SIGNATURE_HEADER: Final = "X-TalkJS-Signature"
TIMESTAMP_HEADER: Final = "X-TalkJS-Timestamp"

LARGEST_BODY: Final = 4 * 1024 * 1024
"""Bytes. No limit is documented; the largest conversation with its messages needs a tenth."""

_FIRST_MILLISECONDS: Final = 10**11
"""
A timestamp from here on counts milliseconds, one below counts seconds.

As seconds it is in the year 5138, as milliseconds in 1973: no moment near the present is in doubt.
"""

Headers: TypeAlias = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
"""
Headers as any framework has them: something with `items()`, or pairs; of str or bytes.

Names in any case, a value or a list of values for each; a WSGI environ is understood too.
"""


class SeenEvents(Protocol):
    """Remembers the IDs of events. Any object with this method will do."""

    def add(self, event_id: str, /) -> bool:
        """Remember an event; tell whether it is new. Must be atomic."""
        ...


class RecentEvents:
    """
    Remembers the IDs of the latest events, in this process.

    Args:
        size: How many. TalkJS repeats an event once, shortly after; 10,000 are over an hour at
            two events per second.
    """

    def __init__(self, size: int = 10_000) -> None:
        if not is_whole(size, least=1):
            raise ConfigurationError("size", "must be a whole number, 1 or more.")
        self._size = size
        self._ids: dict[str, None] = {}
        self._lock = threading.Lock()

    def add(self, event_id: str, /) -> bool:
        """Remember an event; tell whether it is new."""
        with self._lock:
            if event_id in self._ids:
                return False
            if len(self._ids) >= self._size:
                del self._ids[next(iter(self._ids))]
            self._ids[event_id] = None
            return True

    def __len__(self) -> int:
        return len(self._ids)


class Webhooks:
    """
    Verifies webhooks and reads their events.

    Args:
        secret_key: The secret key that the dashboard marks "use for webhooks". While you rotate
            keys: the new and the old one, as a list. None: the environment variable
            TALKJS_SECRET_KEY.
        tolerance: Seconds that the timestamp may be away from now, in either direction. It bounds
            how long a webhook that was caught can be replayed.
        largest_body: Bytes; longer bodies are refused before they are looked at.
        seen: Remembers events, for `is_repeat`. None: `RecentEvents()`, in this process only.
        clock: Where the time comes from.

    Raises:
        ConfigurationError: An argument breaks its rule.

    The keys appear in no repr, pickle or error.
    """

    def __init__(
        self,
        secret_key: str | Sequence[str] | None = None,
        *,
        tolerance: float = 300.0,
        largest_body: int = LARGEST_BODY,
        seen: SeenEvents | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._macs: list[hmac.HMAC] = []
        self._tolerance = tolerance
        # Prepared once; the keys themselves are not kept.
        try:
            self._macs = _prepare(secret_key)
        finally:
            # A traceback with local variables is a log too.
            del secret_key
        if not is_number(tolerance, low=0, high=float("inf")):
            raise ConfigurationError("tolerance", "must be a finite number of seconds, 0 or more.")
        if not is_number(largest_body, low=1, high=float("inf")):
            raise ConfigurationError("largest_body", "must be a number of bytes, 1 or more.")
        self.largest_body: int = largest_body
        self._seen = RecentEvents() if seen is None else _checked_seen(seen)
        self._clock = checked_clock(clock)

    def verify(self, body: bytes | bytearray | memoryview, headers: Headers) -> WebhookEvent:
        """
        Verify a request and read its event.

        Args:
            body: The bytes as they arrived. Not JSON that was read and written again: its bytes
                differ, and the signature is over bytes.
            headers: Of the request.

        Returns:
            The event. One that this version does not know is an `UnknownEvent`.

        Raises:
            WebhookError: It is not genuine, not fresh, or not readable. Answer 400 and do nothing.
            ConfigurationError: *body* is not bytes.
        """
        if not isinstance(body, _BYTES):
            problem = "must be the bytes of the request, before anything has parsed them"
            if isinstance(headers, _BYTES):
                problem = f"comes first: verify(body, headers); it {problem}"
            raise ConfigurationError("body", f"{problem}.")
        # Before anything is copied.
        size = body.nbytes if isinstance(body, memoryview) else len(body)
        if size > self.largest_body:
            raise WebhookError("The body is larger than allowed.")
        body = bytes(body)
        signature, timestamp = _read_headers(headers)
        self._verify(signature, timestamp, body)
        self._check_age(timestamp)
        return _read_body(body)

    def is_repeat(self, event: WebhookEvent) -> bool:
        """
        Tell whether an event came before, and remember it.

        TalkJS delivers an event a second time when your answer was late or not 200. Ask once per
        delivery; answer 200 to a repeat and do nothing else.
        """
        return not self._seen.add(event.id)

    def sign(
        self, body: bytes | bytearray | memoryview, *, timestamp: int | None = None
    ) -> dict[str, str]:
        """
        Make the headers that TalkJS would send, for your tests.

        Args:
            body: The body that goes with them.
            timestamp: Unix milliseconds. None: now.

        Raises:
            ConfigurationError: *body* is not bytes.
        """
        if not isinstance(body, _BYTES):
            raise ConfigurationError(
                "body", f"must be bytes, as they are sent, not {type(body).__name__}."
            )
        moment = str(int(self._clock.time() * 1000) if timestamp is None else timestamp)
        signature = _sign(self._macs[0], moment.encode(), body)
        return {TIMESTAMP_HEADER: moment, SIGNATURE_HEADER: signature.decode()}

    def _verify(self, signature: bytes, timestamp: bytes, body: bytes) -> None:
        genuine = False
        # All keys, always: the time it takes must not tell which one is in use.
        for mac in self._macs:
            genuine |= hmac.compare_digest(_sign(mac, timestamp, body), signature.upper())
        if not genuine:
            raise WebhookError("The signature does not match: a wrong key, or changed bytes.")

    def _check_age(self, timestamp: bytes) -> None:
        if not (timestamp.isdigit() and len(timestamp) <= 16):
            raise WebhookError("The timestamp is not a number.")
        number = int(timestamp)
        seconds = number / 1000 if number >= _FIRST_MILLISECONDS else float(number)
        if abs(self._clock.time() - seconds) > self._tolerance:
            raise WebhookError("The timestamp is too far away: a replay, or a clock that is wrong.")

    def __repr__(self) -> str:
        return f"Webhooks(<{len(self._macs)} hidden>, tolerance={self._tolerance!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Webhooks holds secret keys and is not pickled: build it anew.")


def _prepare(secret_key: object) -> list[hmac.HMAC]:
    """Prepare an HMAC per key."""
    macs = []
    given = [secret_key] if secret_key is None or isinstance(secret_key, str) else secret_key
    each = key = None
    try:
        if not isinstance(given, Sequence) or isinstance(given, _BYTES) or not given:
            raise ConfigurationError("secret_key", "must be a non-empty text, or a list of such.")
        for each in given:
            # Among several, the environment's does not stand for one that is missing.
            if each in (None, "") and given[0] is not secret_key:
                raise ConfigurationError("secret_key", "must hold no empty key.")
            key = secret_key_of(each, needed=True) or ""
            macs.append(hmac.new(key.encode(), digestmod=hashlib.sha256))
    finally:
        del secret_key, given, each, key
    return macs


def _checked_seen(seen: SeenEvents) -> SeenEvents:
    add = getattr(seen, "add", None)
    problem = None
    # It returns None: every event would be taken for a repeat.
    is_set = isinstance(seen, set)
    if is_set or not callable(add):
        problem = "must have a method add(event_id) that tells whether the event is new"
        problem += ", which that of a set does not" if is_set else ""
    elif inspect.iscoroutinefunction(add):
        problem = "must have a plain method add, no async def: what that returns is always true"
    if problem is not None:
        raise ConfigurationError("seen", f"{problem}; RecentEvents() has one.")
    return seen


def _sign(mac: hmac.HMAC, timestamp: bytes, body: bytes | bytearray | memoryview) -> bytes:
    """Uppercase hex of HMAC-SHA256 over the timestamp, a dot and the raw body (documented)."""
    fresh = mac.copy()
    fresh.update(timestamp + b".")
    fresh.update(body)
    return fresh.hexdigest().upper().encode()


def _read_headers(headers: Headers) -> tuple[bytes, bytes]:
    found: dict[str, list[Any]] = {SIGNATURE_HEADER: [], TIMESTAMP_HEADER: []}
    for name, value in _pairs(headers):
        wanted = _WANTED.get(_plain(name))
        if wanted is not None:
            found[wanted].append(value)
    return _only(found[SIGNATURE_HEADER]), _only(found[TIMESTAMP_HEADER])


_WANTED: Final = {
    name: header
    for header in (SIGNATURE_HEADER, TIMESTAMP_HEADER)
    for name in (header.lower(), f"http_{header.lower().replace('-', '_')}")
}


def _pairs(headers: Headers) -> Iterator[tuple[Any, Any]]:
    items = getattr(headers, "items", None)
    pairs: Any = items() if callable(items) else headers
    if isinstance(pairs, str | bytes | bytearray) or not isinstance(pairs, Iterable):
        raise ConfigurationError("headers", "must be a mapping or pairs.")
    for pair in pairs:
        # Some libraries have more than two in a pair, such as whether it may be logged.
        if isinstance(pair, str | bytes) or not isinstance(pair, Sequence) or len(pair) < 2:
            raise WebhookError("The headers are not pairs of name and value.")
        yield pair[0], pair[1]


def _plain(name: Any) -> str:
    text = bytes(name).decode("latin-1") if isinstance(name, _BYTES) else name
    return text.lower() if isinstance(text, str) else ""


_BYTES: Final = (bytes, bytearray, memoryview)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _only(values: list[Any]) -> bytes:
    """The one value of a header. Two are refused: a proxy may have looked at the other one."""
    # AWS hands over a list for each name (`multiValueHeaders`).
    values = [one for value in values for one in (value if _is_list(value) else (value,))]
    if len(values) != 1:
        raise WebhookError("There must be one signature and one timestamp.")
    value = values[0]
    if isinstance(value, str) and value.isascii():
        value = value.encode()
    if isinstance(value, bytearray | memoryview):
        value = bytes(value)
    if not isinstance(value, bytes):
        raise WebhookError("The signature and the timestamp must be ASCII.")
    return value.strip(b" \t")


def _read_body(body: bytes) -> WebhookEvent:
    try:
        event = read_event(
            json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_finite)
        )
    except (ValueError, RecursionError, DecodeError):
        # Not chained: tracebacks and their locals get logged, and this is a private message.
        raise WebhookError(_NO_EVENT) from None
    # A text may hold half of a surrogate pair; what is remembered of an event may not.
    if not is_id(event.id):
        raise WebhookError(_NO_EVENT)
    return event


_NO_EVENT: Final = "The body is not the JSON of an event."


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number
