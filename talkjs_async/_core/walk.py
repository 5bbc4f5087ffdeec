"""
The way through a list whose records come, go and move while it is read.

Every record that is there throughout comes exactly once. Three things would break that, and each
has its remedy here:

*The cursor is gone.* Whether TalkJS then refuses the request, answers an empty page or begins the
list anew is not documented. So an answer counts only when it is certain to continue the one before.
Each request begins one record early, behind the last but one: an answer that holds the last one
(its anchor) leaves no gap, and an end that shows it is the end. (In long lists, only where doubt
arises: see `_overlaps_cost`.) If it does not come, the last one is the cursor, as documented, and
what comes must lie behind it by the list's own order; then earlier ones are. Where no cursor helps,
the walk starts from where it began and skips what has come.

*A record moves past the reader.* What gets a message goes to the recent end. Newest first, that end
is read once more when the walk is over, down to where nothing is new. Oldest first, such a record
stays ahead. What loses its last message may go back, to any place: newest first, it stays ahead;
oldest first, it may pass the reader, and only a second reading of all would find it. A cursor that
moves, either way, would take the reader along. So where records move, only anchors count. Oldest
first, what moves within its own millisecond looks as if it stood: cursor and anchors may have gone
to the end together. So each request begins behind a record of an earlier moment, where that costs
nothing. Where it does, an answer that looks odd does not count, and in the end the first page is
read again: only if it is what it was, all the others are.

*The server goes round in a circle.* That is an error which says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from talkjs_async._core.call import Run
from talkjs_async._core.circle import CircleDetector
from talkjs_async._core.listing import Listing, Page
from talkjs_async.errors import APIError, DecodeError

T = TypeVar("T")

Mark = tuple[str, float]
"""A record and its moment: a record that has moved is another mark."""

_KEPT: Final = 4
"""Marks of earlier pages that are kept where pages are smaller: the last one and three before."""

_FEW: Final = 3
"""Records that tell by their order whether they stood still."""

_KNOWN_IN_PLACE: Final = 500
"""IDs of one millisecond that are kept where a walk is interrupted."""

_RESTARTS: Final = 8
"""How often in a row a walk may start from the top without finding anything new."""

_RESTARTS_IN_VAIN: Final = 2
"""
After so many in a row, the server may be an imitation that follows the documentation to the letter:
it knows no cursors but the last ones of the pages that it gave.
"""

_CURSOR_REFUSED: Final = frozenset({400, 404, 409, 410, 422})
"""Statuses that may say that the cursor is gone. Which one is not documented."""


class Walk(Generic[T]):
    """
    Reads a list from its beginning to its end, one page at a time.

    Memory holds the marks of one page and the IDs of the records that share the last one's
    millisecond; in a list whose records move, the IDs of all records that have come.
    """

    __slots__ = (
        "_again",
        "_circle",
        "_doubted",
        "_first",
        "_found",
        "_head",
        "_known",
        "_knows_only_last",
        "_knows_others",
        "_listing",
        "_order",
        "_pages",
        "_position",
        "_recent",
        "_restarts",
        "_run",
        "_since",
        "_skipping",
        "_stuck",
        "_stuck_at",
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
        # Where the walk started from the top lately, how often in a row.
        self._stuck_at: Mark | None = None
        self._stuck = 0
        self._knows_only_last = False
        # Whether a cursor that is not the last one of its page has got an answer of its own.
        self._knows_others = False
        # Whether this pass is not the first; newest first, the most recent moment before it.
        self._again = False
        self._since = float("-inf")
        # The first page of the pass before this one, or before this start from the top.
        self._first: list[Mark] = []
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
        self._head: list[Mark] = []
        self._circle = CircleDetector()
        self._recent = float("-inf")
        self._pages = 0
        self._found = False
        # Whether an answer was taken that may be behind a cursor which has moved.
        self._doubted = False

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
        again = self._skipping or self._again
        if again:
            # Two records at least, for the next request to have an anchor.
            size = max(self._listing.size, 2)
        if not self._tail:
            start = None if again else self._listing.starting_after
            return await self._run(self._listing.call(start, size))
        refused = False
        end: Page[T] | None = None
        for place in self._places():
            if end is not None and end.items and place >= self._earlier:
                # It would show no more than the answer before.
                continue
            overlap = len(self._tail) - 1 - place
            cursor = self._listing.starting_after if place < 0 else self._tail[place][0]
            answer = await self._ask(cursor, min(size + overlap, self._listing.most))
            if answer is None:
                refused = True
            elif self._continues(answer, place):
                self._knows_only_last |= self._restarts >= _RESTARTS_IN_VAIN
                return answer
            elif not answer.items or self._holds_only_anchors(answer, place):
                end = answer
            elif overlap and not _begins_with(self._marks(answer), self._head, at_least=1):
                self._knows_others = True
        return await self._from_the_beginning(end, refused=refused)

    async def _from_the_beginning(self, end: Page[T] | None, *, refused: bool) -> Page[T]:
        """
        Ask for the first page, where no cursor shows how the list goes on.

        Args:
            end: An answer that says that the list ends.
            refused: Whether there were cursors that the server refused.
        """
        start = self._listing.starting_after
        size = max(self._listing.size, 2)
        if not self._order.moves:
            if start is not None and end is None:
                # Rather there than at the top: what is above it is not this walk's business.
                answer = await self._ask(start, size)
                if answer is not None and answer.items:
                    self._restart()
                    return answer
                end = answer
            if refused and end is not None:
                # Where a cursor that is gone is refused, an empty page is what it says: the end.
                return end
        top = await self._run(self._listing.call(None, size))
        if end is not None and end.items and _begins_with(self._marks(top), self._head):
            self._doubted = False
            return end
        self._restart()
        return top

    async def _ask(self, cursor: str | None, size: int) -> Page[T] | None:
        """Ask for what is behind *cursor*; None when it is refused."""
        try:
            return await self._run(self._listing.call(cursor, size))
        except APIError as error:
            if cursor is None or error.status not in _CURSOR_REFUSED:
                raise
            return None

    def _restart(self) -> None:
        self._restarts += 1
        here = self._tail[-1]
        self._stuck = self._stuck + 1 if here == self._stuck_at else 1
        self._stuck_at = here
        # A record from which a walk was sent back, and that it has come to again, is not gone.
        if self._restarts > _RESTARTS or self._stuck > _RESTARTS_IN_VAIN + 1:
            raise self._goes_in_a_circle()
        self._skipping = True
        self._circle = CircleDetector()
        self._tail, self._head = [], []

    def _places(self) -> Iterable[int]:
        """
        Where in the tail to set the cursor: best, then simplest, then up to two earlier ones.

        -1 is where the walk began: the tail of one record is all that has come.
        """
        order = self._order
        last = len(self._tail) - 1
        best = self._best
        # While skipping, the order of what has come says nothing: there, only anchors count. So it
        # is where the cursor itself may have moved.
        doubtful = (self._skipping or order.moves) and not self._knows_only_last
        imitation = self._restarts >= _RESTARTS_IN_VAIN and not self._knows_others
        simplest = () if doubtful and not imitation else (last,)
        likely = (*simplest, best) if self._overlaps_cost else (best, *simplest)
        earlier = (place for place in (last // 2, 0) if place < last)
        start_stays = self._listing.starting_after is None or not order.moves
        return [place for place in dict.fromkeys((*likely, *earlier)) if place >= 0 or start_stays]

    @property
    def _best(self) -> int:
        last = len(self._tail) - 1
        if not self._goes_up:
            return last - 1
        # One that cannot have moved within the last moment, where pages get no smaller by it.
        room = max(self._listing.most - self._listing.size, 1)
        return max(self._earlier - 1, last - room, min(-self._is_whole, last - 1))

    @property
    def _is_whole(self) -> bool:
        """Whether the tail is all that has come since the top."""
        return self._listing.starting_after is None and self._tail == self._head

    @property
    def _goes_up(self) -> bool:
        """Whether records move ahead of the reader."""
        return self._order.moves and self._order.ascending

    @property
    def _earlier(self) -> int:
        """Where in the tail the last record stands that is not of the last moment; -1: nowhere."""
        last = len(self._tail) - 1
        moment = self._tail[last][1]
        return next((i for i in range(last, -1, -1) if self._tail[i][1] != moment), -1)

    @property
    def _overlaps_cost(self) -> bool:
        """
        Whether to begin each request one record early costs requests by now.

        In pages of the largest size it makes each of them one record shorter. Up to as many pages
        as a page has records, that is one request at most: the one that an empty page at the end
        would cost. (Lists whose records move have no other way: there, a request in as many.)
        """
        size = self._listing.size
        return size == self._listing.most and self._pages >= size - 2

    def _continues(self, answer: Page[T], place: int) -> bool:
        """Whether *answer* is certain to go on where the tail ends, without a gap."""
        marks = self._marks(answer)
        stands = not marks or (answer.cursor is not None and marks[-1] in self._tail)
        if stands or not set(self._head).isdisjoint(set(marks).difference(self._tail)):
            return False
        if place < len(self._tail) - 1:
            return self._is_anchored(marks, place)
        if self._tail[-1] in marks:
            return True
        key, at = marks[0]
        last = self._tail[-1][1]
        if at != last:
            return self._is_behind(at, last)
        # Where the caller began elsewhere than at the top, a list begun anew looks the same.
        seen = key in self._known or any(key == other for other, _ in self._tail)
        return not seen and self._listing.starting_after is None

    def _is_anchored(self, marks: list[Mark], place: int) -> bool:
        """Whether *marks* hold records behind the cursor that cannot have moved along with it."""
        anchors = self._tail[place + 1 :]
        came_again = place >= 0 and self._tail[place] in marks
        sure = anchors[: max(self._earlier - place, 0)] if self._goes_up else anchors
        if came_again or set(sure or anchors).isdisjoint(marks):
            return False
        if not sure and place >= 0:
            odd = self._looks_odd(marks, place)
            if odd and not self._restarts:
                return False
            others = {at for _, at in marks[len(anchors) :]}
            self._doubted |= odd or others == {anchors[-1][1]}
        return True

    def _looks_odd(self, marks: list[Mark], place: int) -> bool:
        """Whether the cursor, and all that came behind it, may have moved within a moment."""
        anchors = self._tail[place + 1 :]
        others = marks[len(anchors) :]
        if marks[: len(anchors)] != anchors or any(key in self._known for key, _ in others):
            return True
        # Else each list that ends with a full page would cost a request more.
        ends_here = (
            len(anchors) == 1
            and place == self._best
            and self._tail[place][1] != anchors[0][1]
            and not self._skipping
        )
        return not others and not ends_here

    def _holds_only_anchors(self, answer: Page[T], place: int) -> bool:
        """Whether *answer* says that the list ends, though all of it may have moved there."""
        return self._goes_up and self._marks(answer) == self._tail[place + 1 :]

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
        self._head = self._head or marks
        if fresh:
            self._found = True
            self._restarts = 0
        # A page with news is not yet where nothing is new, whatever the moments in it say.
        caught_up = (
            self._again
            and not fresh
            and (
                (self._pages == 1 and _begins_with(marks, self._first))
                or (not self._goes_up and any(at < self._since for _, at in marks))
            )
        )
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
        if not moves:
            # What stands before the anchor arrived there since, or has come. What stands before
            # the caller's own cursor belongs to whatever read it before.
            tail, start = set(self._tail), self._listing.starting_after
            for place, mark in enumerate(marks):
                if mark[0] == start:
                    first = place + 1
                elif mark in tail:
                    first = max(first, place)
                    break
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
        """Read once more what may hold news: the recent end, or all; unless nothing can."""
        order = self._order
        if order.ascending:
            still = not self._doubted or (self._again and not self._found)
        else:
            still = self._again and self._recent <= self._since and not self._found
        # A single page is one moment. What is above a record that the caller gave belongs to
        # whatever read it before.
        single = self._pages <= 1
        if not order.moves or still or single or self._listing.starting_after is not None:
            self.done = True
            return
        self._again = True
        self._since, self._first = self._recent, self._head
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


def _begins_with(marks: list[Mark], others: list[Mark], *, at_least: int = _FEW) -> bool:
    """
    Whether a page begins as another one did.

    If so, none of its records has moved: to look the same, all of them would have to be moved again
    within their moments, in the right order. Of two or fewer, that is not unlikely.
    """
    shared = min(len(marks), len(others))
    return shared >= at_least and marks[:shared] == others[:shared]
