from __future__ import annotations

from collections import defaultdict
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.bulk._engine.source_records import Record
from talkjs_async.bulk._engine.window import MOST_BYTES, Window


def record(number: int, group: str, size: int = 1) -> Record[None]:
    return Record(str(number), number, group, None, b"", size)


def window(most: int = 100) -> Window[None]:
    return Window(per_request=3, most=most, in_order=True)


def taken(window: Window[None]) -> list[int] | None:
    records = window.take()
    return None if records is None else [record.number for record in records]


def test_a_group_goes_as_soon_as_it_fills_a_request() -> None:
    some = window()
    for number, group in enumerate("abab"):
        some.add(record(number, group))

    before = taken(some)
    some.add(record(4, "b"))

    assert None is before
    assert [1, 3, 4] == taken(some)
    assert None is taken(some)


def test_a_group_has_one_request_at_a_time() -> None:
    some = window()
    for number in range(6):
        some.add(record(number, "a"))

    first, second = taken(some), taken(some)
    some.release("a")

    assert ([0, 1, 2], None, [3, 4, 5]) == (first, second, taken(some))


def test_records_without_an_order_go_side_by_side() -> None:
    some: Window[None] = Window(per_request=3, most=100, in_order=False)
    for number in range(6):
        some.add(record(number, ""))

    assert ([0, 1, 2], [3, 4, 5]) == (taken(some), taken(some))


def test_a_full_window_sends_the_fullest_group() -> None:
    some = window(most=4)
    for number, group in enumerate("abbc"):
        some.add(record(number, group))

    assert [1, 2] == taken(some)
    assert None is taken(some)


def test_a_window_knows_how_many_requests_could_go() -> None:
    some, unordered = window(), Window[None](per_request=3, most=100, in_order=False)
    for number, group in enumerate("aaabbbbc"):
        some.add(record(number, group))
        unordered.add(record(number, ""))

    before = some.ready, unordered.ready
    some.exhausted = unordered.exhausted = True

    assert ((2, 2), (3, 3)) == (before, (some.ready, unordered.ready))


def test_long_texts_fill_the_window_as_well() -> None:
    some = window()

    some.add(record(0, "a", size=MOST_BYTES))

    assert some.full


def test_the_end_of_the_source_lets_the_rest_go() -> None:
    some = window()
    some.add(record(0, "a"))
    some.exhausted = True

    assert [0] == taken(some)
    assert 0 == len(some)


def test_a_group_can_be_dropped_while_its_request_is_under_way() -> None:
    some = window()
    for number in range(4):
        some.add(record(number, "a"))
    some.take()

    dropped = some.drop("a")
    some.release("a")
    some.exhausted = True

    assert [3] == [record.number for record in dropped]
    assert (None, 0) == (taken(some), len(some))


@given(st.lists(st.sampled_from("abcde"), max_size=60), st.integers(1, 20), st.randoms())
def test_every_record_leaves_once_and_in_the_order_of_its_group(
    groups: list[str], most: int, chance: Random
) -> None:
    some = window(most)
    left: dict[str, list[int]] = defaultdict(list)
    busy: list[str] = []

    def send() -> None:
        while (records := some.take()) is not None:
            left[records[0].group] += [record.number for record in records]
            busy.append(records[0].group)
            if chance.random() < 0.5:
                some.release(busy.pop(chance.randrange(len(busy))))

    for number, group in enumerate(groups):
        some.add(record(number, group))
        send()
    some.exhausted = True
    while busy or len(some):
        while busy:
            some.release(busy.pop())
        send()

    expected = defaultdict(list)
    for number, group in enumerate(groups):
        expected[group].append(number)
    assert expected == left
