"""The way through a list: what is there throughout comes exactly once, whatever else happens."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, get_args

import pytest

from talkjs_async._core.call import Call
from talkjs_async._core.pages import Records
from talkjs_async.errors import APIError, BadRequest, DecodeError, ServerError, Unauthorized
from tests.core.list_server import GoneCursor, ListServer, ids_of, listing

pytestmark = pytest.mark.anyio

GONE_CURSORS = get_args(GoneCursor)
FROM_NEW_TO_OLD = [(f"r{number:03}", 1_000 - number) for number in range(250)]


@pytest.mark.parametrize("gone_cursor", GONE_CURSORS)
@pytest.mark.parametrize("same_moment", [False, True])
async def test_a_loop_may_delete_what_it_gets(gone_cursor: GoneCursor, same_moment: bool) -> None:
    rows = [(key, 7 if same_moment else at) for key, at in FROM_NEW_TO_OLD]
    server = ListServer(rows, gone_cursor=gone_cursor)
    deleted = []

    async for record in Records(listing(page_size=100), server.run):
        server.delete(record["id"])
        deleted.append(record["id"])

    assert {key for key, _ in FROM_NEW_TO_OLD} == set(deleted)
    assert 250 == len(deleted)
    assert [] == server.records


@pytest.mark.parametrize("gone_cursor", GONE_CURSORS)
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize(
    "deleted",
    [slice(5, 6), slice(3, 6), slice(0, 3), slice(0, 6), slice(0, 7)],
    ids=["cursor", "page", "an earlier page", "all earlier", "all earlier and the next"],
)
async def test_a_deleted_cursor_costs_no_record(
    gone_cursor: GoneCursor, ascending: bool, moves: bool, deleted: slice
) -> None:
    """Of twelve records, two pages of three have been read when some are deleted."""
    rows = FROM_NEW_TO_OLD[:12] if not ascending else FROM_NEW_TO_OLD[11::-1]
    gone = [key for key, _ in rows[deleted]]

    def delete(server: ListServer) -> None:
        if len(server.asked) == 2:
            server.delete(*gone)

    server = ListServer(rows, ascending=ascending, gone_cursor=gone_cursor, between=delete)

    found = ids_of(
        await Records(listing(3, ascending=ascending, moves=moves), server.run).collect()
    )

    assert len(found) == len(set(found))
    assert {key for key, _ in rows} - set(found) <= set(gone)


async def test_a_cursor_that_is_gone_is_replaced_by_the_one_before() -> None:
    def delete(server: ListServer) -> None:
        if len(server.asked) == 1:
            server.delete("r003")

    server = ListServer(FROM_NEW_TO_OLD[:7], between=delete)

    found = ids_of(await Records(listing(4), server.run).collect())

    # Behind "r002" nothing shows that it still stands; "r003" is refused; behind "r001", "r002" is.
    assert [None, "r002", "r003", "r001"] == server.cursors[:4]
    assert [key for key, _ in FROM_NEW_TO_OLD[:7]] == found


async def test_what_stands_before_the_anchor_of_a_list_begun_anew_does_not_come_again() -> None:
    def delete(server: ListServer) -> None:
        if len(server.asked) == 3:
            # Left are r003, of the second page, and r008, with which the third one ended.
            server.delete(*[f"r{number:03}" for number in (0, 1, 2, 4, 5, 6, 7)])

    server = ListServer(FROM_NEW_TO_OLD[:12], gone_cursor="start", between=delete)

    found = ids_of(await Records(listing(3), server.run).collect())

    assert [key for key, _ in FROM_NEW_TO_OLD[:12]] == found
    assert "r007" == server.cursors[3]


async def test_records_that_move_within_their_millisecond_cost_no_record() -> None:
    """By oldest activity, the last two that were read move past two that were not."""

    def move(server: ListServer) -> None:
        if len(server.asked) == 2:
            server.records.sort(key=lambda record: record[0] in "ec")

    server = ListServer(
        [("a", 1), ("b", 2), ("e", 5), ("c", 5), ("d", 5), ("f", 5)], ascending=True, between=move
    )

    found = ids_of(await Records(listing(2, ascending=True, moves=True), server.run).collect())

    assert set("abcdef") == set(found)
    assert 6 == len(found)


@pytest.mark.parametrize("page_size", [1, 2, 5, 25, 100])
@pytest.mark.parametrize("old", [0, 1, 2, 7, 24, 25])
async def test_a_loop_may_move_all_that_it_gets_within_one_millisecond(
    page_size: int, old: int
) -> None:
    """By oldest activity, on a clock that stands; *old* ones have earlier moments."""
    rows = [(f"r{number:02}", number if number < old else 99) for number in range(26)]
    server = ListServer(rows, ascending=True)
    found = []

    async for record in Records(listing(page_size, ascending=True, moves=True), server.run):
        found.append(record["id"])
        server.move_to_end(record["id"], 99)

    assert {key for key, _ in rows} == set(found)
    assert 26 == len(found)


@pytest.mark.parametrize("which", ["all in order", "all the other way round", "some of all"])
@pytest.mark.parametrize("page_size", [2, 3, 5, 30])
@pytest.mark.parametrize("ascending", [False, True])
async def test_moves_on_a_clock_that_stands_lose_nothing(
    ascending: bool, page_size: int, which: str
) -> None:
    """Page by page: what was read, or whatever there is, goes to the recent end of its moment."""
    for count, old in [(8, 3), (26, 0), (26, 7), (45, 44), (75, 45), (75, 75)]:
        rows = [(f"r{number:02}", number if number < old else 99) for number in range(count)]
        chance = Random(count)
        server = ListServer(rows, ascending=ascending)
        found = []

        async for page in Records(
            listing(page_size, most=30, ascending=ascending, moves=True), server.run
        ).pages():
            ids = ids_of(list(page))
            found += ids
            some = chance.sample([key for key, _ in rows], 3)
            orders = {"all in order": ids, "all the other way round": ids[::-1]}
            for key in orders.get(which, some):
                server.move_to_end(key, 99)

        assert {key for key, _ in rows} == set(found)
        assert count == len(found)


def move_all_that_was_read(after: int) -> Callable[[ListServer], None]:
    """After so many answers, to the recent end, in order, on a clock that stands at 99."""
    read: dict[str, None] = {}

    def move(server: ListServer) -> None:
        read.update(dict.fromkeys(key for key, _ in server.page(server.asked[-1])))
        if len(server.asked) == after:
            for key in read:
                server.move_to_end(key, 99)

    return move


@pytest.mark.parametrize("size", [3, 4, 5, 8, 30])
@pytest.mark.parametrize("begin", [None, 0, 3])
@pytest.mark.parametrize("largest", [True, False], ids=["the largest page", "one less"])
async def test_all_that_was_read_may_move_within_the_millisecond_of_the_last_one(
    size: int, begin: int | None, largest: bool
) -> None:
    """By oldest activity: all may look as if the list ended there."""
    for after in [1] if largest else [1, 2, 3]:
        for old in range(size - 1, 4 * size):
            rows = [(f"r{number:03}", number if number < old else 99) for number in range(5 * size)]
            server = ListServer(rows, ascending=True, between=move_all_that_was_read(after))
            start = None if begin is None else f"r{begin:03}"
            most = size if largest else size + 1
            asked = listing(size, most=most, ascending=True, moves=True, starting_after=start)

            found = ids_of(await Records(asked, server.run).collect())

            assert {key for key, _ in rows[0 if begin is None else begin + 1 :]} <= set(found)
            assert len(found) == len(set(found))


async def test_where_a_list_that_ends_answers_the_same_the_promise_ends() -> None:
    """
    By oldest activity, in pages of the largest size, the second page ends with the first record of
    the running millisecond, and all that was read moves within it.

    What a list then answers behind the last but one is what a list would answer that ends there.
    Two anchors would tell, as behind the first page. But *k* full pages, each begun *early* records
    early, hold `k * size - (k - 1) * early` records. If these are all, it takes one more request to
    know: the pages of such a list and one, only while `(k - 1) * early < size`. Two anchors behind
    each page would halve the lists of which that is true; asking once more wherever a list seems to
    end would make it true of no list that ends with a full page.
    """
    size = 30
    ends = [(f"r{number}", number if number < 57 else 99) for number in range(58)]
    goes_on = [*ends, *((f"more{number}", 99) for number in range(7))]
    servers = [ListServer(ends, ascending=True), ListServer(goes_on, ascending=True)]
    servers[1].between = move_all_that_was_read(2)
    answers: list[list[list[tuple[str, int]]]] = [[], []]

    for server, given in zip(servers, answers, strict=True):

        async def run(call: Call[Any], /, server: ListServer = server, given: Any = given) -> Any:
            given.append(server.page(call.query))
            return await server.run(call)

        asked = listing(size, most=size, ascending=True, moves=True)
        found = await Records(asked, run).collect()

        assert [key for key, _ in ends] == ids_of(found)

    assert servers[0].asked == servers[1].asked
    assert answers[0] == answers[1]
    assert -(-58 // size) + 1 == len(servers[0].asked)


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
async def test_a_cursor_that_is_gone_may_be_refused_with_any_status(status: int) -> None:
    server = ListServer(FROM_NEW_TO_OLD[:9])

    async def run(call: Call[Any], /) -> Any:
        if len(server.asked) == 1:
            server.delete("r002", "r003")
        try:
            return await server.run(call)
        except BadRequest:
            raise APIError(status=status) from None

    found = ids_of(await Records(listing(4), run).collect())

    assert [key for key, _ in FROM_NEW_TO_OLD[:9]] == found


@pytest.mark.parametrize("status", [401, 403, 418, 429])
async def test_other_refusals_are_errors_at_once(status: int) -> None:
    server = ListServer(FROM_NEW_TO_OLD[:7])

    async def refuse_second(call: Call[Any], /) -> Any:
        if len(server.asked) == 1:
            raise APIError(status=status)
        return await server.run(call)

    with pytest.raises(APIError) as caught:
        await Records(listing(4), refuse_second).collect()

    assert status == caught.value.status


async def test_a_cursor_of_the_callers_that_is_refused_is_the_callers_error() -> None:
    server = ListServer(FROM_NEW_TO_OLD[:7])

    with pytest.raises(BadRequest):
        await Records(listing(4, starting_after="gone"), server.run).collect()

    assert 1 == len(server.asked)


async def test_a_list_that_is_gone_is_an_error_after_few_requests() -> None:
    server = ListServer(FROM_NEW_TO_OLD[:9])
    asked = []

    async def vanish(call: Call[Any], /) -> Any:
        asked.append(call)
        if len(asked) > 1:
            raise APIError(status=404)
        return await server.run(call)

    with pytest.raises(APIError):
        await Records(listing(4), vanish).collect()

    # The cursor, three earlier ones, the beginning.
    assert 1 + 4 + 1 == len(asked)


def around(pages: int, size: int, answer: str, *, ascending: bool) -> Callable[[Call[Any]], Any]:
    """A server whose *pages* pages follow each other in a circle."""
    ids = [f"r{number}" for number in range(pages * size)]
    sign = 1 if ascending else -1
    asked = []

    async def run(call: Call[Any], /) -> Any:
        asked.append(call)
        assert len(asked) < 200, "it never ends"
        after = call.query.get("startingAfter")
        begin = 0 if after is None else ids.index(after) + 1
        if answer == "page of the cursor":
            begin = -(-begin // size) * size
        count = int(call.query["limit"])
        page = [ids[(begin + step) % len(ids)] for step in range(count)]
        return call.decode({"data": [{"id": key, "at": sign * int(key[1:])} for key in page]})

    return run


@pytest.mark.parametrize("pages", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("answer", ["the next ones", "page of the cursor"])
async def test_a_circle_ends_with_an_error_that_says_so(
    pages: int, moves: bool, ascending: bool, answer: str
) -> None:
    found = []
    asked = listing(3, most=3, ascending=ascending, moves=moves)

    async def read() -> None:
        async for record in Records(asked, around(pages, 3, answer, ascending=ascending)):
            found.append(record["id"])  # noqa: PERF401 - kept although the loop ends with an error

    with pytest.raises(DecodeError, match="goes round in a circle") as caught:
        await read()

    assert len(found) == len(set(found))
    assert "/things" == caught.value.path


@pytest.mark.parametrize("pages", [2, 5, 20])
@pytest.mark.parametrize("ascending", [False, True])
async def test_a_circle_is_noticed_after_a_few_laps(pages: int, ascending: bool) -> None:
    laps = 0
    turn = around(pages, 20, "the next ones", ascending=ascending)

    async def run(call: Call[Any], /) -> Any:
        nonlocal laps
        laps += 1
        return await turn(call)

    with pytest.raises(DecodeError, match="goes round in a circle"):
        await Records(listing(20, most=20, ascending=ascending), run).collect()

    assert laps <= 20 * pages


async def test_a_server_that_ignores_the_cursor_does_not_loop_for_ever() -> None:
    asked = []

    async def stuck(call: Call[Any], /) -> Any:
        asked.append(call)
        return call.decode({"data": [{"id": "a", "at": 2}, {"id": "b", "at": 1}]})

    with pytest.raises(DecodeError, match="circle"):
        await Records(listing(most=2), stuck).collect()

    assert len(asked) < 60


async def test_a_record_that_stands_in_a_page_twice_comes_once() -> None:
    async def answer(call: Call[Any], /) -> Any:
        return call.decode({"data": [{"id": key, "at": 1} for key in "aab"]})

    assert ["a", "b"] == ids_of(await Records(listing(100), answer).collect())


async def test_a_record_that_stands_in_two_pages_comes_once() -> None:
    pages = {None: [("a", 4), ("b", 3)], "b": [("b", 3), ("c", 2)], "c": [("d", 1)]}

    async def answer(call: Call[Any], /) -> Any:
        if call.query.get("startingAfter") not in pages:
            raise BadRequest(status=400)
        page = pages[call.query.get("startingAfter")]
        return call.decode({"data": [{"id": key, "at": at} for key, at in page]})

    assert list("abcd") == ids_of(await Records(listing(most=2), answer).collect())


@pytest.mark.parametrize("unknown", ["refused", "empty", "the first page"])
@pytest.mark.parametrize("moves", [False, True])
async def test_a_server_that_knows_only_the_last_cursors_is_read_to_its_end(
    unknown: str, moves: bool
) -> None:
    """As a test's own imitation of TalkJS may: it follows the documentation to the letter."""
    pages = {None: [("a", 6), ("b", 5)], "b": [("c", 4), ("d", 3)], "d": [("e", 2)]}

    async def answer(call: Call[Any], /) -> Any:
        cursor = call.query.get("startingAfter")
        if cursor not in pages and unknown == "refused":
            raise BadRequest(status=400)
        page = pages.get(cursor, pages[None] if unknown == "the first page" else [])
        return call.decode({"data": [{"id": key, "at": at} for key, at in page]})

    asked = listing(most=2, moves=moves)
    assert list("abcde") == ids_of(await Records(asked, answer).collect())


async def test_an_order_that_differs_from_what_its_records_say_loses_nothing() -> None:
    """Imported messages may be listed where they arrived, with the moments that they had."""
    moments = [50, 49, 10, 9, 48, 47, 8, 46]
    ids = [f"m{number}" for number in range(len(moments))]

    async def run(call: Call[Any], /) -> Any:
        after = call.query.get("startingAfter")
        begin = 0 if after is None else ids.index(after) + 1
        rows = list(zip(ids, moments, strict=True))[begin : begin + int(call.query["limit"])]
        return call.decode({"data": [{"id": key, "at": at} for key, at in rows]})

    assert ids == ids_of(await Records(listing(2), run).collect())


@pytest.mark.parametrize("gone_cursor", GONE_CURSORS)
@pytest.mark.parametrize("page_size", [1, 2, 3])
@pytest.mark.parametrize("same_moment", [False, True])
@pytest.mark.parametrize("begin", range(6))
async def test_what_stands_before_the_callers_cursor_never_comes(
    gone_cursor: GoneCursor, page_size: int, same_moment: bool, begin: int
) -> None:
    # Those of one moment come in the order of their arrival, turned round: the latest first.
    rows = [(f"r{number}", 7 if same_moment else 99 - number) for number in range(5, -1, -1)]
    server = ListServer(rows, gone_cursor=gone_cursor)
    asked = listing(page_size, starting_after=f"r{begin}")

    found = ids_of(await Records(asked, server.run).collect())

    assert [f"r{number}" for number in range(begin + 1, 6)] == found


async def test_behind_the_callers_cursor_all_may_be_deleted() -> None:
    """Where a cursor that is gone is refused, an empty page behind one that stands is the end."""
    server = ListServer(
        [(f"r{number}", 7) for number in range(5, -1, -1)],
        between=lambda server: server.delete("r3", "r4", "r5"),
    )

    found = ids_of(await Records(listing(2, starting_after="r2"), server.run).collect())

    assert ["r3", "r4"] == found


@pytest.mark.parametrize("page_size", [1, 2, 5])
async def test_a_record_that_moves_back_takes_no_reader_along(page_size: int) -> None:
    """Newest first: what was read last loses its last message, and lands further down."""
    moved: list[str] = []

    def move_back(server: ListServer) -> None:
        if not moved:
            moved.append(server.page(server.asked[-1])[-1][0])
            server.move(moved[0], 3)

    rows = [(f"r{number}", 10 * number) for number in range(12)]
    server = ListServer(rows, between=move_back)

    found = ids_of(await Records(listing(page_size, moves=True), server.run).collect())

    assert [key for key, _ in reversed(rows)] == found


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("to", [0, 5, 155])
async def test_a_loop_may_move_all_that_it_gets(ascending: bool, to: int) -> None:
    """To the old end, among the others, or to the recent end."""
    rows = [(f"r{number:02}", 2 * number + 1) for number in range(75)]
    server = ListServer(rows, ascending=ascending)
    asked = listing(10, ascending=ascending, moves=True)
    found = []

    async for record in Records(asked, server.run):
        found.append(record["id"])
        server.move(record["id"], to + len(found) // 75)

    assert {key for key, _ in rows} == set(found)
    assert 75 == len(found)


async def test_a_second_look_ends_where_nothing_is_new_whatever_the_moments_say() -> None:
    """More than a page has moved up, and what stands on top looks old: its message was deleted."""

    def move_up(server: ListServer) -> None:
        if len(server.asked) == 1:
            for number in range(8):
                server.move(f"r{number}", 500 + number)

    server = ListServer([(f"r{number}", 100 + number) for number in range(20)], between=move_up)

    async def run(call: Call[Any], /) -> Any:
        page = await server.run(call)
        for record in page.items:
            if record["id"] == "r7" and len(server.asked) > 1:
                record["at"] = 1
        return page

    found = ids_of(await Records(listing(4, moves=True), run).collect())

    assert {f"r{number}" for number in range(20)} == set(found)


@pytest.mark.parametrize("page_size", [2, 3])
async def test_a_page_that_is_answered_again_costs_no_record(page_size: int) -> None:
    """As a cache on the way may do: once, whatever the request was."""
    for which in range(1, 6):
        server = ListServer(FROM_NEW_TO_OLD[:10])
        answers: list[Any] = []
        again = [which]

        async def run(
            call: Call[Any],
            /,
            server: ListServer = server,
            answers: list[Any] = answers,
            again: list[int] = again,
        ) -> Any:
            if answers and len(answers) in again:
                again.clear()
                return call.decode({"data": [dict(record) for record in answers[-1].items]})
            answers.append(await server.run(call))
            return answers[-1]

        found = ids_of(await Records(listing(page_size), run).collect())

        assert [key for key, _ in FROM_NEW_TO_OLD[:10]] == found


async def test_records_that_arrive_on_top_disturb_nothing() -> None:
    def arrive(server: ListServer) -> None:
        server.records.insert(0, (f"new{len(server.asked)}", 2_000 + len(server.asked)))

    server = ListServer(FROM_NEW_TO_OLD[:5], between=arrive)

    found = await Records(listing(), server.run).collect()

    assert [key for key, _ in FROM_NEW_TO_OLD[:5]] == ids_of(found)


async def test_a_single_page_of_a_moving_list_needs_no_second_look() -> None:
    server = ListServer([("b", 2), ("a", 1)])

    await Records(listing(3, moves=True), server.run).collect()

    assert 1 == len(server.asked)


async def test_a_record_that_slips_past_the_reader_comes_late_but_comes() -> None:
    def move(server: ListServer) -> None:
        if len(server.asked) == 1:
            server.move("a", 100)

    server = ListServer([(key, at) for at, key in enumerate("abcdefg")], between=move)

    found = await Records(listing(moves=True), server.run).collect()

    assert list("gfedcba") == ids_of(found)


async def test_a_resumed_moving_list_does_not_repeat_what_was_read_before() -> None:
    server = ListServer([(key, at) for at, key in enumerate("abcdef")])

    found = await Records(listing(starting_after="d", moves=True), server.run).collect()

    assert list("cba") == ids_of(found)


async def test_a_failed_page_can_be_asked_for_again() -> None:
    server = ListServer(FROM_NEW_TO_OLD[:3])
    failures = [None, ServerError(status=503), None, Unauthorized(status=401)]

    async def flaky(call: Call[Any], /) -> Any:
        failure = failures.pop(0) if failures else None
        if failure:
            raise failure
        return await server.run(call)

    iterator = aiter(Records(listing(), flaky))
    seen = [await anext(iterator), await anext(iterator)]

    with pytest.raises(ServerError):
        await anext(iterator)
    seen.append(await anext(iterator))

    assert ["r000", "r001", "r002"] == ids_of(seen)


async def test_a_list_that_is_emptied_before_its_second_look_has_come() -> None:
    rows = FROM_NEW_TO_OLD[:6]

    def empty(server: ListServer) -> None:
        if rows[-1] in server.page(server.asked[-1]):
            server.delete(*[key for key, _ in rows])

    server = ListServer(rows, between=empty)

    found = ids_of(await Records(listing(2, moves=True), server.run).collect())

    assert [key for key, _ in rows] == found
    assert [] == server.records
    assert None in server.cursors[1:]


async def test_a_second_look_asks_for_two_records_at_least_so_that_one_can_be_the_anchor() -> None:
    server = ListServer(FROM_NEW_TO_OLD[:6])

    found = ids_of(await Records(listing(1, moves=True), server.run).collect())

    assert [key for key, _ in FROM_NEW_TO_OLD[:6]] == found
    limits = [query["limit"] for query in server.asked if "startingAfter" not in query]
    assert ["1", "2"] == list(dict.fromkeys(limits))
