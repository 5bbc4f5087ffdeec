"""Progress: a bar on a terminal, quiet lines elsewhere, nothing for machines. All on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from talkjs_async.bulk import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_QUIET: Final = 10.0
"""Seconds between two lines."""


class Drawing:
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


def drawing_for(title: str, *, machine: bool) -> Drawing:
    """
    Choose how to draw.

    Args:
        title: What is being done.
        machine: Whether nobody looks.
    """
    if machine:
        return Drawing()
    return _OnTerminal(title) if sys.stderr.isatty() else _Lines(title)


class _Lines(Drawing):
    """A line now and then, for logs."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._next = time.monotonic() + _QUIET

    def show(self, progress: Progress) -> None:
        """Write a line, if it is time for one."""
        now = time.monotonic()
        if now >= self._next and not progress.finished:
            self._next = now + _QUIET
            say(f"{self._title}: {sentence(progress)}")


class _OnTerminal(Drawing):
    """A bar that moves."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        # Loaded where it is drawn with, and nowhere else.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, SpinnerColumn, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        self._bar = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[words]}"),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task(self._title, total=None, words="")
        self._bar.start()
        return self

    def show(self, progress: Progress) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task,
                completed=progress.through,
                total=progress.total,
                words=sentence(progress),
            )

    def say(self, words: str) -> None:
        """Tell something above the bar."""
        if self._bar is not None:
            self._bar.console.print(words, highlight=False, markup=False)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


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
