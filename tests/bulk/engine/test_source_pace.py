"""Whether a source keeps up with the budgets."""

from __future__ import annotations

import pytest

from talkjs_async.bulk._engine.source_pace import SourcePace

RATE = 9.0


def pace_after(
    blocks: list[tuple[float, int]], *, per_request: int = 100
) -> tuple[SourcePace, float]:
    """Wait so many seconds for so many records, again and again; then wait."""
    pace, now = SourcePace(per_request), 0.0
    for seconds, records in blocks:
        pace.asked(now)
        now += seconds
        pace.gave(records, now, RATE)
    pace.asked(now)
    return pace, now


@pytest.mark.parametrize("records_per_second", [901, 2_000, 50_000])
def test_a_source_that_gives_what_the_budget_lets_go_is_never_slow(records_per_second: int) -> None:
    pace, now = pace_after([(0.02, records_per_second // 50)] * 1_000)

    assert pace.seconds_until_slow(now, RATE) > 0


@pytest.mark.parametrize("records_per_second", [0, 50, 700])
def test_a_source_that_gives_less_is_slow_within_a_second(records_per_second: int) -> None:
    pace, now = pace_after([(0.02, records_per_second // 50)] * 50)

    assert pace.seconds_until_slow(now, RATE) <= 0


def test_a_source_that_catches_up_is_not_slow_any_more() -> None:
    pace, now = pace_after([(600.0, 1), (0.0, 51)])

    assert pace.seconds_until_slow(now, RATE) > 0


def test_it_is_slow_as_soon_as_it_says() -> None:
    pace, now = pace_after([(0.01, 7)])

    seconds = pace.seconds_until_slow(now, RATE)

    assert 0 < seconds <= 0.5 / RATE
    assert pace.seconds_until_slow(now + seconds / 2, RATE) > 0
    assert pace.seconds_until_slow(now + seconds * 1.001, RATE) <= 0
