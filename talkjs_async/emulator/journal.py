"""
What was asked, and what was done.

Two separate logs. The journal has one entry per request, whatever became of it. The commit log
has one entry per change of state, whatever became of the answer: it is the witness that decides
whether something was lost or done twice. Neither ever holds a token or a secret.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

import attrs

from talkjs_async.emulator.faults import request_pattern

T = TypeVar("T")


@attrs.define(eq=False, kw_only=True)
class Exchange:
    """
    One request and its answer.

    Attributes:
        number: Position among all requests, from 1.
        at: Unix time in seconds when it arrived.
        method: As in HTTP.
        path: Relative to the app (`/users/alice`), still percent-encoded.
        query: Without the question mark.
        app_id: From the path; empty when the path has none.
        operation: What the route is called, such as `messages.send`. Empty: no such route.
        api_version: The `TalkJS-REST-Version` header, None when it was not sent.
        status: The status that was sent. None: no answer was, or not yet.
        fault: The id of the fault that fired.
        idempotency_keys: Of the messages in the body.
        attempt: How many requests with the same first key there have been, this one included.
        operations: The operations inside a batch.
    """

    number: int
    at: float
    method: str
    path: str
    query: str = ""
    app_id: str = ""
    operation: str = ""
    api_version: str | None = None
    status: int | None = None
    fault: str | None = None
    idempotency_keys: tuple[str, ...] = ()
    attempt: int = 1
    operations: tuple["Exchange", ...] = ()


@attrs.define(eq=False, kw_only=True)
class Commit:
    """
    One change of state.

    Attributes:
        number: Position among all changes, from 1.
        at: Unix time in seconds.
        kind: What happened to what: `user.created`, `message.sent`, `participant.left`, ...
        app_id: The app whose state changed.
        user_id, conversation_id, message_id: What it happened to, where that has an ID.
        text: Of a message.
        idempotency_key: Of a message that was sent with one.
        detail: Anything else that tells two changes of a kind apart.
    """

    number: int
    at: float
    kind: str
    app_id: str
    user_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    text: str | None = None
    idempotency_key: str | None = None
    detail: Mapping[str, Any] | None = None


class _Log(Generic[T]):
    """Entries in order, the oldest forgotten first when there is a limit."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._entries: deque[T] = deque(maxlen=limit)
        self.total: int = 0
        """How many there have ever been, the forgotten ones included."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._entries))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return list(self._entries)[index] if isinstance(index, slice) else self._entries[index]

    def append(self, entry: T) -> None:
        """Add an entry."""
        self.total += 1
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.total = 0


class Journal(_Log[Exchange]):
    """Every request, in order of arrival."""

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self._attempts: dict[str, int] = {}

    def find(self, on: str) -> list[Exchange]:
        """Return the requests that match a pattern like `"POST /conversations/*/messages"`."""
        pattern = request_pattern(on)
        return [entry for entry in self if pattern.fullmatch(f"{entry.method} {entry.path}")]

    def attempts(self) -> dict[str, list[Exchange]]:
        """Return the requests, or operations in batches, that carried each idempotency key."""
        groups: dict[str, list[Exchange]] = {}
        for request in self:
            for entry in (request, *request.operations):
                for key in entry.idempotency_keys:
                    groups.setdefault(key, []).append(entry)
        return groups

    def note_keys(self, exchange: Exchange, keys: tuple[str, ...]) -> None:
        """Note the idempotency keys that a request carries."""
        exchange.idempotency_keys = keys
        if keys:
            exchange.attempt = self._attempts[keys[0]] = self._attempts.get(keys[0], 0) + 1

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._attempts.clear()


class Commits(_Log[Commit]):
    """Every change of state, in order."""

    def of(self, kind: str) -> list[Commit]:
        """Return the changes of one kind, such as `message.sent`."""
        return [entry for entry in self if entry.kind == kind]
