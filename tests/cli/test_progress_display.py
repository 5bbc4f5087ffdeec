from __future__ import annotations

from datetime import timedelta

import pytest

from talkjs_async.bulk import Progress
from talkjs_async.cli._progress_bar import ProgressBar
from talkjs_async.cli._progress_display import (
    ProgressLines,
    amount,
    display_for,
    duration,
    sentence,
)


def test_machines_and_logs_get_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with display_for("sync", machine=True) as silent:
        silent.show(Progress(done=1))
    with display_for("sync", machine=False) as quiet:
        # The first line comes when a job takes long.
        quiet.show(Progress(done=1))

    assert ("", "") == capsys.readouterr()


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLines("sync", every=0.0) as lines:
        lines.show(Progress(done=5, total=10))
        lines.say("The net is away.")
        lines.show(Progress(done=10, total=10, finished=True))

    assert ("", "sync: 5 of 10\nThe net is away.\n") == capsys.readouterr()


def test_a_bar_tells_things_above_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("[sync]") as bar:
        bar.show(Progress(done=5, total=10))
        bar.say("The [net] is away.")

    assert "The [net] is away.\n" in capsys.readouterr().err


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
