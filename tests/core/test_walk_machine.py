"""A list under everything that may happen to it while it is read."""

from __future__ import annotations

from typing import Any, get_args

import anyio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from talkjs_async._core.listing import Listing
from talkjs_async._core.pages import Records
from tests.core.list_server import GoneCursor, ListServer, Ties, ids_of, listing

GONE_CURSORS = get_args(GoneCursor)
TIES = get_args(Ties)

ACTION_NAMES = [
    *["move", "move back", "move the cursor back", "create"],
    *["move all that was read", "move all that was read, the last one first"],
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
        self.moved_all = False

    def between(self, server: ListServer) -> None:
        page = [key for key, _ in server.page(server.asked[-1])]
        self.pages.append(page)
        for when, action, which, later in self.actions:
            if when == len(server.asked):
                # A list that was turned round in a moment could be turned back in it.
                self.now += later or (self.moved_all and self._promise_has_ended(server))
                self._do(action, which, server)

    def _do(self, action: str, which: int, server: ListServer) -> None:
        read = [key for page in self.pages for key in page]
        key = f"r{which}"
        if action == "create":
            self.created += 1
            server.records.append((f"new{self.created}", self.now))
        elif action.startswith("move all"):
            if self.asked.order.moves and not self._promise_has_ended(server):
                self.moved_all = True
                for read_one in sorted(dict.fromkeys(read), key=read.index, reverse="," in action):
                    self._move(read_one, None, server)
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

    def _promise_has_ended(self, server: ListServer) -> bool:
        """See `test_where_a_list_that_ends_answers_the_same_the_promise_ends`."""
        largest = self.asked.size == self.asked.most
        return self.asked.order.moves_ahead and largest and len(server.asked) > 1

    def _move(self, key: str, back_to: int | None, server: ListServer) -> None:
        at = dict(server.records).get(key)
        if at is None or (back_to is not None and back_to >= at):
            return
        if back_to is None:
            server.move_to_end(key, self.now)
        else:
            server.move(key, back_to)
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


@example(count=24, page_size=5, spare=97, ascending=False, moves=False, gone="start", spread=1,
         ties="sequence", old=25, begin=None,
         actions=[(1, "delete page", 0, False), (2, "delete cursor", 0, False),
                  (3, "create", 0, False), (3, "delete cursor", 0, False),
                  (6, "delete cursor", 0, False), (6, "delete", 10, False)])  # fmt: skip
@settings(max_examples=4 * settings().max_examples, deadline=None)
@example(count=3, page_size=1, spare=97, ascending=True, moves=True, gone="reject", spread=1,
         ties="sequence", old=25, begin=None,
         actions=[(2, "move", 0, True), (2, "move", 1, True)])  # fmt: skip
@example(count=10, page_size=1, spare=97, ascending=True, moves=True, gone="empty", spread=1,
         ties="sequence", old=25, begin=None,
         actions=[(8, "move", 6, True), (8, "move", 0, True), (9, "move", 6, True)])  # fmt: skip
@example(count=3, page_size=1, spare=97, ascending=True, moves=True, gone="reject", spread=0,
         ties="sequence", old=25, begin=0,
         actions=[(1, "move", 0, False), (1, "move", 1, False)])  # fmt: skip
@example(count=13, page_size=4, spare=0, ascending=True, moves=False, gone="reject", spread=0,
         ties="sequence", old=25, begin=4, actions=[(3, "delete earlier", 0, False)])  # fmt: skip
@example(count=17, page_size=3, spare=0, ascending=True, moves=True, gone="reject", spread=2,
         ties="sequence", old=4, begin=12,
         actions=[(1, "move all that was read", 0, False), (1, "create", 0, True)])  # fmt: skip
@example(count=4, page_size=2, spare=97, ascending=True, moves=True, gone="reject", spread=2,
         ties="sequence", old=0, begin=None,
         actions=[(1, "move all that was read", 0, False), (1, "create", 0, True)])  # fmt: skip
@example(count=14, page_size=1, spare=97, ascending=True, moves=True, gone="empty", spread=0,
         ties="sequence", old=5, begin=11,
         actions=[(4, "move all that was read, the last one first", 0, False),
                  (2, "delete page", 0, False),
                  (2, "move all that was read", 0, True)])  # fmt: skip
@example(count=5, page_size=3, spare=0, ascending=True, moves=True, gone="reject", spread=2,
         ties="sequence", old=2, begin=None,
         actions=[(1, "move all that was read", 0, False)])  # fmt: skip
@example(count=18, page_size=2, spare=97, ascending=False, moves=True, gone="reject", spread=1,
         ties="sequence", old=25, begin=None, actions=[(1, "move back", 16, False)])  # fmt: skip
@given(
    count=st.integers(0, 25),
    page_size=st.integers(1, 6),
    spare=st.sampled_from([0, 1, 2, 97]),
    ascending=st.booleans(),
    moves=st.booleans(),
    gone=st.sampled_from(GONE_CURSORS),
    ties=st.sampled_from(TIES),
    spread=st.integers(0, 2),
    old=st.just(25) | st.integers(0, 25),
    begin=st.none() | st.integers(0, 24),
    actions=st.lists(ACTIONS, max_size=25),
)
def test_whatever_happens_what_is_there_throughout_comes_exactly_once(
    count: int,
    page_size: int,
    spare: int,
    ascending: bool,
    moves: bool,
    gone: GoneCursor,
    ties: Ties,
    spread: int,
    old: int,
    begin: int | None,
    actions: list[tuple[int, str, int, bool]],
) -> None:
    """
    *spread*: milliseconds between the records, 0 for all in one moment.
    *old*: how many records are so; all behind them have the running moment.
    *spare*: how many more records a request may ask for; 0 for pages of the largest size, where to
    begin one record early costs requests.
    *begin*: the record behind which the caller begins.
    """
    # A page must hold a record and its anchor, whatever the largest size is.
    most = page_size + spare if page_size > 2 else 100
    start = None if begin is None or begin >= count else f"r{begin}"
    asked = listing(page_size, most=most, ascending=ascending, moves=moves, starting_after=start)
    world = _World(count, actions, asked)
    server = ListServer(
        [
            (f"r{number}", 900 + number * spread if number < old else 1_000)
            for number in range(count)
        ],
        ascending=ascending,
        gone_cursor=gone,
        ties=ties,
        largest=most,
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
    if not moves and ((spread and old >= count) or gone == "reject"):
        assert before.isdisjoint(found)
