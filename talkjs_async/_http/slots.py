"""
Clients with one connection each, lent to one request at a time.

A pool of httpx is wedged for good by cancelled requests and looks at every connection for every
request. So each slot here is a client with *one* connection: the list of free slots is pool and
semaphore in one, and a slot whose exchange was cancelled or broke is thrown away. Knows nothing of
TalkJS.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from talkjs_async._http.connection import ConnectionRoute, close_client, open_client
from talkjs_async._http.engine import Engine
from talkjs_async._http.semaphore import Semaphore

if TYPE_CHECKING:
    import httpx


class Slots:
    """
    Clients with one connection each.

    Args:
        engine: The library to use. It is loaded by the first loan.
        route: How hosts are reached.
        size: Connections, and so calls in flight.
        now: A monotonic clock in seconds, the one that sockets live by.
    """

    __slots__ = ("_engine", "_now", "_opening", "_route", "_semaphore", "_warm")

    def __init__(
        self,
        engine: Engine,
        route: ConnectionRoute,
        *,
        size: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._route = route
        self._now = now
        self._semaphore = Semaphore(size)
        # Idle clients and since when, the one used last at the end: taken first, it is the one
        # whose connection is most likely still open.
        self._warm: deque[tuple[httpx.AsyncClient, float]] = deque()
        # The first calls of a process must not send a thread each to load the library.
        self._opening = anyio.Lock(fast_acquire=True)

    async def take(self) -> httpx.AsyncClient:
        await self._semaphore.take()
        if self._warm:
            return self._warm.pop()[0]
        try:
            async with self._opening:
                return await open_client(self._engine, self._route)
        except BaseException:
            self._semaphore.give_back()
            raise

    async def give_back(self, client: httpx.AsyncClient, *, intact: bool) -> None:
        if not intact or self._semaphore.closed:
            try:
                await close_client(client)
            finally:
                self._semaphore.give_back()
            return
        now = self._now()
        self._warm.append((client, now))
        self._semaphore.give_back()
        while self._warm and self._warm[0][1] < now - self._route.keepalive:
            await close_client(self._warm.popleft()[0])

    async def aclose(self) -> None:
        self._semaphore.close()
        while self._warm:
            await close_client(self._warm.pop()[0])
