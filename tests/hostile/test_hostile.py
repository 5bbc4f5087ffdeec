"""Whatever a server does, a call ends as the table allows, in time, and leaves nothing open."""

from __future__ import annotations

import pytest

from tests.hostile import matrix
from tests.hostile.__main__ import WAYS, is_bad, play_fuzz, play_matrix
from tests.hostile.faults import TABLE

pytestmark = pytest.mark.hostile


def test_the_table_has_at_least_sixty_faults() -> None:
    assert len(TABLE) >= 60


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_each_call_ends_as_the_table_allows(way: tuple[str, str, str]) -> None:
    # Of all ways together, each cell once.
    cells = matrix.cells()[WAYS.index(way) :: len(WAYS)]

    assert [] == play_matrix(way, cells)


# Of a client of the user's the generators are the library's, which leaves them half read when an
# answer is given up; trio remarks on it later. With connections of our own none is left.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <async_generator:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("how", ["proxy", "http_client", "transport"])
@pytest.mark.parametrize("way", [way for way in WAYS if way[2] == "plain"], ids="-".join)
def test_so_it_does_through_what_the_user_brings(way: tuple[str, str, str], how: str) -> None:
    assert [] == play_matrix(way, matrix.cells(every=31), how)


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_malformed_answer_is_our_error(way: tuple[str, str, str]) -> None:
    ends = play_fuzz(way, 150, seed=20261127)

    assert [] == [end for end in ends if is_bad(end)]
