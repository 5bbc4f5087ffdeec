"""What every test may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs on both event loops."""
    backend: str = request.param
    return backend


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the environment of whoever runs it."""
    for variable in ("TALKJS_APP_ID", "TALKJS_SECRET_KEY", "TALKJS_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def emulator() -> Emulator:
    """An empty TalkJS of this test's own."""
    return Emulator()


@pytest.fixture(params=["httpx", "httpx2"])
def engine(request: pytest.FixtureRequest) -> str:
    """Whatever sends does so with both libraries."""
    name: str = request.param
    return name


MakeTalkJS = Callable[..., AsyncTalkJS]


@pytest.fixture
async def make_talkjs(
    anyio_backend: str, emulator: Emulator, engine: str
) -> AsyncIterator[MakeTalkJS]:
    """Build a client of the emulator with options of the test's own; closed after the test."""
    async with AsyncExitStack() as clients:

        def make(**options: Any) -> AsyncTalkJS:
            options = {"engine": engine, "transport": emulator.transport, **options}
            talkjs = AsyncTalkJS(
                emulator.app_id, emulator.secret_key, clock=emulator.clock, **options
            )
            clients.push_async_callback(talkjs.aclose)
            return talkjs

        yield make


@pytest.fixture
async def talkjs(make_talkjs: MakeTalkJS) -> AsyncTalkJS:
    """A client of the emulator."""
    return make_talkjs()
