"""
anyio's half for the running event loop, loaded where no event loop has to wait for it.

anyio loads it at its first use, which takes some 12 ms, and a server stands still meanwhile. Called
by `PerLoop`, the first in a call that needs anyio.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

_ASYNCIO: Final = "anyio._backends._asyncio"
_TRIO: Final = "anyio._backends._trio"


async def load_backend() -> None:
    """Load it in a thread, unless somebody has."""
    # The event loop has imported its own library.
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        if _TRIO not in sys.modules:
            await trio.to_thread.run_sync(_load, _TRIO)
    elif _ASYNCIO not in sys.modules:
        loop = sys.modules["asyncio"].get_running_loop()
        await loop.run_in_executor(None, _load, _ASYNCIO)


def _load(module: str) -> None:
    # Where they are is anyio's private matter. If they have moved, it loads them by itself.
    try:
        import_module(module)
    except ImportError:
        return
