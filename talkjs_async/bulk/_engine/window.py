"""
Holds records that were read and not sent yet, and chooses those of the next request.

Knows counts and groups, nothing of time or I/O.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

from talkjs_async.bulk._engine.source_records import Record

V = TypeVar("V")

MOST_BYTES: Final = 24_000_000
"""The window is full with this many bytes, even if it could hold more records."""


class Window(Generic[V]):
    """
    Fills requests as well as it can, since the budget counts requests.

    A group that has enough records for a full request goes at once. When the window is full, the
    source has ended, or a partial request is asked for, the fullest group goes.
    """

    def __init__(self, *, per_request: int, most: int, in_order: bool) -> None:
        """
        Make an empty window.

        Args:
            per_request: The most records in one request.
            most: Records to hold, at about 1 kB each; above that it is full.
            in_order: Whether a group has one request at a time. If not, all records are one group.
        """
        self._per_request = per_request
        self._most = most
        self._in_order = in_order
        self._groups: dict[str, deque[Record[V]]] = {}
        self._busy: set[str] = set()
        # Waiting groups by their number of records; the last entry: enough for a full request.
        self._by_count: list[dict[str, None]] = [{} for _ in range(per_request + 1)]
        self._bytes = 0
        self._count = 0
        self.exhausted = False
        """Whether no more records will come."""

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether to stop reading."""
        return self._count >= self._most or self._bytes >= MOST_BYTES

    @property
    def ready(self) -> int:
        """How many requests `take` can return now."""
        if self._in_order:
            lowest = 1 if self._partial_will_do else self._per_request
            return sum(map(len, self._by_count[lowest:]))
        whole, rest = divmod(self._count, self._per_request)
        return whole + (rest > 0 and self._partial_will_do)

    @property
    def _partial_will_do(self) -> bool:
        return self.exhausted or self.full

    def add(self, record: Record[V]) -> None:
        """Put a record behind those of its group."""
        group = record.group
        queue = self._groups.get(group)
        if queue is None:
            queue = self._groups[group] = deque()
        self._forget(group, len(queue))
        queue.append(record)
        self._bytes += record.size
        self._count += 1
        self._remember(group, len(queue))

    @property
    def waiting_groups(self) -> int:
        """How many groups have records and no request under way."""
        return sum(map(len, self._by_count[1:]))

    def take(self, *, partial: bool = False) -> list[Record[V]] | None:
        """
        Return the records of the next request. None: there are none to send now.

        Args:
            partial: Whether to return less than a full request in any case.
        """
        group = self._next(partial=partial)
        if group is None:
            return None
        queue = self._groups[group]
        self._forget(group, len(queue))
        records = [queue.popleft() for _ in range(min(len(queue), self._per_request))]
        self._removed(records)
        if self._in_order:
            self._busy.add(group)
        self._settle(group, queue)
        return records

    def release(self, group: str) -> None:
        """End the request of a group."""
        if group in self._busy:
            self._busy.remove(group)
            self._settle(group, self._groups.get(group, deque()))

    def drop(self, group: str) -> list[Record[V]]:
        """Take out all records of a group."""
        queue = self._groups.pop(group, deque())
        self._forget(group, len(queue))
        self._removed(list(queue))
        return list(queue)

    def _next(self, *, partial: bool) -> str | None:
        lowest = 1 if partial or self._partial_will_do else self._per_request
        for count in range(self._per_request, lowest - 1, -1):
            if self._by_count[count]:
                return next(iter(self._by_count[count]))
        return None

    def _removed(self, records: list[Record[V]]) -> None:
        self._count -= len(records)
        self._bytes -= sum(record.size for record in records)

    def _settle(self, group: str, queue: deque[Record[V]]) -> None:
        if queue:
            self._remember(group, len(queue))
        elif group not in self._busy:
            self._groups.pop(group, None)

    def _remember(self, group: str, count: int) -> None:
        if group not in self._busy:
            self._by_count[min(count, self._per_request)][group] = None

    def _forget(self, group: str, count: int) -> None:
        self._by_count[min(count, self._per_request)].pop(group, None)
