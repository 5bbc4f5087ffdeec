"""Whatever a server does, a call ends as the table allows, in time, and leaves nothing open."""

from __future__ import annotations

import pytest

from tests.hostile import matrix
from tests.hostile.__main__ import (
    PLAIN,
    THROUGH,
    WAYS,
    Way,
    is_bad,
    play_fuzz,
    play_matrix,
    play_surplus,
)
from tests.hostile.handshakes import HANDSHAKES
from tests.hostile.surplus import BODYLESS, FORMS
from tests.hostile.table import TABLE

pytestmark = pytest.mark.harness

# Of a client of the user's the generators are the library's, which leaves them half read when an
# answer is given up; trio remarks on it later. With connections of our own none is left.
LEFT_BY_THE_LIBRARY = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <async_generator:pytest.PytestUnraisableExceptionWarning"
)


def test_the_table_has_at_least_sixty_faults_and_eleven_calls() -> None:
    assert len(TABLE) >= 60
    assert len(HANDSHAKES) >= 7
    assert len(FORMS | BODYLESS) >= 20
    assert 11 == len(matrix.CALLS)


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_each_call_ends_as_the_table_allows(way: Way) -> None:
    # Of all ways together, each cell once.
    cells = matrix.cells(over=way.over)[WAYS.index(way) :: len(WAYS)]

    assert [] == play_matrix(way, cells).wrong


@LEFT_BY_THE_LIBRARY
@pytest.mark.parametrize(("how", "way"), THROUGH, ids=str)
def test_so_it_does_through_what_the_user_brings(how: str, way: Way) -> None:
    cells = matrix.cells(every=37, over=way.over, how=how)

    assert [] == play_matrix(way, cells, how).wrong


@pytest.mark.parametrize("pause", [0.0, 0.003], ids=["at once", "late"])
@pytest.mark.parametrize("how", ["own", "proxy"])
@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_no_call_gets_what_lies_behind_an_answer(way: Way, how: str, pause: float) -> None:
    ends = play_surplus(way, how, pause=pause, calls=3)

    assert 0 == ends["WRONG"]
    assert ends["right"] > ends["errors"]


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_malformed_answer_is_our_error(way: Way) -> None:
    ends = play_fuzz(way, 150, seed=20261127)

    assert [] == [end for end in ends if is_bad(end)]


def test_what_a_user_brings_is_played_over_every_library_and_loop() -> None:
    assert {("http_client", way) for way in PLAIN} < set(THROUGH)
