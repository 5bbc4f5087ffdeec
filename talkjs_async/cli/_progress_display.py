"""Progress: a bar on a terminal, quiet lines elsewhere, nothing for machines. All on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

from talkjs_async.bulk import Progress

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


def display_for(title: str, *, machine: bool) -> ProgressDisplay:
    """
    Choose how to draw.

    Args:
        title: What is being done.
        machine: Whether nobody looks.
    """
    if machine:
        return ProgressDisplay()
    if not sys.stderr.isatty():
        return ProgressLines(title)
    # Loaded where it is drawn with, and nowhere else.
    from talkjs_async.cli._progress_bar import ProgressBar  # noqa: PLC0415

    return ProgressBar(title)


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


def sentence(progress: Progress) -> str:
    """Say how far a job is: "1,200 of 5,000, 3 failed, 410/s, 12 s left"."""
    words = [amount(progress.through)]
    if progress.total is not None:
        words[0] += f" of {amount(progress.total)}"
    if progress.failed:
        words.append(f"{amount(progress.failed)} failed")
    if progress.rate:
        words.append(f"{amount(progress.rate)}/s")
    if progress.eta:
        words.append(f"{duration(progress.eta)} left")
    elif progress.budget_wait:
        words.append("waiting for the budget")
    return ", ".join(words)


def amount(number: float) -> str:
    """Write a number for people: 12,345, or 0.8."""
    return f"{number:,.1f}" if 0 < number < 10 and number != int(number) else f"{number:,.0f}"


def duration(seconds: float) -> str:
    """Write a duration for people: 8.2 s, 4 min 5 s, 3 h 10 min."""
    if seconds < 100:
        return f"{amount(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def say(words: str) -> None:
    """Tell the person something that is no result."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
