"""A list under everything that may happen to it while it is read."""

from __future__ import annotations

from typing import Any, get_args

import anyio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from talkjs_async._core.listing import Listing
from talkjs_async._core.pages import Records
from tests.core.list_server import GoneCursor, ListServer, ids_of, listing

GONE_CURSORS = get_args(GoneCursor)

ACTION_NAMES = [
    *["move", "move back", "move the cursor back", "create"],
    *["delete cursor", "delete page", "delete earlier", "delete"],
]
ACTIONS = st.tuples(
    st.integers(1, 14),  # after which answer
    st.sampled_from(ACTION_NAMES),
    st.integers(0, 24),  # which record, for the actions that need one
    st.booleans(),  # whether time goes on before it
)


class _World:
    """What happens to a list of things while it is read, and what was there throughout."""

    def __init__(
        self, count: int, actions: list[tuple[int, str, int, bool]], asked: Listing[Any]
    ) -> None:
        self.now = 1_000
        self.actions = actions
        self.asked = asked
        self.staying = {f"r{number}" for number in range(count)}
        self.pages: list[list[str]] = []
        self.created = 0
        self.moved: set[str] = set()

    def between(self, server: ListServer) -> None:
        page = [key for key, _ in server.page(server.asked[-1])]
        self.pages.append(page)
        for when, action, which, later in self.actions:
            if when == len(server.asked):
                self.now += later
                self._do(action, which, server)

    def _do(self, action: str, which: int, server: ListServer) -> None:
        read = [key for page in self.pages for key in page]
        key = f"r{which}"
        if action == "create":
            self.created += 1
            server.records.append((f"new{self.created}", self.now))
        elif action.startswith("move"):
            if action == "move the cursor back":
                key = read[-1] if read else key
            if self.asked.order.moves:
                self._move(key, None if action == "move" else 897 + which, server)
        else:
            gone = {
                "delete cursor": read[-1:],
                "delete page": self.pages[-1],
                "delete earlier": read,
                "delete": [key],
            }[action]
            server.delete(*gone)
            self.staying -= set(gone)

    def _move(self, key: str, back_to: int | None, server: ListServer) -> None:
        at = dict(server.records).get(key)
        if at is None or (back_to is not None and back_to >= at):
            return
        server.move(key, self.now if back_to is None else back_to)
        if back_to is None:
            server.records.sort(key=lambda record: record[0] == key)
        # What no reader can be held to: what moves back past it, or past its second look; and the
        # second look is not for lists that begin behind a record of the caller's.
        passes = (
            self.asked.order.ascending or key in self.moved
            if back_to is not None
            else key in self.moved or self.asked.starting_after is not None
        )
        self.moved.add(key)
        if passes:
            self.staying.discard(key)


@example(count=24, page_size=5, largest=False, ascending=False, moves=False, gone="start", spread=1,
         begin=None,
         actions=[(1, "delete page", 0, False), (2, "delete cursor", 0, False),
                  (3, "create", 0, False), (3, "delete cursor", 0, False),
                  (6, "delete cursor", 0, False), (6, "delete", 10, False)])  # fmt: skip
@settings(max_examples=4 * settings().max_examples, deadline=None)
@example(count=3, page_size=1, largest=False, ascending=True, moves=True, gone="reject", spread=1,
         begin=None, actions=[(2, "move", 0, True), (2, "move", 1, True)])  # fmt: skip
@example(count=10, page_size=1, largest=False, ascending=True, moves=True, gone="empty", spread=1,
         begin=None,
         actions=[(8, "move", 6, True), (8, "move", 0, True), (9, "move", 6, True)])  # fmt: skip
@example(count=3, page_size=1, largest=False, ascending=True, moves=True, gone="reject", spread=0,
         begin=0, actions=[(1, "move", 0, False), (1, "move", 1, False)])  # fmt: skip
@example(count=13, page_size=4, largest=True, ascending=True, moves=False, gone="reject", spread=0,
         begin=4, actions=[(3, "delete earlier", 0, False)])  # fmt: skip
@example(count=18, page_size=2, largest=False, ascending=False, moves=True, gone="reject", spread=1,
         begin=None, actions=[(1, "move back", 16, False)])  # fmt: skip
@given(
    count=st.integers(0, 25),
    page_size=st.integers(1, 6),
    largest=st.booleans(),
    ascending=st.booleans(),
    moves=st.booleans(),
    gone=st.sampled_from(GONE_CURSORS),
    spread=st.integers(0, 2),
    begin=st.none() | st.integers(0, 24),
    actions=st.lists(ACTIONS, max_size=25),
)
def test_whatever_happens_what_is_there_throughout_comes_exactly_once(
    count: int,
    page_size: int,
    largest: bool,
    ascending: bool,
    moves: bool,
    gone: GoneCursor,
    spread: int,
    begin: int | None,
    actions: list[tuple[int, str, int, bool]],
) -> None:
    """
    *spread*: milliseconds between the records, 0 for all in one moment.
    *largest*: pages have the largest size, where to begin one record early costs requests.
    *begin*: the record behind which the caller begins.
    """
    # A page must hold a record and its anchor, whatever the largest size is.
    most = page_size if largest and page_size > 2 else 100
    start = None if begin is None or begin >= count else f"r{begin}"
    asked = listing(page_size, most=most, ascending=ascending, moves=moves, starting_after=start)
    world = _World(count, actions, asked)
    server = ListServer(
        [(f"r{number}", 900 + number * spread) for number in range(count)],
        ascending=ascending,
        gone_cursor=gone,
        between=world.between,
    )
    before: set[str] = set()
    if start is not None:
        rows = [key for key, _ in server.page({"limit": "100"})]
        before = set(rows[: rows.index(start) + 1])
        world.staying -= before

    found = ids_of(anyio.run(Records(asked, server.run).collect))

    assert len(found) == len(set(found))
    assert world.staying <= set(found)
    # Within one moment, an empty page and one from the top say too little of a cursor that is gone.
    if not moves and (spread or gone == "reject"):
        assert before.isdisjoint(found)
