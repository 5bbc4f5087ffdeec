from __future__ import annotations

from datetime import timedelta

import pytest

from talkjs_async.bulk import Progress
from talkjs_async.cli._wording import amount, duration, sentence


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(done=0), "0"),
        (Progress(done=5, total=10, budget_wait=3.0), "5 of 10, waiting for the budget"),
        (
            Progress(done=1_200, failed=3, total=50_000, rate=412.3, eta=75.0),
            "1,203 of 50,000, 3 failed, 412/s, 75 s left",
        ),
    ],
)
def test_progress_is_said_in_few_words(progress: Progress, words: str) -> None:
    assert words == sentence(progress)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (0.84, "0.8 s"),
        (99, "99 s"),
        (245, "4 min 5 s"),
        (timedelta(hours=3, minutes=10).total_seconds(), "3 h 10 min"),
    ],
)
def test_durations_are_written_for_people(seconds: float, words: str) -> None:
    assert words == duration(seconds)


def test_amounts_are_written_for_people() -> None:
    assert ["0", "0.5", "9", "1,000,000"] == [amount(n) for n in (0, 0.5, 9.0, 1_000_000)]
