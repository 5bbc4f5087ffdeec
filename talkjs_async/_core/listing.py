"""
A list endpoint with its arguments, as a value.

Knows how one page is asked for and read, and nothing of how pages follow each other.

Source of the rules: TalkJS documentation, REST API introduction: `limit`, `startingAfter` = ID of
the last record seen, `createdAt` descending; a further page exists while a full one came back (all
known clients; read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import attrs

from talkjs_async._core.call import Call
from talkjs_async._core.wire import id_problem, is_whole
from talkjs_async.errors import ConfigurationError, DecodeError, shown

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """
    One page of a list.

    Attributes:
        items: The records, in the server's order.
        cursor: Give it to `starting_after` to go on behind this page. None: this was the last page.
    """

    items: tuple[T, ...]
    cursor: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@attrs.frozen(kw_only=True)
class Order(Generic[T]):
    """
    What a list is ordered by.

    Attributes:
        at: The moment of a record that its place depends on, in the server's milliseconds.
        ascending: Whether the oldest moment comes first.
        moves: Whether records change their place: a conversation that gets a message moves to the
            recent end of a list ordered by last activity.
    """

    at: Callable[[T], float]
    ascending: bool = False
    moves: bool = False

    @property
    def moves_ahead(self) -> bool:
        """Whether records move to the end that is read last."""
        return self.moves and self.ascending

    def is_behind(self, at: float, other: float) -> bool:
        """Whether the moment *at* is listed behind *other*."""
        return at > other if self.ascending else at < other


@attrs.frozen(kw_only=True)
class Listing(Generic[T]):
    """
    A list endpoint with its arguments: makes the call for any of its pages.

    Attributes:
        path, query: As in `Call`; without `limit` and `startingAfter`.
        most: Records that the server gives per request, at most.
        limit: Records that the caller wants in all, at most. None: every one.
        page_size: Records per request. None: *most*, since the budget counts requests.
        starting_after: ID of the record behind which to begin. None: at the beginning.
        item: Decodes one record.
        key: Its ID.
        order: What the server orders the records by.
        bare: Whether TalkJS may answer with the array itself, without `{"data": ...}` around it.

    Raises:
        ConfigurationError: *limit*, *page_size* or *starting_after* breaks its rule.
    """

    path: str
    query: dict[str, str]
    most: int
    limit: int | None
    page_size: int | None
    starting_after: str | None
    item: Callable[[Any], T]
    key: Callable[[T], str]
    order: Order[T]
    bare: bool = False

    def __attrs_post_init__(self) -> None:
        checked_count("limit", self.limit)
        checked_count("page_size", self.page_size, most=self.most)
        problem = None if self.starting_after is None else id_problem(self.starting_after)
        if problem is not None:
            raise ConfigurationError("starting_after", problem)

    @property
    def size(self) -> int:
        """Records to ask for with one request, at most."""
        return self.page_size or self.most

    def first_call(self) -> Call[Page[T]]:
        """Build the request for the first page, no larger than the caller's limit."""
        return self.call(self.starting_after, min(self.size, self.limit or self.size))

    def call(self, after: str | None, size: int) -> Call[Page[T]]:
        """Build the request for *size* records behind the record *after*."""
        query = {**self.query, "limit": str(size)}
        if after is not None:
            query["startingAfter"] = after
        return Call(method="GET", path=self.path, query=query, decode=_PageOf(self, size))


@attrs.frozen
class _PageOf(Generic[T]):
    """Decodes the answer to a request for *size* records. A class, so that calls can be pickled."""

    listing: Listing[T]
    size: int

    def __call__(self, data: Any) -> Page[T]:
        other = data if self.listing.bare else None
        records = data.get("data") if isinstance(data, dict) else other
        if not isinstance(records, list):
            raise DecodeError(json_path="$.data", expected="a list", got=type(records).__name__)
        read = self.listing.item
        for index, record in enumerate(records):
            # Each record gives way to its model at once: many of both alive wake the garbage
            # collector, which takes a tenth of the time of a page.
            try:
                records[index] = read(record)
            except DecodeError as error:
                error.json_path = f"$.data[{index}]{error.json_path[1:]}"
                raise
        items: tuple[T, ...] = tuple(records)
        key = self.listing.key
        # Relative to the limit that was sent: the server never gives more than asked for.
        cursor = key(items[-1]) if len(items) >= self.size else None
        if len(set(map(key, items))) < len(items):
            # A record that stands in it twice comes once.
            once: dict[str, T] = {}
            for item in items:
                once.setdefault(key(item), item)
            items = tuple(once.values())
        return Page(items=items, cursor=cursor)


def checked_count(argument: str, value: object, *, most: int | None = None) -> None:
    """
    Check a number of records. None is allowed.

    Raises:
        ConfigurationError: It is not a whole number from 1 to *most*.
    """
    if value is None:
        return
    if is_whole(value, least=1) and (most is None or value <= most):
        return
    allowed = "of 1 or more" if most is None else f"from 1 to {most}"
    raise ConfigurationError(
        argument, f"must be a whole number {allowed}, or None, not {shown(value)}."
    )
