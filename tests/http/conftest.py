"""What the tests of the machine room share: a real server, and connections that get closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from talkjs_async._core.options import SLOTS
from talkjs_async._http.connections import Connections, connections_for
from tests.http.server import Server

Connect = Callable[..., Connections]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on the loopback."""
    with Server() as running:
        yield running


@pytest.fixture
async def connect(anyio_backend: str) -> AsyncIterator[Connect]:
    """`connections_for`, closed after the test: trio warns of what is left to the collector."""
    async with AsyncExitStack() as opened:

        def make(
            engine: str, *, tls: bool = False, size: int = SLOTS, **options: Any
        ) -> Connections:
            connections = connections_for(engine, tls=tls, size=size, **options)
            opened.push_async_callback(connections.aclose)
            return connections

        yield make
