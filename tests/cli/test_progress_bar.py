from __future__ import annotations

import pytest

from talkjs_async.bulk import Progress
from talkjs_async.cli._progress_bar import ProgressBar


def test_a_bar_tells_things_above_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("[sync]") as bar:
        bar.show(Progress(done=5, total=10))
        bar.say("The [net] is away.")

    assert "The [net] is away.\n" in capsys.readouterr().err
