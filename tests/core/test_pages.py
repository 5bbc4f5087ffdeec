"""Lists that arrive page by page: nothing twice, nothing left out, no request too many."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from talkjs_async._core.call import Call
from talkjs_async._core.pages import Activity, Listing, Page, Pages, page_limit
from talkjs_async.errors import ConfigurationError, DecodeError

pytestmark = pytest.mark.anyio


def drive(coroutine: Any) -> Any:
    """Run a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


@attrs.define
class Server:
    """A list endpoint over records `(id, activity)`, newest first, that notes what it is asked."""

    records: list[tuple[str, int]]
    asked: list[dict[str, str]] = attrs.field(factory=list)
    between: Any = None

    async def run(self, call: Call[Any], /) -> Any:
        self.asked.append(call.query)
        rows = list(self.records)
        if "orderBy" in call.query:
            rows.sort(key=lambda row: row[1], reverse=call.query["orderDirection"] == "DESC")
        after = call.query.get("startingAfter")
        if after is not None:
            rows = rows[[row[0] for row in rows].index(after) + 1 :]
        page = rows[: int(call.query["limit"])]
        answer = call.decode({"data": [{"id": key, "at": at} for key, at in page]})
        if self.between is not None:
            self.between(self, len(self.asked))
        return answer


def listing(
    limit: int = 2, starting_after: str | None = None, query: dict[str, str] | None = None
) -> Listing[Any]:
    query = query or {}
    moving = query.get("orderBy") == "lastActivity"
    return Listing(
        path="/things",
        query=query,
        limit=limit,
        starting_after=starting_after,
        item=lambda record: record,
        key=lambda record: record["id"],
        activity=Activity(
            at=lambda record: record["at"],
            newest_first={"orderBy": "lastActivity", "orderDirection": "DESC"},
            ascending=query["orderDirection"] == "ASC",
        )
        if moving
        else None,
    )


def ids_of(records: list[Any]) -> list[str]:
    return [record["id"] for record in records]


async def test_every_record_comes_once_and_in_order() -> None:
    server = Server([("e", 5), ("d", 4), ("c", 3), ("b", 2), ("a", 1)])

    records = await Pages(listing(), server.run).collect()

    assert ["e", "d", "c", "b", "a"] == ids_of(records)
    assert [None, "d", "b"] == [query.get("startingAfter") for query in server.asked]


@given(count=st.integers(0, 40), limit=st.integers(1, 15))
def test_the_number_of_requests_is_the_least_possible(count: int, limit: int) -> None:
    server = Server([(str(i), i) for i in range(count)])

    records = drive(Pages(listing(limit), server.run).collect())

    assert count == len(records)
    # A last page that is full cannot be told from one in the middle.
    assert count // limit + 1 == len(server.asked)


async def test_nothing_is_requested_before_iteration() -> None:
    server = Server([("a", 1)])

    Pages(listing(), server.run)

    assert [] == server.asked


async def test_an_early_break_fetches_no_further_page() -> None:
    server = Server([("c", 3), ("b", 2), ("a", 1)])

    async for _ in Pages(listing(), server.run):
        break

    assert 1 == len(server.asked)


async def test_first_returns_one_record_or_none() -> None:
    full, empty = Server([("b", 2), ("a", 1)]), Server([])

    assert {"id": "b", "at": 2} == await Pages(listing(), full.run).first()
    assert await Pages(listing(), empty.run).first() is None


async def test_collect_stops_at_max_items() -> None:
    server = Server([("c", 3), ("b", 2), ("a", 1)])
    pages = Pages(listing(), server.run)

    assert ["c"] == ids_of(await pages.collect(max_items=1))
    assert [] == await pages.collect(max_items=0)
    assert 1 == len(server.asked)


async def test_a_negative_max_items_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_items"):
        await Pages(listing(), Server([]).run).collect(max_items=-1)


async def test_a_second_loop_starts_anew() -> None:
    pages = Pages(listing(), Server([("b", 2), ("a", 1)]).run)

    assert await pages.collect() == await pages.collect()


async def test_the_cursor_of_a_page_resumes_behind_it() -> None:
    server = Server([("c", 3), ("b", 2), ("a", 1)])
    page = await anext(Pages(listing(), server.run).pages())

    rest = await Pages(listing(starting_after=page.cursor), server.run).collect()

    assert "b" == page.cursor
    assert 2 == len(page)
    assert ["a"] == ids_of(rest)


async def test_a_failed_page_can_be_asked_for_again() -> None:
    server = Server([("c", 3), ("b", 2), ("a", 1)])
    failures = [None, RuntimeError("once")]

    async def flaky(call: Call[Any], /) -> Any:
        failure = failures.pop(0) if failures else None
        if failure:
            raise failure
        return await server.run(call)

    iterator = aiter(Pages(listing(), flaky))
    seen = [await anext(iterator), await anext(iterator)]

    with pytest.raises(RuntimeError):
        await anext(iterator)
    seen.append(await anext(iterator))

    assert ["c", "b", "a"] == ids_of(seen)


async def test_a_server_that_ignores_the_cursor_does_not_loop_for_ever() -> None:
    async def stuck(call: Call[Any], /) -> Any:
        return call.decode({"data": [{"id": "a"}, {"id": "b"}]})

    with pytest.raises(DecodeError, match="records behind 'b'"):
        await Pages(listing(), stuck).collect()


@pytest.mark.parametrize("answer", [None, [], {}, {"data": None}, {"data": {}}, "x"])
async def test_an_answer_that_is_no_list_is_a_decode_error(answer: Any) -> None:
    async def odd(call: Call[Any], /) -> Any:
        return call.decode(answer)

    with pytest.raises(DecodeError) as caught:
        await Pages(listing(), odd).collect()

    assert "$.data" == caught.value.json_path


async def test_a_broken_record_is_named_by_its_place() -> None:
    def item(record: Any) -> Any:
        if "at" not in record:
            raise DecodeError(json_path="$.at", expected="a number", got="nothing")
        return record

    async def answer(call: Call[Any], /) -> Any:
        return call.decode({"data": [{"id": "a", "at": 1}, {"id": "b"}]})

    with pytest.raises(DecodeError) as caught:
        await Pages(attrs.evolve(listing(), item=item), answer).collect()

    assert "$.data[1].at" == caught.value.json_path


@pytest.mark.parametrize("value", [0, 31, -1, True, 2.0, "5"])
def test_a_limit_outside_the_servers_range_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="limit: must be a whole number from 1 to 30"):
        page_limit(value, most=30)


def test_no_limit_means_the_largest_page() -> None:
    assert 30 == page_limit(None, most=30)


async def test_records_that_arrive_on_top_disturb_nobody() -> None:
    def arrive(server: Server, asked: int) -> None:
        server.records.insert(0, (f"new{asked}", 100 + asked))

    server = Server([(key, 0) for key in "edcba"], between=arrive)

    records = await Pages(listing(), server.run).collect()

    assert list("edcba") == ids_of(records)


BY_ACTIVITY = {"orderBy": "lastActivity", "orderDirection": "DESC"}


async def test_a_single_page_of_a_moving_list_needs_no_second_look() -> None:
    server = Server([("b", 2), ("a", 1)])

    await Pages(listing(limit=3, query=BY_ACTIVITY), server.run).collect()

    assert 1 == len(server.asked)


async def test_a_moving_list_that_stands_still_costs_one_more_request() -> None:
    server = Server([(key, at) for at, key in enumerate("abcdef")])

    await Pages(listing(limit=4, query=BY_ACTIVITY), server.run).collect()

    assert 3 == len(server.asked)


async def test_a_record_that_slips_past_the_reader_comes_late_but_comes() -> None:
    def move(server: Server, asked: int) -> None:
        if asked == 1:
            server.records = [(k, 100 if k == "a" else at) for k, at in server.records]

    server = Server([(key, at) for at, key in enumerate("abcdef")], between=move)

    records = await Pages(listing(query=BY_ACTIVITY), server.run).collect()

    assert list("fedcba") == ids_of(records)


async def test_a_resumed_moving_list_does_not_repeat_what_was_read_before() -> None:
    server = Server([(key, at) for at, key in enumerate("abcdef")])

    records = await Pages(listing(starting_after="d", query=BY_ACTIVITY), server.run).collect()

    assert list("cba") == ids_of(records)


@settings(max_examples=300)
@example(count=3, limit=1, direction="ASC", moves=[(2, 0), (2, 1)])
@example(count=8, limit=3, direction="ASC", moves=[(2, 2), (2, 3), (2, 0), (2, 1), (5, 2)])
@example(count=10, limit=1, direction="ASC", moves=[(8, 6), (8, 0), (9, 6)])
@given(
    count=st.integers(1, 25),
    limit=st.integers(1, 6),
    direction=st.sampled_from(["ASC", "DESC"]),
    moves=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 24)), max_size=25),
)
def test_however_records_move_each_comes_exactly_once(
    count: int, limit: int, direction: str, moves: list[tuple[int, int]]
) -> None:
    now = 1000

    def move(server: Server, asked: int) -> None:
        nonlocal now
        for when, which in moves:
            if when == asked and which < count:
                now += 1
                server.records[which] = (server.records[which][0], now)

    server = Server([(f"r{i}", i) for i in range(count)], between=move)
    order = {"orderBy": "lastActivity", "orderDirection": direction}

    records = drive(Pages(listing(limit, query=order), server.run).collect())

    assert sorted(f"r{i}" for i in range(count)) == sorted(ids_of(records))


def test_pages_and_page_say_what_they_are() -> None:
    assert "<Pages of /things>" == repr(Pages(listing(), Server([]).run))
    assert [1, 2] == list(Page(items=(1, 2), cursor=None))
