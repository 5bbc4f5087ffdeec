"""
Lists that arrive page by page.

A `Listing` is a list endpoint with its arguments; `Pages` is what users iterate. The objects own no
task, no connection and no open generator, so leaving a loop early leaks nothing.

Source of the rules: TalkJS documentation, REST API introduction: `limit`, `startingAfter` = ID of
the last record seen, `createdAt` descending; a further page exists while a full one came back (all
known clients; read 2026-11-22).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import attrs

from talkjs_async._core.call import Call, Run
from talkjs_async._core.wire import is_id
from talkjs_async.errors import ConfigurationError, DecodeError

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
class Activity(Generic[T]):
    """
    How to read a list whose order changes while it is read.

    A conversation that gets a message moves to the recent end of a list ordered by last activity.
    Behind the cursor, that makes it come twice; ahead of the cursor, it slips past the reader.

    Attributes:
        at: When a record last moved, in the server's milliseconds.
        newest_first: Query parameters that turn the order so that the most recently moved record
            comes first.
        ascending: Whether the list is read from the oldest activity on.
    """

    at: Callable[[T], float]
    newest_first: dict[str, str]
    ascending: bool


def _check_cursor(_listing: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not is_id(value):
        raise ConfigurationError(field.name, "must be a non-empty text (str).")


@attrs.frozen(kw_only=True)
class Listing(Generic[T]):
    """
    A list endpoint with its arguments: makes the call for any of its pages.

    Attributes:
        path, query: As in `Call`; without `limit` and `startingAfter`.
        limit: Records per page.
        starting_after: ID of the record behind which to begin. None: at the beginning.
        item: Decodes one record.
        key: Its ID.
        activity: Set when the order may change while the list is read.
    """

    path: str
    query: dict[str, str]
    limit: int
    starting_after: str | None = attrs.field(validator=_check_cursor)
    item: Callable[[Any], T]
    key: Callable[[T], str]
    activity: Activity[T] | None = None

    def call(self, after: str | None) -> Call[Page[T]]:
        """Build the request for the page behind the record *after*."""
        query = {**self.query, "limit": str(self.limit)}
        if after is not None:
            query["startingAfter"] = after
        return Call(method="GET", path=self.path, query=query, decode=self._page)

    def _page(self, data: Any) -> Page[T]:
        records = data.get("data") if isinstance(data, dict) else None
        if not isinstance(records, list):
            raise DecodeError(json_path="$.data", expected="a list", got=type(records).__name__)
        read = self.item
        for index, record in enumerate(records):
            # Each record gives way to its model at once: many of both alive wake the garbage
            # collector, which takes a tenth of the time of a page.
            try:
                records[index] = read(record)
            except DecodeError as error:
                error.json_path = f"$.data[{index}]{error.json_path[1:]}"
                raise
        items: tuple[T, ...] = tuple(records)
        # Relative to the limit that was sent: the server never gives more than asked for.
        full = len(items) >= self.limit
        return Page(items=items, cursor=self.key(items[-1]) if full else None)


def page_limit(value: int | None, *, most: int) -> int:
    """
    Check the argument *limit* of a list method.

    Args:
        value: What the caller gave. None: as many as the server allows, since the budget counts
            requests.
        most: What the server allows.

    Raises:
        ConfigurationError: It is not a whole number from 1 to *most*.
    """
    if value is None:
        return most
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ConfigurationError(
            "limit", f"must be a whole number from 1 to {most}, not {value!r}."
        )
    return value


class Pages(Generic[T]):
    """
    The records of a list; nothing is requested before you iterate.

    `async for record in pages` streams the records, asking for a page when the one before is used
    up. Every loop over the same object starts anew. Memory holds one page (a list ordered by last
    activity also remembers the IDs it has yielded).

    No record comes twice and none is left out when others arrive in the meantime. In a list ordered
    by last activity, a record that moves while you read may come later than its place.
    """

    __slots__ = ("_listing", "_run")

    def __init__(self, listing: Listing[T], run: Run) -> None:
        self._listing = listing
        self._run = run

    def __aiter__(self) -> ItemIterator[T]:
        return ItemIterator(self.pages())

    def pages(self) -> PageIterator[T]:
        """Iterate over whole pages; `Page.cursor` is where a later run can go on."""
        return PageIterator(self._listing, self._run)

    async def first(self) -> T | None:
        """Return the first record, or None when there is none."""
        async for item in self:
            return item
        return None

    async def collect(self, *, max_items: int | None = None) -> list[T]:
        """
        Read the records into a list.

        Args:
            max_items: Stop after this many. None: read all, however many there are.
        """
        if max_items is not None and max_items < 0:
            raise ConfigurationError("max_items", f"must not be negative, not {max_items!r}.")
        items: list[T] = []
        if max_items == 0:
            return items
        async for item in self:
            items.append(item)
            if len(items) == max_items:
                break
        return items

    def __repr__(self) -> str:
        return f"<Pages of {self._listing.path}>"


class ItemIterator(Generic[T]):
    """Flattens pages into records."""

    __slots__ = ("_pages", "_ready")

    def __init__(self, pages: PageIterator[T]) -> None:
        self._pages = pages
        self._ready: deque[T] = deque()

    def __aiter__(self) -> ItemIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            page = await self._pages.__anext__()
            self._ready.extend(page.items)
        return self._ready.popleft()


class PageIterator(Generic[T]):
    """Asks for one page after the other."""

    __slots__ = ("_after", "_done", "_listing", "_run", "_watch")

    def __init__(self, listing: Listing[T], run: Run) -> None:
        self._listing = listing
        self._run = run
        self._after = listing.starting_after
        self._done = False
        self._watch = None if listing.activity is None else _Watch(listing, listing.activity)

    def __aiter__(self) -> PageIterator[T]:
        return self

    async def __anext__(self) -> Page[T]:
        if self._done:
            raise StopAsyncIteration
        if self._watch is not None and self._watch.probe is not None:
            self._watch.begin(await self._run(self._watch.probe.call(None)))
        page = await self._run(self._listing.call(self._after))
        if page.cursor is not None and page.cursor == self._after:
            # A server that ignores the cursor would send the same page for ever.
            raise DecodeError(
                json_path="$.data", expected=f"records behind {self._after!r}", got="the same ones"
            )
        self._after = page.cursor
        if self._watch is not None:
            return self._watched(self._watch, page)
        self._done = page.cursor is None
        return page

    def _watched(self, watch: _Watch[T], page: Page[T]) -> Page[T]:
        fresh = watch.unseen(page)
        if page.cursor is None or watch.caught_up:
            again = watch.next_listing()
            self._done = again is None
            if again is not None:
                self._listing, self._after = again, None
        return Page(items=fresh, cursor=page.cursor)


class _Watch(Generic[T]):
    """
    Finds what moved while a list was read.

    Whatever moves goes to the recent end. So when a walk through the list is over, the recent end
    is read once more, newest first, down to what was the most recent record before the walk; that
    is where those are that moved ahead of the reader.

    Newest first, that is all. A reader who goes upwards can also lose the page behind a cursor that
    moved: everything between its old place and its new one is jumped over. The second look meets
    that cursor at its new place and then goes on down to the old one.

    A walk of a single page is one moment and needs no second look. A walk that began behind a given
    record gets none either: what is above that record belongs to whoever read it before.
    """

    __slots__ = (
        "_activity",
        "_cursors",
        "_listing",
        "_mark",
        "_pages",
        "_rechecking",
        "_seen",
        "_since",
        "_top",
        "caught_up",
        "probe",
    )

    def __init__(self, listing: Listing[T], activity: Activity[T]) -> None:
        self._listing = listing
        self._activity = activity
        self._seen: set[str] = set()
        # Where each cursor stood when it first was one. Upwards only: downwards nothing is lost.
        self._cursors: dict[str, float] = {}
        self._pages = 0
        self._top = self._since = self._mark = float("-inf")
        self._rechecking = False
        self.caught_up = False
        # Upwards, the most recent record comes last, so it is asked for beforehand.
        self.probe = attrs.evolve(self._newest_first(), limit=1) if activity.ascending else None

    def _newest_first(self) -> Listing[T]:
        query = {**self._listing.query, **self._activity.newest_first}
        return attrs.evolve(self._listing, query=query, starting_after=None)

    def begin(self, page: Page[T]) -> None:
        """Note what is most recent before a walk upwards; *page* answers `probe`."""
        self.probe = None
        self._top = max(map(self._activity.at, page.items), default=self._top)

    def unseen(self, page: Page[T]) -> tuple[T, ...]:
        """Drop the records that have already been yielded."""
        self._pages += 1
        fresh = []
        lowest = float("inf")
        for item in page.items:
            key, moment = self._listing.key(item), self._activity.at(item)
            lowest = min(lowest, moment)
            if self._pages == 1 and (self._rechecking or not self._activity.ascending):
                self._top = max(self._top, moment)
            if self._rechecking and moment > self._cursors.get(key, moment):
                self._mark = min(self._mark, self._cursors.pop(key))
            if key not in self._seen:
                self._seen.add(key)
                fresh.append(item)
        if page.cursor is not None and self._activity.ascending and not self._rechecking:
            self._cursors.setdefault(page.cursor, self._activity.at(page.items[-1]))
        self.caught_up = self._rechecking and lowest < self._mark
        return tuple(fresh)

    def next_listing(self) -> Listing[T] | None:
        """Return what to read after the walk that has just ended. None: nothing can be missing."""
        stood_still = self._rechecking and self._top <= self._since
        if self._pages <= 1 or stood_still or self._listing.starting_after is not None:
            return None
        self._since = self._mark = self._top
        self._rechecking = True
        self._top = float("-inf")
        self._pages = 0
        self.caught_up = False
        return self._newest_first()
