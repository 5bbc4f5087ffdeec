"""
The waiters of one budget: in the order of their turn, and in the order of their deadlines.

Cancelled waiters stay until they outnumber the live ones, which makes leaving O(1).
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from typing import Final

from talkjs_async.limits._waiter import WAITING, Waiter

_DEAD_KEPT: Final = 64
"""Cancelled waiters that are kept, at least, before they are cleared away."""


class LaneQueue:
    """
    Waiters of one lane, first come, first served. Everything is O(1), amortised.

    Attributes:
        waiting: How many wait. The places of those who left are cleared away later.
    """

    __slots__ = ("_places", "waiting")

    def __init__(self) -> None:
        self._places: deque[Waiter] = deque()
        self.waiting = 0

    def join(self, waiter: Waiter) -> None:
        """Take the last place."""
        places = self._places
        if len(places) > 2 * self.waiting + _DEAD_KEPT:
            places = self._places = deque(each for each in places if each.state == WAITING)
        places.append(waiter)
        self.waiting += 1

    def head(self) -> Waiter | None:
        """The one who is next, left in its place."""
        places = self._places
        while places:
            if places[0].state == WAITING:
                return places[0]
            places.popleft()
        return None


class Deadlines:
    """Who gives up next. O(log n), and only for those who have a *max_wait*."""

    __slots__ = ("_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiter]] = []
        self._order = itertools.count()

    def add(self, waiter: Waiter, deadline: float, *, waiting: int) -> None:
        """Remember when *waiter* gives up; *waiting* is how many callers wait at all."""
        if len(self._heap) > 2 * waiting + _DEAD_KEPT:
            self._heap = [each for each in self._heap if each[2].state == WAITING]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (deadline, next(self._order), waiter))

    def next(self) -> tuple[float, Waiter | None]:
        """The earliest deadline, and whose it is."""
        heap = self._heap
        while heap and heap[0][2].state != WAITING:
            heapq.heappop(heap)
        return (heap[0][0], heap[0][2]) if heap else (math.inf, None)
