"""
One client that may have many connections, and a fair queue in front of it.

For a client or transport that the user passes. Knows nothing of TalkJS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from talkjs_async._http.connection import close_client
from talkjs_async._http.semaphore import Semaphore
from talkjs_async.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx


class Gate:
    """
    One client with its own settings, and a fair queue in front of it.

    Args:
        client: Used as it is.
        owned: Whether closing the gate closes the client.
        size: Calls in flight.
    """

    __slots__ = ("_client", "_owned", "_semaphore")

    def __init__(self, client: httpx.AsyncClient, *, owned: bool, size: int) -> None:
        self._client = client
        self._owned = owned
        self._semaphore = Semaphore(size)

    async def take(self) -> httpx.AsyncClient:
        await self._semaphore.take()
        if self._client.is_closed:
            self._semaphore.give_back()
            raise ConfigurationError("http_client", "is closed: keep it open as long as it is used")
        return self._client

    async def give_back(
        self,
        client: httpx.AsyncClient,  # noqa: ARG002 - there is only one
        *,
        intact: bool,  # noqa: ARG002 - its pool is not ours to mend
    ) -> None:
        self._semaphore.give_back()
        if self._semaphore.closed:
            await self._close_if_unused()

    async def aclose(self) -> None:
        self._semaphore.close()
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._owned and self._semaphore.all_free:
            await close_client(self._client)
