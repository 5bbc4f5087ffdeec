"""
What the first call of a process loads, in threads and where no fork cuts it in two.

A module whose import another thread had begun stays locked for ever in a forked child. So a fork
waits until what is loaded here is loaded. anyio loads its half for an event loop at its first use,
which takes some 12 ms, and a server stands still meanwhile: that is done here as well.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Final, TypeVar

T = TypeVar("T")

_ASYNCIO: Final = "anyio._backends._asyncio"
_TRIO: Final = "anyio._backends._trio"

_lock: Final = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


async def in_thread(load: Callable[[], T]) -> T:
    """Run *load* in a thread, one at a time in a process. A cancelled call leaves at once."""

    def run() -> T:
        with _lock:
            return load()

    if on_asyncio():
        loop = sys.modules["asyncio"].get_running_loop()
        result: T = await loop.run_in_executor(None, run)
    else:
        result = await sys.modules["trio"].to_thread.run_sync(run, abandon_on_cancel=True)
    return result


async def load_backend() -> None:
    """Load anyio's half for the running event loop, unless it is there."""
    name = _ASYNCIO if on_asyncio() else _TRIO
    module = sys.modules.get(name)
    # Another thread may be half-way through its import.
    if module is None or getattr(module.__spec__, "_initializing", False):
        await in_thread(lambda: _load(name))


def on_asyncio() -> bool:
    """
    Whether asyncio runs this task, and not trio.

    It is asyncio that is asked: if trio runs nothing in this thread, another may be importing it.
    """
    try:
        return sys.modules["asyncio"].current_task() is not None
    except (KeyError, RuntimeError):
        return False


def _load(module: str) -> None:
    # Where they are is anyio's private matter. If they have moved, it loads them by itself.
    try:
        import_module(module)
    except ImportError:
        return
