"""What the tests of the machine room share: a real server, and connections that get closed."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trustme

from talkjs_async import AsyncTalkJS, OwnBudgets, RetryPolicy, TokenBucket
from talkjs_async._core.options import SLOTS
from talkjs_async._http.connections import Connections, connections_for
from tests.hostile.raw_server import RawServer, Script
from tests.http.server import Server

Connect = Callable[..., Connections]
Serve = Callable[..., RawServer]
Client = Callable[..., AsyncTalkJS]

SECRET = "sk_test_canary_71f0c3_never_to_be_seen"


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
            engine: str | None, *, tls: bool = False, size: int = SLOTS, **options: Any
        ) -> Connections:
            connections = connections_for(engine, tls=tls, size=size, **options)
            opened.push_async_callback(connections.aclose)
            return connections

        yield make


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the server's certificate."""
    return trustme.CA()


@pytest.fixture(params=["plain", "TLS"])
def over(request: pytest.FixtureRequest) -> str:
    """What the bytes travel over."""
    name: str = request.param
    return name


@pytest.fixture
def serve(authority: trustme.CA) -> Iterator[Serve]:
    """Start raw servers, which end with the test."""
    started: list[RawServer] = []

    def start(script: Script, *, tls: bool = False) -> RawServer:
        context = None
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority.issue_cert("localhost").configure_cert(context)
        started.append(RawServer(script, tls=context))
        return started[-1].__enter__()

    yield start
    for server in started:
        server.__exit__(None, None, None)


@pytest.fixture
async def client(
    anyio_backend: str, engine: str | None, authority: trustme.CA
) -> AsyncIterator[Client]:
    """Build clients of raw servers, closed after the test."""
    async with AsyncExitStack() as clients:

        def make(server: RawServer, **options: Any) -> AsyncTalkJS:
            if server.url.startswith("https"):
                trusting = ssl.create_default_context()
                authority.configure_trust(trusting)
                options = {"ssl_context": trusting, **options}
            limiter = options.pop("limiter", None) or TokenBucket()
            options = {
                "retry": RetryPolicy(attempts=3, base_delay=0.0),
                "budgets": OwnBudgets(limiter, TokenBucket(1.0, 500)),
                "timeout": 30.0,
                "engine": engine,
                **options,
            }
            talkjs = AsyncTalkJS("app", SECRET, base_url=server.url, **options)
            clients.push_async_callback(talkjs.aclose)
            return talkjs

        yield make
