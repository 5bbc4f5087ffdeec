"""One copy at a time into an app."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import attrs

from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.errors import ConfigurationError


@contextmanager
def alone(argument: str, source: str, context: JobContext) -> Generator[None]:
    """
    Refuse a second copy into the same app while the first runs in this process.

    Either would find the app without what the other is about to store. Of one source, everything
    would be there twice; of two, the messages of both would be in the conversations whose ID both
    have.

    Args:
        argument: What the caller names the client of that app.
    """
    if context.dry_run:
        yield
        return
    copy = _Copy(source, context.client.root, context.client.budget)
    with _lock:
        if any(map(copy.meets, _running)):
            raise ConfigurationError(
                argument, "is of an app that another job copies to now: wait for its end."
            )
        _running.add(copy)
    try:
        yield
    finally:
        with _lock:
            _running.discard(copy)


@attrs.frozen(eq=False)
class _Copy:
    source: str
    root: str
    budget: object

    def meets(self, other: _Copy) -> bool:
        """Whether both go into the same app."""
        same_app = self.budget is other.budget or self.source == other.source
        return self.root == other.root and same_app


_running: Final[set[_Copy]] = set()
_lock: Final = threading.Lock()
