"""How the progress of a job is shown without a terminal: lines for logs, nothing for machines."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Self

from talkjs_async.bulk import Progress
from talkjs_async.cli._output import say
from talkjs_async.cli._wording import sentence

_QUIET: Final = 10.0
"""Seconds between two lines."""


class ProgressDisplay:
    """Shows how far a job is. This one, for machines, shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the screen as it should be."""

    def show(self, progress: Progress) -> None:
        """Show the latest state."""

    def say(self, words: str) -> None:
        """Tell something that is no state."""
        say(words)


class ProgressLines(ProgressDisplay):
    """A line now and then, for logs."""

    def __init__(self, title: str, *, every: float = _QUIET) -> None:
        self._title = title
        self._every = every
        self._next = time.monotonic() + every

    def show(self, progress: Progress) -> None:
        """Write a line, if it is time for one."""
        now = time.monotonic()
        if now >= self._next and not progress.finished:
            self._next = now + self._every
            say(f"{self._title}: {sentence(progress)}")
