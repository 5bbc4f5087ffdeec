"""Counts what happens in a job, and tells its watchers."""

from __future__ import annotations

import anyio
import attrs


@attrs.define
class Tally:
    """
    Counts what happens, and wakes the tasks that watch.

    Attributes:
        answered: Records that TalkJS has answered for and that are not noted yet.
        per_request: How many records go into a request, for the estimate of what is left.
    """

    done: int = 0
    unchanged: int = 0
    failed: int = 0
    planned: int = 0
    waiting: int = 0
    answered: int = 0
    requests: int = 0
    total: int | None = None
    per_request: int = 1
    version: int = 0
    finished: bool = False
    _news: anyio.Event | None = None

    def changed(self) -> None:
        """Wake the tasks that watch."""
        self.version += 1
        if self._news is not None:
            self._news.set()
            self._news = None

    async def news(self) -> None:
        """Wait for the next change."""
        if self._news is None:
            self._news = anyio.Event()
        await self._news.wait()

    @property
    def through(self) -> int:
        """Records that need no more work."""
        return self.done + self.unchanged + self.failed + self.planned
