"""
What all lists have in common: `limit`, `startingAfter`, `{"data": [...]}`.

Documented: conversations come in pages of 1 to 30, users and messages of 1 to 100, 10 by
default; the next page starts after the ID of the last record seen; newest first by default.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar

from talkjs_async.emulator._problems import bad_request
from talkjs_async.emulator._route_context import RouteContext

T = TypeVar("T")

DEFAULT_LIMIT = 10


def page_limit(context: RouteContext, maximum: int) -> int:
    """Return how many records are asked for."""
    value = context.query.get("limit")
    if value is None:
        return DEFAULT_LIMIT
    limit = _integer("limit", value)
    if context.switches.limit_over_max == "up_to_100":
        maximum = max(maximum, 100)
    if 1 <= limit <= maximum:
        return limit
    if context.switches.limit_over_max == "clamp":
        return min(max(limit, 1), maximum)
    raise bad_request([f"limit: must be between 1 and {maximum}."])


def cursor(context: RouteContext, records: Mapping[str, T]) -> tuple[T | None, bool]:
    """Return the record to start after, and whether it is gone."""
    id_ = context.query.get("startingAfter")
    if id_ is None:
        return None, False
    record = records.get(id_)
    if record is None and context.switches.unknown_cursor == "reject":
        raise bad_request([f"startingAfter: there is no record {id_!r}."])
    return record, record is None and context.switches.unknown_cursor == "empty"


def moment(context: RouteContext, name: str) -> int | None:
    """Return a query parameter that holds Unix milliseconds."""
    value = context.query.get(name)
    return None if value is None else _integer(name, value)


def flag(context: RouteContext, name: str) -> bool | None:
    """Return a query parameter that is `true` or `false`."""
    value = context.query.get(name)
    if value is None:
        return None
    if value not in ("true", "false"):
        raise bad_request([f"{name}: must be true or false."])
    return value == "true"


def choice(context: RouteContext, name: str, choices: tuple[str, ...]) -> str:
    """Return a query parameter that is one of *choices*, the first by default."""
    value = context.query.get(name, choices[0])
    if value not in choices:
        raise bad_request([f"{name}: must be one of {', '.join(choices)}."])
    return value


def page(rows: Iterable[T], limit: int, render: Callable[[T], Any]) -> dict[str, list[Any]]:
    """Return the answer with the first *limit* rows."""
    return {"data": [render(row) for row in islice(rows, limit)]}


def _integer(name: str, value: str) -> int:
    if not value.isascii() or not value.removeprefix("-").isdecimal():
        raise bad_request([f"{name}: must be a whole number."])
    # Longer numbers are no limit and no time; Python refuses to read very long ones.
    return int(value[:20])
