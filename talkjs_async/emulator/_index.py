"""Records in order, so that lists can be served a page at a time."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from operator import attrgetter
from typing import Generic, TypeVar

T = TypeVar("T")

# A moment in milliseconds, and what decides between records of the same one: an ID (usually
# empty, see the switch `order_ties`), then the order of arrival.
Order = tuple[int, str, int]


class Index(Generic[T]):
    """Records kept in order, so that a page costs the same wherever it starts."""

    def __init__(self, order: str = "order") -> None:
        """Keep records by the attribute *order*."""
        self._key = attrgetter(order)
        self._rows: list[T] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: T) -> None:
        """Put a record in its place. Nearly always that is the end."""
        rows = self._rows
        if rows and self._key(row) < self._key(rows[-1]):
            insort(rows, row, key=self._key)
        else:
            rows.append(row)

    def remove(self, row: T) -> None:
        """Take a record out. Do it before its order changes."""
        del self._rows[self._position(row)]

    def last(self) -> T | None:
        """Return the newest record."""
        return self._rows[-1] if self._rows else None

    def walk(
        self, *, descending: bool, after: T | None = None, bound: int | None = None
    ) -> Iterator[T]:
        """
        Go through the records.

        Args:
            descending: Newest first.
            after: Start behind this record.
            bound: Start behind this moment in milliseconds.
        """
        rows = self._rows
        if descending:
            start = len(rows) if after is None else self._position(after)
            if bound is not None:
                start = min(start, bisect_left(rows, bound, key=self._moment))
            return (rows[position] for position in range(start - 1, -1, -1))
        start = 0 if after is None else bisect_right(rows, self._key(after), key=self._key)
        if bound is not None:
            start = max(start, bisect_right(rows, bound, key=self._moment))
        return (rows[position] for position in range(start, len(rows)))

    def newer_than(self, order: Order | None) -> Iterator[T]:
        """Go through the records behind that place, newest first. None: all of them."""
        rows = self._rows
        start = 0 if order is None else bisect_right(rows, order, key=self._key)
        return (rows[position] for position in range(len(rows) - 1, start - 1, -1))

    def _moment(self, row: T) -> int:
        moment: int = self._key(row)[0]
        return moment

    def _position(self, row: T) -> int:
        return bisect_left(self._rows, self._key(row), key=self._key)
