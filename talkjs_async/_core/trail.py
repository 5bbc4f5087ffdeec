"""
What was read of a list, and whether an answer continues it.

Knows records, pages and their order, nothing of requests; `_core.walk` asks it where to set the
next cursor. Three things happen to a list while it is read:

*The cursor is gone.* Whether TalkJS then refuses the request, answers an empty page or begins the
list anew is not documented. So an answer counts only when it is certain to continue the one before.
Each request begins one record early, behind the last but one: an answer that holds the last one
(its anchor) leaves no gap, and an end that shows it is the end. (In long lists, only where doubt
arises: see `_overlaps_cost`.) If it does not come, the last one is the cursor, as documented, and
what comes must lie behind it by the list's own order; then earlier ones are.

*The cursor moves.* It would take the reader along, to either end. So where records move, only
anchors count. Oldest first, what moves within its own millisecond looks as if it stood: cursor and
anchors may have gone to the end together. So each request begins two records early, for an anchor
of an earlier moment, where that costs no requests: behind the first page, and in smaller pages than
the largest. Elsewhere an answer that looks odd does not count, or leaves a doubt; one that looks
like the end is taken for it, since a list that ends there would answer the same.

*The list begins anew*, because no cursor helps. Records that were read already are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Generic, Literal, TypeVar

from talkjs_async._core.listing import Listing, Page

T = TypeVar("T")

Mark = tuple[str, float]
"""A record and its moment: a record that has moved is another mark."""

Verdict = Literal["continues", "ends", "unsure"]
"""
What an answer shows: the list goes on with it, without a gap; it says that the list ends, though
that is not certain; or it may be anything.
"""

_KEPT: Final = 4
"""Marks of earlier pages that are kept where pages are smaller: the last one and three before."""

_FEW: Final = 3
"""Records that tell by their order whether they stood still."""

_KNOWN_IN_PLACE: Final = 500
"""IDs of one millisecond that are kept where a walk is interrupted."""

RESTARTS_IN_VAIN: Final = 2
"""
After so many in a row, the server may be an imitation that follows the documentation to the letter:
it knows no cursors but the last ones of the pages that it gave.
"""


class Trail(Generic[T]):
    """
    The marks of the last page and what else is needed to recognise what comes behind it.

    Memory holds the marks of one page and the IDs of the records that share the last one's
    millisecond; in a list whose records move, the IDs of all records that have come.

    Attributes:
        tail: The last marks, in order.
        head: The first page of this pass, or of this start from the top.
        pages: How many were read in this pass.
        skipping: Whether the list was begun anew, and nothing new has come since.
        restarts: How often it was begun anew since something new came.
        doubted: Whether an answer was taken that may be behind a cursor which has moved.
    """

    __slots__ = (
        "_known",
        "_knows_only_last",
        "_knows_others",
        "_listing",
        "_order",
        "_position",
        "doubted",
        "head",
        "pages",
        "restarts",
        "skipping",
        "tail",
    )

    def __init__(self, listing: Listing[T], place: Mapping[str, Any] | None = None) -> None:
        self._listing = listing
        self._order = listing.order
        # What has come: all IDs where records move, else those of the last moment.
        self._known: set[str] = set()
        # The moment of the last record that has come.
        self._position: float | None = None
        self._knows_only_last = False
        # Whether a cursor that is not the last one of its page has got an answer of its own.
        self._knows_others = False
        self.skipping = False
        self.restarts = 0
        self.begin()
        if place:
            self.tail += [(key, at) for key, at in place["tail"]]
            self._known, self._position = set(place["known"]), place["position"]

    @property
    def place(self) -> dict[str, Any]:
        """What another trail needs to go on, in a form that JSON can hold."""
        # So many records in one millisecond are few only where they were imported.
        known = sorted(self._known)[:_KNOWN_IN_PLACE]
        return {"tail": self.tail[-_KEPT:], "known": known, "position": self._position}

    def begin(self) -> None:
        """Begin to read from the start."""
        self.tail: list[Mark] = []
        self.head: list[Mark] = []
        self.pages = 0
        self.doubted = False

    def begin_anew(self) -> None:
        """Begin to read from the top, to skip what has come."""
        self.restarts += 1
        self.skipping = True
        self.tail, self.head = [], []

    def places(self) -> Iterable[int]:
        """
        Where in the tail to set the cursor: best, then simplest, then up to two earlier ones.

        -1 is where the walk began: the tail of one record is all that has come.
        """
        order = self._order
        last = len(self.tail) - 1
        best = self._best
        # While skipping, the order of what has come says nothing: there, only anchors count. So it
        # is where the cursor itself may have moved.
        doubtful = (self.skipping or order.moves) and not self._knows_only_last
        imitation = self.restarts >= RESTARTS_IN_VAIN and not self._knows_others
        simplest = () if doubtful and not imitation else (last,)
        likely = (*simplest, best) if self._overlaps_cost else (best, *simplest)
        earlier = (place for place in (last // 2, 0) if place < last)
        return dict.fromkeys((*likely, *earlier))

    def cursor(self, place: int) -> str | None:
        """Return the cursor at a place in the tail."""
        return self._listing.starting_after if place < 0 else self.tail[place][0]

    def anchors(self, place: int) -> list[Mark]:
        """Return the records that came behind a place in the tail."""
        return self.tail[place + 1 :]

    @property
    def earlier(self) -> int:
        """Where in the tail the last record stands that is not of the last moment; -1: nowhere."""
        last = len(self.tail) - 1
        moment = self.tail[last][1]
        return next((i for i in range(last, -1, -1) if self.tail[i][1] != moment), -1)

    @property
    def _best(self) -> int:
        last = len(self.tail) - 1
        if not self._order.moves_ahead:
            return last - 1
        # One that cannot have moved within the last moment, where that costs nothing; besides it, a
        # record of each page is paid for an anchor, and one of the first page for another. More
        # would be more requests than a list may cost: its pages and one.
        free = self._listing.most - self._listing.size
        room = max(free, self.tail == self.head) + 1
        if self.earlier - 1 < last - room:
            # Out of reach: this many anchors are as good.
            room = max(free, 1)
        return max(self.earlier - 1, last - room, min(-self._is_whole, last - 1))

    @property
    def _is_whole(self) -> bool:
        """Whether the tail is all that has come since the start."""
        return self.tail[:1] == self.head[:1]

    @property
    def _overlaps_cost(self) -> bool:
        """
        Whether to begin each request one record early costs requests by now.

        In pages of the largest size it makes each of them one record shorter. Up to as many pages
        as a page has records, that is one request at most: the one that an empty page at the end
        would cost. (Lists whose records move have no other way: there, a request in as many.)
        """
        size = self._listing.size
        return size == self._listing.most and self.pages >= size - 2

    def judge(self, answer: Page[T], place: int) -> Verdict:
        """Say what the answer to a request behind a place in the tail shows."""
        marks = self.marks(answer)
        anchors = self.anchors(place)
        if marks and self._continues(answer, marks, place):
            self._knows_only_last |= self.restarts >= RESTARTS_IN_VAIN
            return "continues"
        if not marks or (self._order.moves_ahead and marks == anchors):
            return "ends"
        if anchors and not begins_with(marks, self.head, at_least=1):
            self._knows_others = True
        return "unsure"

    def _continues(self, answer: Page[T], marks: list[Mark], place: int) -> bool:
        """Whether *answer* is certain to go on where the tail ends, without a gap."""
        stands = answer.cursor is not None and marks[-1] in self.tail
        if stands or not set(self.head).isdisjoint(set(marks).difference(self.tail)):
            return False
        if place < len(self.tail) - 1:
            return self._is_anchored(marks, place)
        if self.tail[-1] in marks:
            return True
        key, at = marks[0]
        last = self.tail[-1][1]
        if at != last:
            return self._order.is_behind(at, last)
        # Where the caller began elsewhere than at the top, a list begun anew looks the same.
        seen = key in self._known or any(key == other for other, _ in self.tail)
        return not seen and self._listing.starting_after is None

    def _is_anchored(self, marks: list[Mark], place: int) -> bool:
        """Whether *marks* hold records behind the cursor that cannot have moved along with it."""
        anchors = self.anchors(place)
        came_again = place >= 0 and self.tail[place] in marks
        sure = anchors[: max(self.earlier - place, 0)] if self._order.moves_ahead else anchors
        if came_again or set(sure or anchors).isdisjoint(marks):
            return False
        if not sure and self.cursor(place) is not None:
            # Elsewhere than at the best place is asked only where something has moved.
            usual = place == self._best and 0 <= place <= self.earlier and not self.skipping
            odd = self._looks_odd(marks, anchors, usual=usual)
            if odd and not self.restarts:
                return False
            others = {at for _, at in marks[len(anchors) :]}
            self.doubted |= odd or not usual or others == {anchors[-1][1]}
        return True

    def _looks_odd(self, marks: list[Mark], anchors: list[Mark], *, usual: bool) -> bool:
        """Whether the cursor, and all that came behind it, may have moved within a moment."""
        others = marks[len(anchors) :]
        if marks[: len(anchors)] != anchors or any(key in self._known for key, _ in others):
            return True
        # Else each list that ends with a full page would cost a request more.
        ends_here = usual and len(anchors) == 1
        return not others and not ends_here

    def marks(self, answer: Page[T]) -> list[Mark]:
        """Return the marks of the records of a page."""
        key, at = self._listing.key, self._order.at
        return [(key(item), at(item)) for item in answer.items]

    def take(self, answer: Page[T]) -> tuple[T, ...]:
        """Go on to where *answer* ends; return what has not come before."""
        marks = self.marks(answer)
        fresh = self._fresh(answer, marks)
        if marks:
            came = set(marks)
            earlier = [mark for mark in self.tail if mark not in came]
            self.tail = (earlier + list(dict.fromkeys(marks)))[-max(len(marks), _KEPT) :]
        self.pages += 1
        self.head = self.head or marks
        if fresh:
            self.restarts = 0
        return fresh

    def _fresh(self, answer: Page[T], marks: list[Mark]) -> tuple[T, ...]:
        fresh = []
        moves = self._order.moves
        came = self._known if moves else self._known | {key for key, _ in self.tail}
        first = 0
        if not moves:
            # What stands before the anchor arrived there since, or has come. What stands before
            # the caller's own cursor belongs to whatever read it before.
            tail, start = set(self.tail), self._listing.starting_after
            for place, mark in enumerate(marks):
                if mark[0] == start:
                    first = place + 1
                elif mark in tail:
                    first = max(first, place)
                    break
        position = self._position
        skips = self.skipping and not (moves and self._listing.starting_after is None)
        for item, mark in zip(answer.items[first:], marks[first:], strict=True):
            key, at = mark
            if key in came or (
                skips and position is not None and self._order.is_behind(position, at)
            ):
                continue
            fresh.append(item)
            if moves or at == self._position:
                self._known.add(key)
            else:
                # Behind the moment up to which records had come: there is nothing to skip here.
                self._known, self.skipping = {key}, False
            if not self.skipping:
                self._position = at
        return tuple(fresh)


def begins_with(marks: list[Mark], others: list[Mark], *, at_least: int = _FEW) -> bool:
    """
    Whether a page begins as another one did.

    If so, none of its records has moved: to look the same, all of them would have to be moved again
    within their moments, in the right order. Of two or fewer, that is not unlikely.
    """
    shared = min(len(marks), len(others))
    return shared >= at_least and marks[:shared] == others[:shared]
