"""
Lists that arrive page by page: what users iterate.

The objects own no task, no connection and no open generator, so leaving a loop early leaks nothing.
How pages follow each other is the business of `_core.walk`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

import anyio
import attrs

from talkjs_async._core.call import Run
from talkjs_async._core.listing import Listing, Page, checked_count
from talkjs_async._core.walk import Walk

T = TypeVar("T")


class Records(Generic[T]):
    """
    The records of a list; nothing is requested before you iterate.

    `async for record in records` streams them, asking for a page when the one before is used up.
    Every loop over the same object starts anew. Memory holds one page (a list ordered by last
    activity also remembers the IDs that have come).

    No record comes twice, and none that is there throughout is left out, whatever is added, moved
    or deleted meanwhile, by this loop or elsewhere. In a list ordered by last activity, a record
    that moves while you read may come later than its place; and one that moves back past the
    reader, because its last message was deleted, may not come. Oldest activity first, in pages of
    the largest size, the end may be missed where all that was read gets messages within the same
    millisecond: no request can tell. With a *page_size* of one less, it can.
    """

    __slots__ = ("_listing", "_run")

    def __init__(self, listing: Listing[T], run: Run) -> None:
        self._listing = listing
        self._run = run

    def __aiter__(self) -> RecordIterator[T]:
        return RecordIterator(self.pages())

    def pages(self) -> PageIterator[T]:
        """
        Iterate over whole pages; `Page.cursor` is where a later run can go on.

        Where the records fill their pages, an empty one says at last that there are no more.
        """
        return PageIterator(self._listing, self._run)

    async def page(self) -> Page[T]:
        """Read the first page, with one request. To go on, give its `cursor` to the list method."""
        return await self._run(self._listing.first_call())

    async def first(self) -> T | None:
        """Return the first record, or None when there is none. Asks for that one only."""
        async for item in self._at_most(1):
            return item
        return None

    async def collect(self, *, max_items: int | None = None) -> list[T]:
        """
        Read the records into a list.

        Args:
            max_items: Stop after this many. None: read all that the list was asked for.
        """
        checked_count("max_items", max_items)
        return [item async for item in self._at_most(max_items)]

    def _at_most(self, count: int | None) -> Records[T]:
        bounds = [bound for bound in (count, self._listing.limit) if bound is not None]
        return Records(attrs.evolve(self._listing, limit=min(bounds, default=None)), self._run)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close. It is here for `contextlib.aclosing`."""

    def __repr__(self) -> str:
        return f"<Records of {self._listing.path}>"

    if not TYPE_CHECKING:  # so that type checkers refuse these

        def __await__(self) -> NoReturn:
            raise TypeError(_READ)

        def __iter__(self) -> NoReturn:
            raise TypeError(_READ)


_READ: Final = (
    "A list is read with `async for record in ...`, as a whole with `await ....collect()`, and its "
    "first page with `await ....page()`."
)


class RecordIterator(Generic[T]):
    """Flattens pages into records. Tasks may share one: each record goes to one of them."""

    __slots__ = ("_pages", "_ready")

    def __init__(self, pages: PageIterator[T]) -> None:
        self._pages = pages
        self._ready: deque[T] = deque()

    def __aiter__(self) -> RecordIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            page = await self._pages.__anext__()
            self._ready.extend(page.items)
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close. It is here for `contextlib.aclosing`."""


class PageIterator(Generic[T]):
    """Asks for one page after the other, also where several tasks ask at the same time."""

    __slots__ = ("_at_end", "_key", "_left", "_turn", "_walk")

    def __init__(self, listing: Listing[T], run: Run) -> None:
        self._key = listing.key
        self._walk = Walk(listing, run)
        self._left = listing.limit
        # Whether a page has said that it is the last one.
        self._at_end = False
        self._turn: anyio.Lock | None = None

    def __aiter__(self) -> PageIterator[T]:
        return self

    async def __anext__(self) -> Page[T]:
        if self._turn is None:
            # Made here, since only here a loop is sure to run.
            self._turn = anyio.Lock(fast_acquire=True)
        async with self._turn:
            if self._walk.done or self._left == 0:
                raise StopAsyncIteration
            page = await self._walk.page(self._left)
            if self._left is not None:
                page = self._cut(page, self._left)
                self._left -= len(page)
            if not page.items and self._at_end:
                raise StopAsyncIteration
            self._at_end = page.cursor is None
        return page

    def _cut(self, page: Page[T], most: int) -> Page[T]:
        if len(page) <= most:
            return page
        items = page.items[:most]
        return Page(items=items, cursor=self._key(items[-1]))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close. It is here for `contextlib.aclosing`."""
