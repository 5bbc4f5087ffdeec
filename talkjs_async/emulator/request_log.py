"""
What was asked: one entry per request, whatever became of it.

It never holds a token or a secret. What was done is in the commit log.
"""

from typing import Any

import attrs

from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator._log import Log
from talkjs_async.emulator._patterns import request_pattern

__all__ = ["Exchange", "RequestLog"]


def _beginning() -> Any:
    meaning = (
        "Its beginning: up to 4,000 characters, unless the program that started the emulator says "
        "otherwise (body_limit). What is cut off is not marked."
    )
    return attrs.field(default="", repr=False, metadata={"meaning": meaning})


@attrs.define(eq=False, kw_only=True)
class Exchange(ListsAttributes):
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
        body, answer: The beginning of both bodies, where the emulator keeps them (`body_limit`:
            4,000 characters on the command line).
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
    body: str = _beginning()
    answer: str = _beginning()


class RequestLog(Log[Exchange]):
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
