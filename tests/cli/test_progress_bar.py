from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import cast

import pytest

from talkjs_async.bulk import Progress
from talkjs_async.cli._output import GuardedStream
from talkjs_async.cli._progress_bar import ProgressBar


def test_a_bar_tells_things_above_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("[sync]") as bar:
        bar.show(Progress(done=5, total=10))
        bar.say("The [net] is away.")

    assert "The [net] is away.\n" in capsys.readouterr().err


class Terminal(io.TextIOWrapper):
    """A terminal of ASCII."""

    def isatty(self) -> bool:
        return True


def test_a_bar_has_only_what_its_terminal_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    raw = io.BytesIO()
    terminal = GuardedStream(Terminal(raw, encoding="ascii", write_through=True))

    with redirect_stderr(cast("io.StringIO", terminal)), ProgressBar("sync x\x1b[2J.csv") as bar:
        bar.show(Progress(done=5, total=10))

    shown = raw.getvalue()
    assert rb"sync x\x1b[2J.csv" in shown
    assert b"\\u" not in shown
