"""
Connections, handed out for one request at a time.

A pool of httpx is wedged for good by cancelled requests and looks at every connection for every
request. So each slot here is a client with *one* connection: the list of free slots is pool and
gate in one, and a slot whose exchange was cancelled or broke is thrown away. Knows nothing of
TalkJS. Called once per attempt by the pipeline.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, final

import anyio

from talkjs_async._http.connection import open_client
from talkjs_async._http.engine import Engine, engine_of
from talkjs_async._http.per_loop import PerLoop
from talkjs_async.errors import ConfigurationError
from talkjs_async.limits._settings import IN_FLIGHT

if TYPE_CHECKING:
    import httpx

SLOTS: Final = 2 * IN_FLIGHT
"""
Connections per client and event loop: enough for all that both budgets, ordinary and batch, let
out, so that nobody holds a token and waits for a connection.

How much is in flight is decided there, and explained at IN_FLIGHT. Where a limiter has no such
bound, this is the bound. The CPU time of a call does not depend on it (`python -m benchmarks
transport`). At 9 calls/s one or two slots are in use and the others are closed.
"""

INJECTED: Final = 20
"""
Calls in flight through a client that was injected: the idle connections that a pool of httpx keeps.

With more calls than that, it closes and opens connections all the time.
"""

KEEPALIVE: Final = 55.0
"""
Seconds that an idle connection is kept.

Load balancers commonly hang up after 60 s; whoever hangs up first has no request cut off by it.
"""

_CLOSING_TAKES_AT_MOST: Final = 1.0
"""Seconds. Closing is one step of the event loop; the bound is for a transport that misbehaves."""


class Pool(Protocol):
    """Clients of one event loop."""

    async def take(self) -> httpx.AsyncClient:
        """Wait for a place, first come, first served, and get a client for ONE request."""
        ...

    async def give_back(self, client: httpx.AsyncClient, *, intact: bool) -> None:
        """End the loan. *intact*: the exchange ended with an answer."""
        ...

    async def aclose(self) -> None:
        """Refuse who waits or comes, and close what is idle now and the rest when it is back."""
        ...


@final
class Connections:
    """
    Where the pipeline gets its connections from.

    Works in any number of event loops, one after the other or in threads.

    Attributes:
        engine: The library whose clients are lent, loaded at the latest by the first loan.
        pools: What is open, by event loop.
    """

    __slots__ = ("engine", "pools")

    def __init__(
        self, engine: Engine, make_pool: Callable[[], Pool], *, ends_with_loop: bool
    ) -> None:
        self.engine: Engine = engine
        self.pools: PerLoop[Pool] = PerLoop(make_pool, ends_with_loop=ends_with_loop)

    def borrow(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """
        Wait for a place, first come, first served, and get a client that may send ONE request now.

        Only the exchange belongs into the block: an exception that leaves it costs the connection.

        Raises:
            ConfigurationError: Closed in this event loop, or the engine cannot be used.
        """
        return _Loan(self.pools)

    async def aclose(self) -> None:
        """
        Close what this event loop has open, for good: calls that wait or come are refused.

        Calls under way end by themselves. Other event loops close theirs when they end.
        """
        await self.pools.aclose()


def connections_for(
    engine: str,
    *,
    tls: bool,
    http_client: httpx.AsyncClient | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    size: int | None = None,
) -> Connections:
    """
    Choose how requests travel.

    Args:
        engine: Name of the library. An *http_client* brings its own, and so does a *transport* of
            httpx2.
        tls: Whether the base URL is https://.
        http_client: A client of the user's, used as it is and never closed.
        transport: A transport of the user's. `aclose` closes it, the end of an event loop does not:
            it may hold nothing, as the emulator's, and then nobody need close anything.
        size: Calls in flight per event loop. None: INJECTED with an *http_client*, else SLOTS.
    """
    places = size or (SLOTS if http_client is None else INJECTED)
    if http_client is not None and transport is not None:
        raise ConfigurationError("transport", "give either this or http_client, not both")
    if http_client is not None:
        given = http_client
        library = engine_of(http_client, argument="http_client", base="AsyncClient")
        return Connections(
            library, lambda: Gate(given, owned=False, size=places), ends_with_loop=False
        )
    if transport is not None:
        library = engine_of(transport, argument="transport", base="AsyncBaseTransport")
        if engine == "httpx2":
            # A transport may serve both libraries, as the emulator's does.
            library = Engine(engine)
            library.load()
        return Connections(
            library,
            lambda: Gate(
                library.AsyncClient(transport=transport, trust_env=False), owned=True, size=places
            ),
            ends_with_loop=False,
        )
    chosen = Engine(engine)
    return Connections(chosen, lambda: Slots(chosen, tls=tls, size=places), ends_with_loop=True)


@final
class _Loan:
    """`async with` around one exchange."""

    __slots__ = ("_client", "_pool", "_pools")

    _client: httpx.AsyncClient
    _pool: Pool

    def __init__(self, pools: PerLoop[Pool]) -> None:
        self._pools = pools

    async def __aenter__(self) -> httpx.AsyncClient:
        self._pool = await self._pools.get()
        self._client = await self._pool.take()
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._pool.give_back(self._client, intact=kind is None)


class Slots:
    """
    Clients with one connection each.

    Args:
        engine: The library to use. It is loaded by the first loan.
        tls: Whether the base URL is https://.
        size: Connections, and so calls in flight.
        keepalive: Seconds that an idle connection is kept.
        now: A monotonic clock in seconds, the one that sockets live by.
    """

    __slots__ = ("_engine", "_keepalive", "_now", "_opening", "_places", "_tls", "_warm")

    def __init__(
        self,
        engine: Engine,
        *,
        tls: bool,
        size: int = SLOTS,
        keepalive: float = KEEPALIVE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._tls = tls
        self._keepalive = keepalive
        self._now = now
        self._places = Places(size)
        # Idle clients and since when, the one used last at the end: taken first, it is the one
        # whose connection is most likely still open.
        self._warm: deque[tuple[httpx.AsyncClient, float]] = deque()
        # The first calls of a process must not send a thread each to load the library.
        self._opening = anyio.Lock(fast_acquire=True)

    async def take(self) -> httpx.AsyncClient:
        await self._places.take()
        if self._warm:
            return self._warm.pop()[0]
        try:
            async with self._opening:
                return await open_client(self._engine, tls=self._tls, keepalive=self._keepalive)
        except BaseException:
            self._places.give_back()
            raise

    async def give_back(self, client: httpx.AsyncClient, *, intact: bool) -> None:
        if not intact or self._places.closed:
            try:
                await _close(client)
            finally:
                self._places.give_back()
            return
        now = self._now()
        self._warm.append((client, now))
        self._places.give_back()
        while self._warm and self._warm[0][1] < now - self._keepalive:
            await _close(self._warm.popleft()[0])

    async def aclose(self) -> None:
        self._places.close()
        while self._warm:
            await _close(self._warm.pop()[0])


class Gate:
    """
    One client with everything that it brings along, and a fair queue in front of it.

    Args:
        client: Used as it is.
        owned: Whether closing the gate closes the client.
        size: Calls in flight.
    """

    __slots__ = ("_client", "_owned", "_places")

    def __init__(self, client: httpx.AsyncClient, *, owned: bool, size: int) -> None:
        self._client = client
        self._owned = owned
        self._places = Places(size)

    async def take(self) -> httpx.AsyncClient:
        await self._places.take()
        if self._client.is_closed:
            self._places.give_back()
            raise ConfigurationError("http_client", "is closed: keep it open as long as it is used")
        return self._client

    async def give_back(
        self,
        client: httpx.AsyncClient,  # noqa: ARG002 - there is only one
        *,
        intact: bool,  # noqa: ARG002 - its pool is not ours to mend
    ) -> None:
        self._places.give_back()
        if self._places.closed:
            await self._close_if_unused()

    async def aclose(self) -> None:
        self._places.close()
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._owned and self._places.all_free:
            await _close(self._client)


class Places:
    """A counted number of places with a fair queue in front. Belongs to one event loop."""

    __slots__ = ("_count", "_free", "_waiting", "closed")

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = count
        # Who waits, oldest first. A mapping, because whoever is cancelled leaves from the middle.
        self._waiting: OrderedDict[_Turn, None] = OrderedDict()
        self.closed = False

    async def take(self) -> None:
        """Wait for a place. Does not switch tasks when one is free."""
        if self.closed:
            raise _refusal()
        if self._free:
            self._free -= 1
            return
        turn = _Turn()
        self._waiting[turn] = None
        try:
            await turn.over.wait()
        except BaseException:
            if turn.granted:
                # Cancelled in the same moment: the next one gets the place.
                self.give_back()
            else:
                self._waiting.pop(turn, None)
            raise
        if not turn.granted:
            raise _refusal()

    def give_back(self) -> None:
        """Free a place: the call that waits longest has it."""
        if self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            turn.granted = True
            turn.over.set()
        else:
            self._free += 1

    @property
    def all_free(self) -> bool:
        """Whether nobody has a place."""
        return self._free == self._count

    def close(self) -> None:
        """Refuse everybody who waits or comes."""
        self.closed = True
        while self._waiting:
            self._waiting.popitem(last=False)[0].over.set()


class _Turn:
    """One call's wait in the queue."""

    __slots__ = ("granted", "over")

    def __init__(self) -> None:
        self.over = anyio.Event()
        self.granted = False


async def _close(client: httpx.AsyncClient) -> None:
    # Shielded: the usual reason to be here is a cancelled call, and its socket must go.
    with anyio.move_on_after(_CLOSING_TAKES_AT_MOST, shield=True):
        await client.aclose()


def _refusal() -> ConfigurationError:
    return ConfigurationError(
        "client", "is closed: make a new one, or close it after its last call"
    )
