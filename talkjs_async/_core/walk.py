"""
The way through a list whose records come, go and move while it is read.

Every record that is there throughout comes exactly once. What continues the list is the business of
`_core.trail`. Here is decided what to ask for, and when all has come:

*No cursor helps.* The walk starts from where it began and skips what has come.

*A record moves past the reader.* What gets a message goes to the recent end. Newest first, that end
is read once more when the walk is over, down to where nothing is new. Oldest first, such a record
stays ahead. What loses its last message may go back, to any place: newest first, it stays ahead;
oldest first, it may pass the reader, and only a second reading of all would find it.

*A doubt remains* whether an answer was behind a cursor which has moved. Then the first page is read
again in the end: only if it is what it was, all the others are.

*The server goes round in a circle.* That is an error which says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from talkjs_async._core.call import Run
from talkjs_async._core.circle import CircleDetector
from talkjs_async._core.listing import Listing, Page
from talkjs_async._core.trail import RESTARTS_IN_VAIN, Mark, Trail, begins_with
from talkjs_async.errors import APIError, DecodeError

T = TypeVar("T")

_RESTARTS: Final = 8
"""How often in a row a walk may start from the top without finding anything new."""

_CURSOR_REFUSED: Final = frozenset({400, 404, 409, 410, 422})
"""Statuses that may say that the cursor is gone. Which one is not documented."""


class Walk(Generic[T]):
    """Reads a list from its beginning to its end, one page at a time."""

    __slots__ = (
        "_again",
        "_circle",
        "_first",
        "_found",
        "_listing",
        "_order",
        "_recent",
        "_run",
        "_since",
        "_stuck",
        "_stuck_at",
        "_trail",
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
        self._trail = Trail(listing, place)
        self.done = False
        # Where the walk started from the top lately, how often in a row.
        self._stuck_at: Mark | None = None
        self._stuck = 0
        # Whether this pass is not the first; newest first, the most recent moment before it.
        self._again = False
        self._since = float("-inf")
        # The first page of the pass before this one, or before this start from the top.
        self._first: list[Mark] = []
        self._begin_pass()

    @property
    def place(self) -> dict[str, Any]:
        """Where another walk can go on, in a form that JSON can hold. Not where records move."""
        return self._trail.place

    def _begin_pass(self) -> None:
        self._circle = CircleDetector()
        self._recent = float("-inf")
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
        trail = self._trail
        again = trail.skipping or self._again
        if again:
            # Two records at least, for the next request to have an anchor.
            size = max(self._listing.size, 2)
        if not trail.tail:
            start = None if trail.skipping else self._listing.starting_after
            if not self._again:
                return await self._run(self._listing.call(start, size))
            # What the caller gave may be gone by now.
            return await self._ask(start, size) or Page(items=(), cursor=None)
        refused = unsure = False
        end: Page[T] | None = None
        for place in trail.places():
            if end and place >= trail.earlier:
                # It would show no more than the answer before.
                continue
            wider = min(size + len(trail.anchors(place)), self._listing.most)
            answer = await self._ask(trail.cursor(place), wider)
            if answer is None:
                refused = True
                continue
            verdict = trail.judge(answer, place)
            if verdict == "continues":
                return answer
            if verdict == "ends":
                end = answer
            else:
                unsure = True
        return await self._from_the_beginning(end, refused=refused, unsure=unsure)

    async def _from_the_beginning(
        self, end: Page[T] | None, *, refused: bool, unsure: bool
    ) -> Page[T]:
        """
        Ask for the first page, where no cursor shows how the list goes on.

        Args:
            end: An answer that says that the list ends.
            refused: Whether there were cursors that the server refused.
            unsure: Whether there were answers that say nothing.
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
        if end and not unsure and begins_with(self._trail.marks(top), self._trail.head):
            self._trail.doubted = False
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
        trail = self._trail
        here = trail.tail[-1]
        self._stuck = self._stuck + 1 if here == self._stuck_at else 1
        self._stuck_at = here
        # A record from which a walk was sent back, and that it has come to again, is not gone.
        if trail.restarts >= _RESTARTS or self._stuck > RESTARTS_IN_VAIN + 1:
            raise self._goes_in_a_circle(here)
        trail.begin_anew()
        self._circle = CircleDetector()

    def _take(self, answer: Page[T]) -> tuple[T, ...]:
        """Note what *answer* says of the list, and return what has not come before."""
        trail = self._trail
        fresh = trail.take(answer)
        marks = trail.marks(answer)
        repeats = bool(marks) and answer.cursor is not None and self._circle.meets(trail.tail[-1])
        if trail.pages == 1:
            self._recent = max((at for _, at in marks), default=self._recent)
        if fresh:
            self._found = True
        # A page with news is not yet where nothing is new, whatever the moments in it say.
        caught_up = (
            self._again
            and not fresh
            and (
                (trail.pages == 1 and begins_with(marks, self._first))
                or (not self._order.moves_ahead and any(at < self._since for _, at in marks))
            )
        )
        if answer.cursor is None or caught_up:
            self._end_pass()
        elif repeats and not fresh:
            self._restart()
        return fresh

    def _end_pass(self) -> None:
        """Read once more what may hold news: the recent end, or all; unless nothing can."""
        order, trail = self._order, self._trail
        if order.ascending:
            still = not trail.doubted or (self._again and not self._found)
        else:
            still = self._again and self._recent <= self._since and not self._found
            # What is above a record that the caller gave belongs to whatever read it before.
            still |= self._listing.starting_after is not None
        # A single page is one moment.
        if not order.moves or still or trail.pages <= 1:
            self.done = True
            return
        self._again = True
        self._since, self._first = self._recent, trail.head
        trail.begin()
        self._begin_pass()

    def _goes_in_a_circle(self, last: Mark) -> DecodeError:
        return DecodeError(
            json_path="$.data",
            expected=f"records behind {last[0]!r}",
            got="such as have come before, again and again: the list goes round in a circle",
            method="GET",
            path=self._listing.path,
        )
