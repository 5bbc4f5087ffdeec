"""The progress of a job on a terminal: a moving bar. Loads rich, so it is loaded late itself."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

import attrs
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as RichProgress

from talkjs_async.bulk import Progress
from talkjs_async.cli._output import drawing_stream, on_one_line
from talkjs_async.cli._progress_display import ProgressDisplay
from talkjs_async.cli._wording import sentence

_ROOM: Final = 3
"""Columns for the "^C" that the terminal writes: a bar that wraps cannot be wiped away."""


@attrs.frozen
class _Narrower:
    """Something that does not reach the edge of the screen."""

    inside: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.inside, options.update(width=options.max_width - _ROOM))


class _RichBar(RichProgress):
    def get_renderables(self) -> Iterable[RenderableType]:
        return map(_Narrower, super().get_renderables())


class ProgressBar(ProgressDisplay):
    """A bar that moves, and goes away with the job."""

    def __init__(self, title: str) -> None:
        console = Console(file=drawing_stream())
        # Characters that the terminal cannot show would be escaped, and break its lines.
        spinner = "dots" if console.encoding.startswith("utf") else "line"
        self._bar = _RichBar(
            SpinnerColumn(spinner),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[words]}", markup=False),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task(on_one_line(title), total=None, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            completed=progress.through,
            total=progress.total,
            words=sentence(progress),
        )

    def say(self, words: str) -> None:
        """Tell something above the bar."""
        self._bar.console.print(on_one_line(words), highlight=False, markup=False)
