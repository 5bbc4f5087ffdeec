from __future__ import annotations

import pytest

from talkjs_async.bulk import Progress
from talkjs_async.cli._progress_display import ProgressLines


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLines("sync", every=0.0) as lines:
        lines.show(Progress(done=5, total=10))
        lines.say("The net is away.")
        lines.show(Progress(done=10, total=10, finished=True))

    assert ("", "sync: 5 of 10\nThe net is away.\n") == capsys.readouterr()
