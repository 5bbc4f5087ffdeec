"""Lists that arrive page by page: as many as were asked for, and no request more."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from talkjs_async._core.call import Call
from talkjs_async._core.listing import Page
from talkjs_async._core.pages import Records
from talkjs_async.errors import ConfigurationError, DecodeError
from tests.core.list_server import ListServer, ids_of, listing

pytestmark = pytest.mark.anyio

SEVEN = [(f"r{number}", 100 - number) for number in range(7)]


async def test_every_record_comes_once_and_in_order() -> None:
    server = ListServer(SEVEN)

    found = await Records(listing(3), server.run).collect()

    assert [key for key, _ in SEVEN] == ids_of(found)
    assert 3 == len(server.asked)


async def test_nothing_is_requested_before_iteration() -> None:
    server = ListServer(SEVEN)

    Records(listing(), server.run).pages()

    assert [] == server.asked


async def test_an_early_break_fetches_no_further_page() -> None:
    server = ListServer(SEVEN)

    async for _ in Records(listing(), server.run):
        break

    assert 1 == len(server.asked)


async def test_a_second_loop_starts_anew() -> None:
    records = Records(listing(), ListServer(SEVEN).run)

    assert await records.collect() == await records.collect()


async def test_first_asks_for_one_record() -> None:
    full, empty = ListServer(SEVEN), ListServer([])

    assert {"id": "r0", "at": 100} == await Records(listing(), full.run).first()
    assert await Records(listing(), empty.run).first() is None

    assert [{"limit": "1"}] == full.asked == empty.asked


@pytest.mark.parametrize(
    ("limit", "page_size", "sizes"),
    [
        (1, None, [1]),
        (3, None, [3]),
        # Each but the first holds the last record of the page before: see `_core.trail`.
        (3, 2, [2, 2]),
        (4, 2, [2, 3]),
        (5, 2, [2, 3, 2]),
        (7, 100, [7]),
        (20, 100, [20]),
        (8, 7, [7, 2]),
        (None, 4, [4, 5]),
    ],
)
async def test_a_limit_bounds_the_records_and_the_requests(
    limit: int | None, page_size: int | None, sizes: list[int]
) -> None:
    server = ListServer(SEVEN)

    found = await Records(listing(page_size, limit=limit), server.run).collect()

    assert [key for key, _ in SEVEN[:limit]] == ids_of(found)
    assert sizes == [int(query["limit"]) for query in server.asked]


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("limit", range(1, 8))
async def test_a_limit_holds_in_every_order(moves: bool, ascending: bool, limit: int) -> None:
    server = ListServer(SEVEN, ascending=ascending)
    asked = listing(2, limit=limit, ascending=ascending, moves=moves)

    found = await Records(asked, server.run).collect()

    assert [row["id"] for row in found] == [key for key, _ in SEVEN[:: -1 if ascending else 1]][
        :limit
    ]


async def test_collect_stops_at_max_items() -> None:
    server = ListServer(SEVEN)

    assert ["r0", "r1"] == ids_of(await Records(listing(), server.run).collect(max_items=2))
    assert ["r0"] == ids_of(await Records(listing(limit=1), server.run).collect(max_items=2))

    assert ["2", "1"] == [query["limit"] for query in server.asked]


@pytest.mark.parametrize("value", [-1, 0, 2.5, True, "2"])
async def test_a_max_items_that_is_no_number_of_records_is_refused(value: Any) -> None:
    server = ListServer(SEVEN)

    with pytest.raises(ConfigurationError, match="max_items: must be a whole number"):
        await Records(listing(), server.run).collect(max_items=value)

    assert [] == server.asked


async def test_one_page_is_one_request() -> None:
    server = ListServer(SEVEN)

    page = await Records(listing(3), server.run).page()
    next_page = await Records(listing(3, starting_after=page.cursor), server.run).page()
    last_page = await Records(listing(3, starting_after=next_page.cursor), server.run).page()

    assert ["r0", "r1", "r2"] == ids_of(list(page))
    assert ["r3", "r4", "r5"] == ids_of(list(next_page))
    assert (1, None) == (len(last_page), last_page.cursor)
    assert 3 == len(server.asked)


async def test_a_record_that_stands_in_a_page_twice_comes_once_with_each_way_to_read() -> None:
    async def answer(call: Call[Any], /) -> Any:
        return call.decode({"data": [{"id": key, "at": 1} for key in "abacb"]})

    records = Records(listing(100), answer)

    assert ["a", "b", "c"] == ids_of(list(await records.page()))
    assert ["a", "b", "c"] == ids_of(await records.collect())
    assert [["a", "b", "c"]] == [ids_of(list(page)) async for page in records.pages()]


async def test_pages_hold_the_records_by_the_page() -> None:
    server = ListServer(SEVEN)

    pages = [page async for page in Records(listing(3), server.run).pages()]

    assert [3, 3, 1] == [len(page) for page in pages]
    assert ["r2", "r5", None] == [page.cursor for page in pages]


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (2, [2]), (3, [3, 0]), (4, [3, 1])])
async def test_the_last_page_says_that_it_is_the_last(
    moves: bool, count: int, sizes: list[int]
) -> None:
    records = Records(listing(3, moves=moves), ListServer(SEVEN[:count]).run)

    pages = [page async for page in records.pages()]

    assert sizes == [len(page) for page in pages]
    assert [None] == [page.cursor for page in pages if page.cursor is None]


async def test_a_page_that_a_limit_cuts_says_where_it_was_cut() -> None:
    rows = [(f"r{number}", number) for number in range(7)]
    server = ListServer(rows, ascending=True)
    asked = listing(3, limit=4, ascending=True, moves=True)

    pages = [page async for page in Records(asked, server.run).pages()]

    assert [3, 1] == [len(page) for page in pages]
    assert "r3" == pages[-1].cursor


@pytest.mark.parametrize("limit", [4, 5])
async def test_a_limit_holds_where_a_list_has_to_begin_anew(limit: int) -> None:
    """Its first page is a whole one, although fewer records are left to give."""

    def delete(server: ListServer) -> None:
        if len(server.asked) == 1:
            server.delete("r0", "r1", "r2")

    server = ListServer(SEVEN, between=delete)

    pages = [page async for page in Records(listing(3, limit=limit), server.run).pages()]

    assert [["r0", "r1", "r2"], ["r3", "r4"][: limit - 3]] == [ids_of(list(page)) for page in pages]
    assert ["r2", f"r{limit - 1}"] == [page.cursor for page in pages]


async def test_a_last_page_that_a_limit_just_allows_is_still_the_last() -> None:
    def delete(server: ListServer) -> None:
        if len(server.asked) == 1:
            server.delete("r0", "r1", "r2")

    server = ListServer(SEVEN[:5], between=delete)

    pages = [page async for page in Records(listing(3, limit=5), server.run).pages()]

    assert ["r2", None] == [page.cursor for page in pages]


class Slow:
    """Lets other tasks go on while it answers."""

    def __init__(self, server: ListServer) -> None:
        self.server = server

    async def run(self, call: Call[Any], /) -> Any:
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        return await self.server.run(call)


@pytest.mark.parametrize("what", ["records", "pages"])
async def test_tasks_that_share_an_iterator_get_each_record_once(what: str) -> None:
    server = ListServer([(f"r{number}", number) for number in range(50)])
    records = Records(listing(7), Slow(server).run)
    iterator: Any = aiter(records) if what == "records" else records.pages()
    found: list[str] = []

    async def take() -> None:
        async for taken in iterator:
            found.extend(ids_of([taken] if what == "records" else list(taken)))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(take)

    assert 50 == len(found) == len(set(found))
    assert -(-50 // 7) == len(server.asked)


async def test_a_list_can_stand_where_something_is_closed() -> None:
    server = ListServer(SEVEN)
    records = Records(listing(3), server.run)

    async with (
        aclosing(records) as same,
        aclosing(aiter(same)) as one,
        aclosing(same.pages()) as by,
    ):
        found = [await anext(one), (await anext(by)).items[0]]
    found += await records.collect()

    assert 2 + 7 == len(found)


@pytest.mark.parametrize("answer", [None, [], {}, {"data": None}, {"data": {}}, "x"])
async def test_an_answer_that_is_no_list_is_a_decode_error(answer: Any) -> None:
    async def odd(call: Call[Any], /) -> Any:
        return call.decode(answer)

    with pytest.raises(DecodeError) as caught:
        await Records(listing(), odd).collect()

    assert "$.data" == caught.value.json_path


async def test_a_broken_record_is_named_by_its_place() -> None:
    def item(record: Any) -> Any:
        if "at" not in record:
            raise DecodeError(json_path="$.at", expected="a number", got="nothing")
        return record

    async def answer(call: Call[Any], /) -> Any:
        return call.decode({"data": [{"id": "a", "at": 1}, {"id": "b"}]})

    with pytest.raises(DecodeError) as caught:
        await Records(attrs.evolve(listing(), item=item), answer).collect()

    assert "$.data[1].at" == caught.value.json_path


@pytest.mark.parametrize("value", [0, 101, -1, True, 2.0, "5"])
def test_a_page_size_outside_the_servers_range_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="page_size: must be a whole number from 1 to 100"):
        listing(value)


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "5"])
def test_a_limit_that_is_no_number_of_records_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="limit: must be a whole number of 1 or more"):
        listing(limit=value)


@pytest.mark.parametrize("value", ["", 7, b"x", "\ud83d", "x" * 70_000])
def test_a_cursor_that_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="starting_after: must"):
        listing(starting_after=value)


async def test_no_page_size_means_the_largest_page() -> None:
    server = ListServer(SEVEN)

    await Records(listing(None, most=30), server.run).collect()

    assert [{"limit": "30"}] == server.asked


def test_records_and_page_say_what_they_are() -> None:
    assert "<Records of /things>" == repr(Records(listing(), ListServer([]).run))
    assert [1, 2] == list(Page(items=(1, 2), cursor=None))


async def test_a_list_that_is_awaited_or_looped_over_says_how_it_is_read() -> None:
    records: Any = Records(listing(), ListServer(SEVEN).run)

    with pytest.raises(TypeError, match="async for"):
        await records
    with pytest.raises(TypeError, match="collect"):
        list(records)
