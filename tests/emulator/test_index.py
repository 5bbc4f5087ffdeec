"""Records kept in order."""

import attrs
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.emulator._index import Index, Order


@attrs.define(eq=False)
class Row:
    order: Order


moments = st.lists(st.integers(0, 5), max_size=30)


def filled(times: list[int]) -> tuple[Index[Row], list[Row]]:
    index = Index[Row]()
    rows = [Row((time, "", number)) for number, time in enumerate(times)]
    for row in rows:
        index.add(row)
    return index, sorted(rows, key=lambda row: row.order)


@given(times=moments)
def test_records_come_in_order_whatever_order_they_were_added_in(times: list[int]) -> None:
    index, expected = filled(times)

    assert list(index.walk(descending=False)) == expected
    assert list(index.walk(descending=True)) == expected[::-1]
    assert index.last() is (expected[-1] if expected else None)
    assert len(index) == len(expected)


@given(times=moments, data=st.data())
def test_a_walk_may_start_behind_any_record_even_one_that_is_gone(
    times: list[int], data: st.DataObject
) -> None:
    index, expected = filled([*times, 3])
    position = data.draw(st.integers(0, len(expected) - 1))
    row = expected.pop(position)
    if data.draw(st.booleans()):
        index.remove(row)

    assert list(index.walk(descending=False, after=row)) == expected[position:]
    assert list(index.walk(descending=True, after=row)) == expected[:position][::-1]


@given(times=moments, bound=st.integers(0, 6))
def test_a_walk_may_start_behind_a_moment(times: list[int], bound: int) -> None:
    index, expected = filled(times)

    older = [row for row in expected if row.order[0] < bound]
    newer = [row for row in expected if row.order[0] > bound]
    assert list(index.walk(descending=True, bound=bound)) == older[::-1]
    assert list(index.walk(descending=False, bound=bound)) == newer


@given(times=moments, data=st.data())
def test_newer_than_starts_with_the_newest(times: list[int], data: st.DataObject) -> None:
    index, expected = filled(times)
    position = data.draw(st.integers(0, len(expected)))
    order = expected[position - 1].order if position else None

    assert list(index.newer_than(order)) == expected[position:][::-1]
