"""A list endpoint over plain records, with the three answers to a cursor that is gone."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Literal

import attrs

from talkjs_async._core.call import Call
from talkjs_async._core.listing import Listing, Order
from talkjs_async.errors import BadRequest

GoneCursor = Literal["reject", "empty", "start"]
Ties = Literal["sequence", "id"]


@attrs.define
class ListServer:
    """
    Records `[id, at]`, in the order of *ascending*; those of one moment as *ties* says.

    Attributes:
        largest: Records that a request may ask for.
        asked: The queries that came.
        between: Called after each answer, with this server: what happens meanwhile.
        most: Requests after which something must have gone wrong.
    """

    records: list[tuple[str, int]]
    ascending: bool = False
    gone_cursor: GoneCursor = "reject"
    ties: Ties = "sequence"
    largest: int = 100
    asked: list[dict[str, str]] = attrs.field(factory=list)
    between: Callable[[ListServer], None] = lambda _server: None
    most: int = 1_000

    @property
    def cursors(self) -> list[str | None]:
        return [query.get("startingAfter") for query in self.asked]

    def delete(self, *ids: str) -> None:
        self.records = [record for record in self.records if record[0] not in ids]

    def move(self, key: str, at: int) -> None:
        self.records = [(k, at if k == key else was) for k, was in self.records]

    def move_to_end(self, key: str, at: int) -> None:
        """Move a record to *at*, behind those that have that moment already."""
        self.move(key, at)
        self.records.sort(key=lambda record: record[0] == key)

    async def run(self, call: Call[Any], /) -> Any:
        self.asked.append(call.query)
        assert len(self.asked) <= self.most, "it never ends"
        assert int(call.query["limit"]) <= self.largest
        answer = call.decode({"data": [{"id": key, "at": at} for key, at in self.page(call.query)]})
        self.between(self)
        return answer

    def page(self, query: dict[str, str]) -> list[tuple[str, int]]:
        # Stable, so that records of one moment keep their order, whichever way the list is read.
        rows = sorted(self.records, key=itemgetter(1, 0) if self.ties == "id" else itemgetter(1))
        if not self.ascending:
            rows.reverse()
        after = query.get("startingAfter")
        if after is not None:
            place = next((i for i, row in enumerate(rows) if row[0] == after), None)
            if place is not None:
                rows = rows[place + 1 :]
            elif self.gone_cursor == "reject":
                raise BadRequest(status=400, reasons=("startingAfter: there is no such record",))
            elif self.gone_cursor == "empty":
                rows = []
        return rows[: int(query["limit"])]


def listing(
    page_size: int | None = 2,
    *,
    most: int = 100,
    limit: int | None = None,
    starting_after: str | None = None,
    ascending: bool = False,
    moves: bool = False,
) -> Listing[Any]:
    return Listing(
        path="/things",
        query={},
        most=most,
        limit=limit,
        page_size=page_size,
        starting_after=starting_after,
        item=dict,
        key=itemgetter("id"),
        order=Order(at=itemgetter("at"), ascending=ascending, moves=moves),
    )


def ids_of(records: list[Any]) -> list[str]:
    return [record["id"] for record in records]
