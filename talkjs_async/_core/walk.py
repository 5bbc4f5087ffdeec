"""
The way through a list whose records come, go and move while it is read.

Every record that is there throughout comes exactly once. Three things would break that, and each
has its remedy here:

*The cursor is gone.* Whether TalkJS then refuses the request, answers an empty page or begins the
list anew is not documented. So an answer counts only when it is certain to continue the one before.
Each request begins one record early, behind the last but one: an answer that holds the last one
(its anchor) leaves no gap, and an end that shows it is the end. (In long lists, only where doubt
arises: see `_overlaps_cost`.) If it does not come, the last one
is the cursor, as documented, and what comes must lie behind it by the list's own order; then
earlier ones are. Where no cursor helps, the walk starts from the top and skips what has come.

*A record moves past the reader.* What moves goes to the recent end. Newest first, that end is read
once more when the walk is over, down to what was the most recent record before. Oldest first, a
record that moves stays ahead; only a cursor that moves would take the reader along, and then its
anchor is missing.

*The server goes round in a circle.* That is an error which says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from talkjs_async._core.call import Run
from talkjs_async._core.listing import Listing, Page
from talkjs_async.errors import APIError, DecodeError

T = TypeVar("T")

Mark = tuple[str, float]
"""A record and its moment: a record that has moved is another mark."""

_KEPT: Final = 4
"""Marks of earlier pages that are kept where pages are smaller: the last one and three before."""

_KNOWN_IN_PLACE: Final = 500
"""IDs of one millisecond that are kept where a walk is interrupted."""

_RESTARTS: Final = 8
"""How often in a row a walk may start from the top without finding anything new."""

_CURSOR_REFUSED: Final = frozenset({400, 404, 409, 410, 422})
"""Statuses that may say that the cursor is gone. Which one is not documented."""


class Walk(Generic[T]):
    """
    Reads a list from its beginning to its end, one page at a time.

    Memory holds the marks of one page and the IDs of the records that share the last one's
    millisecond; in a list whose records move, the IDs of all records that have come.
    """

    __slots__ = (
        "_circle",
        "_found",
        "_head",
        "_known",
        "_listing",
        "_order",
        "_pages",
        "_position",
        "_recent",
        "_restarts",
        "_run",
        "_since",
        "_skipping",
        "_tail",
        "done",
    )

    def __init__(
        self, listing: Listing[T], run: Run, place: Mapping[str, Any] | None = None
    ) -> None:
        """
        Begin to read, or go on.

        Args:
            place: What `place` of an earlier walk through the same list said.
        """
        self._listing = listing
        self._order = listing.order
        self._run = run
        self.done = False
        # What has come: all IDs where records move, else those of the last moment.
        self._known: set[str] = set()
        # The moment of the last record that has come.
        self._position: float | None = None
        self._skipping = False
        self._restarts = 0
        # The most recent moment before this pass. None: this is the first pass.
        self._since: float | None = None
        self._begin_pass()
        if place:
            self._tail += [(key, at) for key, at in place["tail"]]
            self._known, self._position = set(place["known"]), place["position"]

    @property
    def place(self) -> dict[str, Any]:
        """Where another walk can go on, in a form that JSON can hold. Not where records move."""
        # So many records in one millisecond are few only where they were imported.
        known = sorted(self._known)[:_KNOWN_IN_PLACE]
        return {"tail": self._tail[-_KEPT:], "known": known, "position": self._position}

    def _begin_pass(self) -> None:
        self._tail: list[Mark] = []
        # The first page of this pass, or of this start from the top.
        self._head: frozenset[Mark] = frozenset()
        self._circle = _CircleDetector()
        self._recent = float("-inf")
        self._pages = 0
        self._found = False

    async def page(self, wanted: int | None = None) -> Page[T]:
        """
        Return the next records; an empty page when there are none left.

        Args:
            wanted: How many more records the caller needs. None: all.
        """
        size = self._listing.size if wanted is None else min(self._listing.size, wanted)
        while not self.done:
            answer = await self._next_answer(size)
            fresh = self._take(answer)
            if fresh:
                return Page(items=fresh, cursor=answer.cursor)
        return Page(items=(), cursor=None)

    async def _next_answer(self, size: int) -> Page[T]:
        """Ask until an answer is certain to continue the list. Changes nothing when it fails."""
        again = self._skipping or self._since is not None
        if again:
            # Two records at least, for the next request to have an anchor.
            size = max(self._listing.size, 2)
        if not self._tail:
            start = None if again else self._listing.starting_after
            return await self._run(self._listing.call(start, size))
        for place in self._places():
            overlap = len(self._tail) - 1 - place
            cursor = self._tail[place][0]
            call = self._listing.call(cursor, min(size + overlap, self._listing.most))
            try:
                answer = await self._run(call)
            except APIError as error:
                if error.status not in _CURSOR_REFUSED:
                    raise
                continue
            if self._continues(answer, place):
                return answer
        top = await self._run(self._listing.call(None, max(self._listing.size, 2)))
        self._restart()
        return top

    def _restart(self) -> None:
        self._restarts += 1
        if self._restarts > _RESTARTS:
            raise self._goes_in_a_circle()
        self._skipping = True
        self._circle = _CircleDetector()
        self._tail, self._head = [], frozenset()

    def _places(self) -> Iterable[int]:
        """Where in the tail to set the cursor: best, then simplest, then up to two earlier ones."""
        last = len(self._tail) - 1
        best = last - 1
        if self._order.moves and self._order.ascending:
            # All records of the last moment are read again: others may have moved among them.
            while best > 0 and self._tail[best][1] == self._tail[last][1]:
                best -= 1
        # While skipping, the order of what has come says nothing: there, only anchors count. So it
        # is in a list whose cursor may move to the end, where what lies between would be lost.
        simplest = -1 if self._skipping or (self._order.moves and self._order.ascending) else last
        first, second = (simplest, best) if self._overlaps_cost else (best, simplest)
        places = dict.fromkeys((first, second, last // 2, 0))
        return [place for place in places if place >= 0 and (place < last or place == simplest)]

    @property
    def _overlaps_cost(self) -> bool:
        """
        Whether to begin each request one record early costs requests by now.

        In pages of the largest size it makes each of them one record shorter. Up to as many pages
        as a page has records, that is one request at most: the one that an empty page at the end
        would cost.
        """
        size = self._listing.size
        return size == self._listing.most and self._pages >= size - 2

    def _continues(self, answer: Page[T], place: int) -> bool:
        """Whether *answer* is certain to go on where the tail ends, without a gap."""
        marks = self._marks(answer)
        if not marks or (answer.cursor is not None and marks[-1] in self._tail):
            return False
        anchors = self._tail[place + 1 :]
        if not self._head.isdisjoint(set(marks).difference(self._tail)):
            return False
        if anchors:
            return self._tail[place] not in marks and not set(anchors).isdisjoint(marks)
        if self._tail[-1] in marks:
            return True
        key, at = marks[0]
        last = self._tail[-1][1]
        if at != last:
            return self._is_behind(at, last)
        return key not in self._known and all(key != other for other, _ in self._tail)

    def _is_behind(self, at: float, other: float) -> bool:
        return at > other if self._order.ascending else at < other

    def _marks(self, answer: Page[T]) -> list[Mark]:
        key, at = self._listing.key, self._order.at
        return [(key(item), at(item)) for item in answer.items]

    def _take(self, answer: Page[T]) -> tuple[T, ...]:
        """Note where *answer* ends, and return what has not come before."""
        marks = self._marks(answer)
        fresh = self._fresh(answer, marks)
        repeats = False
        if marks:
            came = set(marks)
            earlier = [mark for mark in self._tail if mark not in came]
            self._tail = (earlier + list(dict.fromkeys(marks)))[-max(len(marks), _KEPT) :]
            repeats = answer.cursor is not None and self._circle.meets(self._tail[-1])
        self._pages += 1
        if self._pages == 1:
            self._recent = max((at for _, at in marks), default=self._recent)
        self._head = self._head or frozenset(marks)
        if fresh:
            self._found = True
            self._restarts = 0
        caught_up = self._since is not None and any(at < self._since for _, at in marks)
        if answer.cursor is None or caught_up:
            self._end_pass()
        elif repeats and not fresh:
            self._restart()
        return fresh

    def _fresh(self, answer: Page[T], marks: list[Mark]) -> tuple[T, ...]:
        fresh = []
        moves = self._order.moves
        came = self._known if moves else self._known | {key for key, _ in self._tail}
        first = 0
        if not moves and self._tail:
            # What stands before the anchor arrived there since, or has come.
            tail = set(self._tail)
            first = next((place for place, mark in enumerate(marks) if mark in tail), 0)
        position = self._position
        skips = self._skipping and not (moves and self._listing.starting_after is None)
        for item, mark in zip(answer.items[first:], marks[first:], strict=True):
            key, at = mark
            if key in came or (skips and position is not None and self._is_behind(position, at)):
                continue
            came.add(key)
            fresh.append(item)
            if moves or at == self._position:
                self._known.add(key)
            else:
                # Behind the moment up to which records had come: there is nothing to skip here.
                self._known, self._skipping = {key}, False
            self._position = at
        return tuple(fresh)

    def _end_pass(self) -> None:
        """Read the recent end once more, unless nothing can have moved past the reader."""
        order = self._order
        still = self._since is not None and self._recent <= self._since and not self._found
        # A single page is one moment. What is above a record that the caller gave belongs to
        # whatever read it before.
        if (
            not order.moves
            or order.ascending
            or self._pages <= 1
            or still
            or self._listing.starting_after is not None
        ):
            self.done = True
            return
        self._since = self._recent
        self._begin_pass()

    def _goes_in_a_circle(self) -> DecodeError:
        behind = f"records behind {self._tail[-1][0]!r}" if self._tail else "the records of a list"
        return DecodeError(
            json_path="$.data",
            expected=behind,
            got="such as have come before, again and again: the list goes round in a circle",
            method="GET",
            path=self._listing.path,
        )


class _CircleDetector:
    """Notices, in constant memory, that a sequence repeats itself (Brent's algorithm)."""

    __slots__ = ("_kept", "_power", "_steps")

    def __init__(self) -> None:
        self._kept: Mark | None = None
        self._power = 1
        self._steps = 0

    def meets(self, mark: Mark) -> bool:
        """Take one step; whether it leads to where the sequence has been."""
        if mark == self._kept:
            return True
        self._steps += 1
        if self._steps == self._power:
            self._kept, self._steps = mark, 0
            self._power *= 2
        return False
