"""What has come of a list: what an answer shows, where to go on, and what of it is new."""

from __future__ import annotations

import json
from typing import Any

import pytest

from talkjs_async._core.listing import Page
from talkjs_async._core.trail import Mark, Trail, Verdict, begins_with
from tests.core.list_server import ids_of, listing


def page(*marks: Mark, last: bool = False) -> Page[Any]:
    """An answer with these records; after a full page others may follow."""
    items = tuple({"id": key, "at": at} for key, at in marks)
    return Page(items=items, cursor=None if last or not marks else marks[-1][0])


def single(text: str) -> list[Mark]:
    """Records and their moments: "a9 b8"."""
    return [(word[0], float(word[1:])) for word in text.split()]


def trail_of(*pages: str, **options: Any) -> Trail[Any]:
    """A trail that has taken these pages."""
    trail = Trail(listing(**{"page_size": 3, **options}))
    for each in pages:
        trail.take(page(*single(each)))
    return trail


def fresh(trail: Trail[Any], text: str) -> str:
    """What is new of an answer: "de"."""
    return "".join(ids_of(list(trail.take(page(*single(text))))))


class TestWhereToSetTheCursor:
    @pytest.mark.parametrize(
        ("pages", "places"),
        [
            # One early, so that the answer holds the last one; the last one; two earlier ones.
            (["a9 b8 c7"], [1, 2, 0]),
            (["a9 b8 c7", "d6 e5 f4"], [2, 3, 1, 0]),
            (["a9 b8 c7 d6 e5 f4 g3"], [5, 6, 3, 0]),
            # All that has come is one record: behind where the walk began.
            (["a9"], [-1, 0]),
        ],
    )
    def test_one_record_early_then_as_documented_then_earlier(
        self, pages: list[str], places: list[int]
    ) -> None:
        assert places == list(trail_of(*pages).places())

    @pytest.mark.parametrize(
        ("size", "most", "pages", "places"),
        [
            (5, 5, 2, [3, 4, 2, 0]),
            (5, 5, 3, [4, 3, 2, 0]),
            (5, 5, 9, [4, 3, 2, 0]),
            (5, 6, 9, [3, 4, 2, 0]),
        ],
    )
    def test_as_documented_first_where_early_ones_cost_requests(
        self, size: int, most: int, pages: int, places: list[int]
    ) -> None:
        trail = trail_of(page_size=size, most=most)
        for number in range(pages):
            trail.take(page(*((f"{number}-{key}", -10.0 * number - key) for key in range(size))))

        assert places == list(trail.places())

    def test_never_behind_the_last_one_alone_where_it_may_have_moved(self) -> None:
        assert [1, 0] == list(trail_of("a9 b8 c7", moves=True).places())
        assert [-1] == list(trail_of("a9", moves=True).places())

    def test_where_records_move_ahead_behind_one_of_an_earlier_moment(self) -> None:
        trail = trail_of("a1 b2 c3 d4 e5 f5 g5", moves=True, ascending=True, page_size=7)

        # Behind "d" and so before "e", which may have moved, stand "f" and "g": they are no proof.
        assert [2, 3, 0] == list(trail.places())

    def test_only_anchors_count_while_what_has_come_is_skipped(self) -> None:
        trail = trail_of("a9 b8 c7")
        trail.begin_anew()
        trail.take(page(*single("a9 b8 c7")))
        skipping = list(trail.places())

        trail.take(page(*single("c7 d6 e5")))

        assert [1, 0] == skipping
        assert [2, 3, 1, 0] == list(trail.places())

    def test_an_imitation_that_knows_only_last_cursors_is_asked_for_them(self) -> None:
        trail = trail_of("a9 b8 c7", moves=True)
        asked = []
        for _ in range(3):
            trail.begin_anew()
            trail.take(page(*single("a9 b8 c7")))
            asked.append(list(trail.places()))

        assert [[1, 0], [1, 2, 0], [1, 2, 0]] == asked

    def test_once_an_imitation_has_gone_on_it_is_known_as_one(self) -> None:
        trail = trail_of("a9 b8 c7", moves=True)
        for _ in range(2):
            trail.begin_anew()
            trail.take(page(*single("a9 b8 c7")))
        answer = page(*single("d6 e5 f4"))
        assert "continues" == trail.judge(answer, 2)
        trail.take(answer)

        assert 0 == trail.restarts
        assert "continues" == trail.judge(page(*single("f4 g3 h2")), 2)
        assert 3 in list(trail.places())

    @pytest.mark.parametrize(
        ("answer", "imitates"), [("x6 y5", False), ("a9 b8", True), ("a9", True)]
    )
    def test_who_answers_other_cursors_each_in_its_way_is_no_imitation(
        self, answer: str, imitates: bool
    ) -> None:
        trail = trail_of("a9 b8 c7", moves=True)
        assert "unsure" == trail.judge(page(*single(answer)), 1)
        for _ in range(2):
            trail.begin_anew()
            trail.take(page(*single("a9 b8 c7")))

        assert imitates == (2 in list(trail.places()))

    def test_the_cursor_is_the_record_there_or_what_the_caller_gave(self) -> None:
        trail = trail_of("a9 b8 c7", starting_after="z")

        assert ["z", "a", "b", "c"] == [trail.cursor(place) for place in (-1, 0, 1, 2)]
        assert [single("a9 b8 c7"), single("b8 c7"), single("c7"), []] == [
            trail.anchors(place) for place in (-1, 0, 1, 2)
        ]


class TestWhatAnAnswerShows:
    @pytest.mark.parametrize(
        ("place", "answer", "verdict"),
        [
            # Behind the last but one: the last one shows that there is no gap.
            (1, "c7 d6", "continues"),
            (1, "d6 e5", "unsure"),
            (1, "", "ends"),
            # What was given before the anchor, the cursor itself too, is not behind it.
            (1, "b8 c7 d6", "unsure"),
            (0, "b8 c7 d6", "continues"),
            (0, "a9 b8 c7 d6", "unsure"),
            (0, "c7 d6", "continues"),
            # Behind the last one: what lies behind it by the list's own order.
            (2, "d6 e5", "continues"),
            (2, "d7 e5", "continues"),
            (2, "d8 e5", "unsure"),
            (2, "c7 d6", "continues"),
            (2, "b7 d6", "unsure"),
            (2, "a9 b8 c7", "unsure"),
            (2, "", "ends"),
            # A full page that ends where the list was before does not go on.
            (1, "x9 b8 c7", "unsure"),
        ],
    )
    def test_of_a_list_that_stands(self, place: int, answer: str, verdict: Verdict) -> None:
        trail = trail_of("a9 b8 c7")

        assert verdict == trail.judge(page(*single(answer)), place)

    def test_the_last_page_may_end_where_the_list_was_before(self) -> None:
        trail = trail_of("a9 b8 c7")

        assert "continues" == trail.judge(page(*single("c7"), last=True), 1)
        assert "unsure" == trail.judge(page(*single("c7")), 1)

    def test_records_of_the_first_page_show_that_the_list_began_anew(self) -> None:
        trail = trail_of("a9 b8 c7", "d6 e5 f4")

        # In the tail are "c" and what follows.
        assert "unsure" == trail.judge(page(*single("b8 f4 g3")), 2)
        assert "continues" == trail.judge(page(*single("f4 g3")), 2)

    def test_what_has_come_of_the_same_moment_does_not_go_on(self) -> None:
        trail = trail_of("a7 b7", "c7 d7", "e7 f7", "g7 h7", page_size=2)

        assert "unsure" == trail.judge(page(*single("c7 i7")), 3)
        assert "unsure" == trail.judge(page(*single("f7 i7")), 3)
        assert "continues" == trail.judge(page(*single("i7 j7")), 3)

    def test_behind_a_cursor_of_the_callers_only_an_earlier_moment_goes_on(self) -> None:
        trail = trail_of("a9 b8 c7", starting_after="z")

        assert "unsure" == trail.judge(page(*single("d7 e5")), 2)
        assert "continues" == trail.judge(page(*single("d6 e5")), 2)

    def test_where_the_walk_began_its_first_record_is_the_anchor(self) -> None:
        trail = trail_of("a9", page_size=1)

        assert "continues" == trail.judge(page(*single("a9 b8")), -1)
        assert "unsure" == trail.judge(page(*single("b8 c7")), -1)

    @pytest.mark.parametrize(
        ("place", "answer", "verdict"),
        [
            # "b" has an earlier moment than the last one: it cannot have moved along with it.
            (0, "b2 c3 d4", "continues"),
            (0, "b2", "unsure"),
            (0, "c3 d4", "unsure"),
            (0, "a1 b2 c3", "unsure"),
            # What came behind may have moved to the end together.
            (1, "c3", "ends"),
            (1, "d4 c3", "unsure"),
        ],
    )
    def test_of_a_list_whose_records_move_ahead(
        self, place: int, answer: str, verdict: Verdict
    ) -> None:
        trail = trail_of("a1 b2 c3", moves=True, ascending=True)

        assert verdict == trail.judge(page(*single(answer)), place)


class TestWhereAllMayHaveMovedTogether:
    """
    Oldest first: behind the last record of an earlier moment, the anchors may have moved with it.

    In pages of the largest size the cursor stands there. An answer that looks odd does not count,
    and one that may be behind a moved cursor leaves a doubt.
    """

    SECOND = ("a1 b2 c3", "d4 e5 f6")

    @staticmethod
    def moving(*pages: str, size: int = 3, most: int = 3, **options: Any) -> Trail[Any]:
        return trail_of(*pages, page_size=size, most=most, moves=True, ascending=True, **options)

    @pytest.mark.parametrize(
        ("answer", "verdict", "doubted"),
        [
            ("f6 g7 h8", "continues", False),
            ("f6 g6 h7", "continues", False),
            # All that follows has the moment of the anchor: it may be what moved.
            ("f6 g6 h6", "continues", True),
            # Not where the anchor was; or what has come, at a later moment.
            ("g7 f6 h8", "unsure", False),
            ("f6 d7 h8", "unsure", False),
            ("g7 h8 i9", "unsure", False),
        ],
    )
    def test_an_answer_behind_the_usual_cursor(
        self, answer: str, verdict: Verdict, doubted: bool
    ) -> None:
        trail = self.moving(*self.SECOND)
        assert 2 == next(iter(trail.places()))

        assert verdict == trail.judge(page(*single(answer)), 2)
        assert doubted == trail.doubted

    def test_a_doubt_stays(self) -> None:
        trail = self.moving(*self.SECOND)

        trail.judge(page(*single("f6 g6 h6")), 2)
        trail.judge(page(*single("f6 g7 h8")), 2)

        assert trail.doubted

    @pytest.mark.parametrize(
        ("pages", "place", "answer"),
        [(SECOND, 2, "f6"), (("a1", "b2"), 0, "b2"), (("a1", "b2"), 0, "b2 c3")],
    )
    def test_an_end_that_shows_the_last_record_is_the_end(
        self, pages: tuple[str, ...], place: int, answer: str
    ) -> None:
        size = len(pages[0].split())
        trail = self.moving(*pages, size=size, most=size)

        assert "continues" == trail.judge(page(*single(answer), last=True), place)
        assert not trail.doubted

    def test_only_one_of_an_earlier_moment_is_sure(self) -> None:
        trail = self.moving(*self.SECOND, most=100)

        assert "unsure" == trail.judge(page(*single("f6 g7 h8")), 1)
        assert "continues" == trail.judge(page(*single("e5 g7 h8")), 1)
        assert not trail.doubted

    @pytest.mark.parametrize(
        ("options", "pages", "place", "answer"),
        [
            # Smaller pages have a better place; the record itself is of the last moment; the walk
            # began behind it.
            ({"most": 100}, SECOND, 2, "f6 g7 h8"),
            ({}, ("a1 b2 c3", "d5 e5 f5"), 2, "f5 g6 h7"),
            ({"size": 1, "most": 1, "starting_after": "z"}, ("a5",), -1, "a5 b6"),
        ],
    )
    def test_an_answer_behind_another_cursor_leaves_a_doubt(
        self, options: dict[str, Any], pages: tuple[str, ...], place: int, answer: str
    ) -> None:
        trail = self.moving(*pages, **options)

        assert "continues" == trail.judge(page(*single(answer)), place)
        assert trail.doubted

    def test_an_end_behind_another_cursor_may_be_none(self) -> None:
        trail = self.moving(*self.SECOND, most=100)

        assert "ends" == trail.judge(page(*single("f6"), last=True), 2)

    def test_an_answer_that_comes_while_all_is_skipped_leaves_a_doubt(self) -> None:
        trail = self.moving(*self.SECOND)
        trail.skipping = True

        assert "continues" == trail.judge(page(*single("f6 g7 h8")), 2)
        assert trail.doubted

    @pytest.mark.parametrize(("answer", "doubted"), [("g7 f6 h8", True), ("f6 g7 h8", False)])
    def test_after_a_restart_even_an_odd_one_counts_and_leaves_a_doubt(
        self, answer: str, doubted: bool
    ) -> None:
        trail = self.moving(*self.SECOND)
        trail.restarts = 1

        assert "continues" == trail.judge(page(*single(answer)), 2)
        assert doubted == trail.doubted

    def test_from_the_top_nothing_can_have_moved_along(self) -> None:
        trail = self.moving("a5 b5 c5", most=100)

        assert "continues" == trail.judge(page(*single("a5 b5 c5 d5")), -1)
        assert not trail.doubted


class TestWhatIsNew:
    def test_what_has_not_come_and_nothing_twice(self) -> None:
        trail = trail_of()

        assert "abc" == fresh(trail, "a9 b8 c7")
        assert "de" == fresh(trail, "c7 d6 e5")
        assert "" == fresh(trail, "d6 e5")
        assert 3 == trail.pages

    def test_what_stands_before_the_anchor_arrived_there_since(self) -> None:
        assert "d" == fresh(trail_of("a9 b8 c7"), "x8 c7 d6")

    def test_what_stands_before_the_callers_cursor_is_not_its_business(self) -> None:
        trail = trail_of(starting_after="s")

        assert "yz" == fresh(trail, "x9 s8 y7 z6")

    @pytest.mark.parametrize(
        ("options", "new"),
        [
            ({}, "d"),
            # There it may be one that has moved.
            ({"moves": True}, "xd"),
            ({"moves": True, "starting_after": "s"}, "d"),
        ],
    )
    def test_what_has_come_is_skipped_when_the_list_begins_anew(
        self, options: dict[str, Any], new: str
    ) -> None:
        trail = trail_of("a9 b8 c7", **options)
        trail.begin_anew()
        assert (True, 1, [], []) == (trail.skipping, trail.restarts, trail.tail, trail.head)

        assert new == fresh(trail, "x9 a9 b8 c7 d6")
        assert 0 == trail.restarts

    def test_restarts_in_vain_are_counted(self) -> None:
        trail = trail_of("a9 b8 c7")

        for _ in range(3):
            trail.begin_anew()
            assert "" == fresh(trail, "a9 b8")

        assert 3 == trail.restarts
        assert trail.skipping

    def test_records_of_the_last_moment_are_known_beyond_the_last_page(self) -> None:
        trail = trail_of("a7 b7", "c7 d7", "e7 f7", "g7 h7", page_size=2)
        trail.begin_anew()

        assert "" == fresh(trail, "a7 b7 c7 d7")
        assert "i" == fresh(trail, "g7 h7 i7")

    def test_the_marks_of_a_page_are_kept_or_four(self) -> None:
        pages = ["a9", "b8", "c7", "d6", "e5"]

        assert single("b8 c7 d6 e5") == trail_of(*pages, page_size=1).tail
        assert single("d6 e5 f4 g3 h2") == trail_of("a9 b8 c7", "d6 e5 f4 g3 h2").tail
        assert single("a9 b8 c7 a6") == trail_of("a9 b8 c7", "a6").tail

    def test_a_record_that_comes_again_stands_where_it_came_last(self) -> None:
        trail = trail_of("a9 b8 c7", "b8 d6")

        assert single("a9 c7 b8 d6") == trail.tail

    def test_the_first_page_is_remembered_until_another_pass(self) -> None:
        trail = trail_of("a9 b8 c7", "d6 e5 f4")
        trail.doubted = True
        before = trail.head, trail.pages

        trail.begin()

        assert (single("a9 b8 c7"), 2) == before
        assert ([], [], 0, False) == (trail.head, trail.tail, trail.pages, trail.doubted)


class TestGoingOnElsewhere:
    def test_a_trail_goes_on_where_another_one_was(self) -> None:
        before = trail_of("a9 b8 c7", "d6 e5 f5")
        place = json.loads(json.dumps(before.place))

        after = Trail(listing(3), place)

        assert (0, False, False) == (after.restarts, after.skipping, after.doubted)
        assert list(before.places()) == list(after.places())
        assert "continues" == after.judge(page(*single("f5 g5")), 2)
        assert "g" == fresh(after, "e5 f5 g5")

    def test_it_skips_what_has_come_when_the_list_begins_anew(self) -> None:
        after = Trail(listing(3), trail_of("a9 b8 c7", "d6 e5 f5").place)
        after.begin_anew()

        assert "g" == fresh(after, "a9 b8 c7 d6 e5 f5 g5")

    def test_its_place_stays_small_in_a_flood_of_one_millisecond(self) -> None:
        trail = trail_of(page_size=100)
        for number in range(6):
            trail.take(page(*((f"r{number}-{key}", 7.0) for key in range(100))))

        assert (4, 500, 7.0) == (
            len(trail.place["tail"]),
            len(trail.place["known"]),
            trail.place["position"],
        )


@pytest.mark.parametrize(
    ("first", "other", "at_least", "begins"),
    [
        ("a9 b8 c7", "a9 b8 c7", 3, True),
        ("a9 b8 c7 d6", "a9 b8 c7", 3, True),
        ("a9 b8 c7", "a9 b8 c7 d6", 3, True),
        ("a9 b8", "a9 b8", 3, False),
        ("a9 b8", "a9 b8", 2, True),
        ("a9", "a9 b8", 1, True),
        ("", "a9 b8", 1, False),
        ("a9 b8 d6", "a9 b8 c7", 3, False),
        ("a9 b8 c6", "a9 b8 c7", 3, False),
    ],
)
def test_a_page_begins_as_another_where_enough_records_stand_as_they_stood(
    first: str, other: str, at_least: int, begins: bool
) -> None:
    assert begins == begins_with(single(first), single(other), at_least=at_least)


def test_two_records_are_too_few_to_show_that_none_has_moved() -> None:
    assert not begins_with(single("a9 b8"), single("a9 b8"))
    assert begins_with(single("a9 b8 c7"), single("a9 b8 c7"))
