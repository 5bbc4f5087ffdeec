"""
One thing per event loop, closed by the loop that it was made in.

Sockets and events belong to the event loop that created them, but users keep one client in a module
and call `asyncio.run` several times, or use threads. Knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from anyio.lowlevel import current_token

from talkjs_async._http.loading import load_backend


class Closable(Protocol):
    """Something that can be closed, more than once."""

    async def aclose(self) -> None:
        """Close it."""
        ...


T = TypeVar("T", bound=Closable)


class PerLoop(Generic[T]):
    """
    Makes a T for each event loop that asks for one, and closes it when that loop ends.

    `asyncio.run` and `trio.run` finalise the async generators that were started in them, so each T
    is kept by one. If a loop is closed by hand without `shutdown_asyncgens`, its T is not closed,
    only forgotten when the next loop asks.

    Args:
        make: Makes one.
        ends_with_loop: Whether the end of the loop is to close it. It need not if a T holds nothing
            of the loop's.
    """

    __slots__ = ("_by_loop", "_ends_with_loop", "_keepers", "_lock", "_make")

    def __init__(self, make: Callable[[], T], *, ends_with_loop: bool = True) -> None:
        self._make = make
        self._ends_with_loop = ends_with_loop
        self._lock = threading.Lock()
        # Weak: a closed T is forgotten with its loop. An open one has sockets, and so has its loop.
        self._by_loop: WeakKeyDictionary[object, T] = WeakKeyDictionary()
        self._keepers: dict[object, AsyncGenerator[None]] = {}

    def __len__(self) -> int:
        """How many event loops have a T that has to be closed."""
        return len(self._keepers)

    async def get(self) -> T:
        """Return the T of the running event loop, and make it first if needed."""
        if not self._keepers:
            await load_backend()
        loop = current_token().native_token
        made = self._by_loop.get(loop)
        if made is None:
            made = await self._start(loop)
        return made

    async def _start(self, loop: object) -> T:
        made = self._make()
        with self._lock:
            for dead in [each for each in self._by_loop if _is_closed(each)]:
                self._by_loop.pop(dead)
                self._keepers.pop(dead, None)
            self._by_loop[loop] = made
        if self._ends_with_loop:
            keeper = self._keepers[loop] = self._keep(loop, made)
            await anext(keeper)
        return made

    async def aclose(self) -> None:
        """
        Close the T of the running event loop, which goes on to get this closed one.

        Those of other loops wait for the end of their loop.
        """
        made = await self.get()
        keeper = self._keepers.pop(current_token().native_token, None)
        if keeper is not None:
            await keeper.aclose()
        await made.aclose()

    async def _keep(self, loop: object, made: T) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._keepers.pop(loop, None)
            await made.aclose()


def _is_closed(loop: object) -> bool:
    # asyncio only: a trio run cannot end without finalising its async generators.
    is_closed = getattr(loop, "is_closed", None)
    return is_closed is not None and bool(is_closed())
