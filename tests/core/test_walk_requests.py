"""What a list costs: as many requests as it has pages, and one more at most, with reasons."""

from __future__ import annotations

from typing import get_args

import pytest

from talkjs_async._core.pages import Records
from tests.core.list_server import GoneCursor, ListServer, listing

pytestmark = pytest.mark.anyio

GONE_CURSORS = get_args(GoneCursor)
FROM_NEW_TO_OLD = [(f"r{number:03}", 1_000 - number) for number in range(250)]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("page_size", [1, 5, 99, 100])
@pytest.mark.parametrize("count", [*range(14), 99, 100, 101, 250, 300])
async def test_a_list_costs_its_pages_and_one_request_more_at_most(
    ascending: bool, moves: bool, page_size: int, count: int
) -> None:
    """By last activity, newest first, it may be two: the recent end is read once more."""
    server = ListServer([(f"r{number}", number) for number in range(count)], ascending=ascending)
    asked = listing(page_size, ascending=ascending, moves=moves)

    found = await Records(asked, server.run).collect()

    pages = -(-count // page_size)
    second_look = 1 if moves and not ascending and count >= page_size else 0
    assert count == len(found)
    assert len(server.asked) <= pages + 1 + second_look
    if count % page_size and page_size < 100:
        assert pages + second_look == len(server.asked)


@pytest.mark.parametrize("count", [840, 871, 900, 2_000, 3_000, 9_001])
async def test_a_long_list_costs_no_more_than_a_short_one(count: int) -> None:
    """Though each request of a short list begins one record early."""
    server = ListServer([(f"r{number}", number) for number in range(count)])

    found = await Records(listing(30, most=30), server.run).collect()

    assert count == len(found)
    assert len(server.asked) <= -(-count // 30) + 1


@pytest.mark.parametrize("size", [3, 4, 5, 6])
async def test_no_list_costs_more_than_its_pages_and_two(size: int) -> None:
    """
    Two is the least that is possible for some lists. That a list ends with a full page can be told
    only by an answer with a record in it that had come: an empty one may as well mean that the
    cursor is gone. To have one, each request must begin early, and costs a record. As many requests
    as a page has records cost a page; from then on the list needs one more than its pages already.
    """
    over = []
    for count in range(6 * size * size):
        server = ListServer([(f"r{number}", number) for number in range(count)])
        await Records(listing(size, most=size), server.run).collect()
        over.append(len(server.asked) - -(-count // size))

    assert 2 == max(over)
    # 813 records in pages of 30, 9,703 in pages of 100.
    assert size * size - 3 * size + 3 == over.index(2)
    # Where the last page of a list that long is full, and nowhere else: one list in *size*.
    assert {3 % size} == {count % size for count, more in enumerate(over) if more == 2}


@pytest.mark.parametrize("size", [3, 5, 8])
@pytest.mark.parametrize("ascending", [False, True])
async def test_a_list_whose_records_move_costs_one_request_more_in_each_square_of_its_pages(
    size: int, ascending: bool
) -> None:
    """
    Each request begins one record early: nothing else shows that its cursor has not moved. Oldest
    first, the second one begins two early.
    """
    for count in range(3 * size * size):
        server = ListServer([(f"r{n}", n) for n in range(count)], ascending=ascending)
        asked = listing(size, most=size, ascending=ascending, moves=True)
        await Records(asked, server.run).collect()

        # Full pages, what they hold, and one of *size - 1* records for each further one.
        full, held = (0, 0) if count < size else (1, size)
        if ascending and count >= 2 * size - 2:
            full, held = 2, 2 * size - 2
        pages = full + 1 + (count - held) // (size - 1 if full else size)
        second_look = 0 if ascending or count < size else 1
        assert pages + second_look == len(server.asked)
        assert pages <= -(-count // size) + 1 + count // (size * (size - 1))


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("page_size", [5, 29, 30])
async def test_records_of_one_millisecond_cost_no_more_than_others(
    ascending: bool, moves: bool, page_size: int
) -> None:
    """As many as were imported at once: where they move, the first page is read once more."""
    for count in [page_size, 2 * page_size - 1, 75, 300]:
        server = ListServer([(f"r{number}", 7) for number in range(count)], ascending=ascending)
        asked = listing(page_size, most=30, ascending=ascending, moves=moves)

        found = await Records(asked, server.run).collect()

        assert count == len(found)
        assert len(server.asked) <= -(-count // page_size) + 1 + moves


@pytest.mark.parametrize("gone_cursor", GONE_CURSORS)
async def test_a_full_page_at_the_end_is_followed_by_one_that_shows_its_last_record(
    gone_cursor: GoneCursor,
) -> None:
    server = ListServer(FROM_NEW_TO_OLD[:4], gone_cursor=gone_cursor)

    await Records(listing(2), server.run).collect()

    assert [(None, "2"), ("r000", "3"), ("r002", "3")] == [
        (query.get("startingAfter"), query["limit"]) for query in server.asked
    ]
