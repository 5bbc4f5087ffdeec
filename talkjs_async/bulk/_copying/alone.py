"""One copy at a time: of the same source, into the same app."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.errors import ConfigurationError


@contextmanager
def alone(source: str, context: JobContext) -> Generator[None]:
    """
    Refuse a second copy of a source into the same app while the first runs in this process.

    Either would find the app without what the other is about to store, and store everything.
    """
    if context.dry_run:
        yield
        return
    copy = source, context.client.root
    with _lock:
        if copy in _running:
            raise ConfigurationError(
                "target", "is where another job copies the same source to now: wait for its end."
            )
        _running.add(copy)
    try:
        yield
    finally:
        with _lock:
            _running.discard(copy)


_running: Final[set[tuple[str, str]]] = set()
_lock: Final = threading.Lock()
