"""
Where the pipeline gets its connections from: borrowed for one request, given back after it.

Chooses between slots of our own and a client or transport of the user's. Knows nothing of TalkJS.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, cast, final

from talkjs_async._http.answer import HttpExchange, adopt
from talkjs_async._http.connection import ConnectionRoute, client_over
from talkjs_async._http.engine import Engine, engine_of
from talkjs_async._http.gate import Gate
from talkjs_async._http.per_loop import PerLoop
from talkjs_async._http.slots import Slots
from talkjs_async.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

    import httpx
    import httpx2

INJECTED: Final = 20
"""
Calls in flight through a client that was injected: the idle connections that a pool of httpx keeps.

With more calls than that, it closes and opens connections all the time.
"""


class Pool(Protocol):
    """Clients of one event loop."""

    async def take(self) -> httpx.AsyncClient:
        """Wait for a slot, first come, first served, and get a client for ONE request."""
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

    __slots__ = ("_foreign", "_given", "engine", "pools")

    def __init__(
        self,
        engine: Engine,
        make_pool: Callable[[], Pool],
        *,
        given: httpx.AsyncClient | None = None,
        foreign: bool = True,
    ) -> None:
        self.engine: Engine = engine
        # What is foreign holds nothing of an event loop's that we could close.
        self.pools: PerLoop[Pool] = PerLoop(make_pool, ends_with_loop=not foreign)
        self._given = given
        self._foreign = foreign

    def exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> HttpExchange:
        """Begin to send *request* through a borrowed *client*."""
        if self._given is not None:
            adopt(self.engine, self._given, request)
        return HttpExchange(self.engine, client, request, foreign=self._foreign)

    def borrow(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """
        Wait for a slot, first come, first served, and get a client that may send ONE request now.

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
    engine: str | None,
    *,
    tls: bool,
    http_client: httpx.AsyncClient | httpx2.AsyncClient | None = None,
    transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None,
    size: int,
    ssl_context: ssl.SSLContext | None = None,
    proxy: str | None = None,
) -> Connections:
    """
    Choose how requests travel.

    Args:
        engine: Name of the library. None: that of *http_client* or *transport*, else httpx.
        tls: Whether the base URL is https://.
        http_client: A client of the user's, used as it is and never closed.
        transport: A transport of the user's. `aclose` closes it, the end of an event loop does not:
            it may hold nothing, as the emulator's, and then there is nothing to close.
        size: Calls in flight per event loop, unless an *http_client* is given: then INJECTED.
        ssl_context, proxy: For connections of our own: whom to trust, and what to go through.
    """
    mine = "http_client" if http_client is not None else "transport"
    for argument, value in (("ssl_context", ssl_context), ("proxy", proxy)):
        if value is not None and (http_client is not None or transport is not None):
            raise ConfigurationError(
                argument, f"belongs to the *{mine}* that you pass: give it there"
            )
    if http_client is not None and transport is not None:
        raise ConfigurationError("transport", "give either this or http_client, not both.")
    if http_client is not None:
        # httpx2 has the same classes as httpx.
        given = cast("httpx.AsyncClient", http_client)
        library = engine_of(http_client, argument="http_client", base="AsyncClient")
        if engine is not None and engine != library.name:
            raise _contradiction(engine, "http_client", library)
        return Connections(library, lambda: Gate(given, owned=False, size=INJECTED), given=given)
    if transport is not None:
        library = engine_of(transport, argument="transport", base="AsyncBaseTransport")
        if engine is not None and engine != library.name:
            # A transport may serve both libraries, as the emulator's does; not one of their own.
            other = Engine(str(engine))
            if type(transport).__module__.partition(".")[0] == library.name:
                raise _contradiction(engine, "transport", library)
            library = other
            library.load()
        own = cast("httpx.AsyncBaseTransport", transport)
        return Connections(library, lambda: Gate(client_over(library, own), owned=True, size=size))
    chosen = Engine("httpx" if engine is None else engine)
    route = ConnectionRoute(tls, ssl_context, proxy)
    return Connections(chosen, lambda: Slots(chosen, route, size=size), foreign=False)


def _contradiction(engine: object, given: str, library: Engine) -> ConfigurationError:
    return ConfigurationError(
        "engine", f"says {engine!r}, and the {given} is of {library.name}: leave the engine out."
    )


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
