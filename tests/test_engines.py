"""The HTTP libraries to choose from: one argument each, and the client works the same over TCP."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator, RealClock

pytestmark = pytest.mark.anyio

NEEDS = {"httpx": "httpx", "httpx2": "httpx2", "aiohttp": "httpx_aiohttp"}


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param(name, marks=pytest.mark.skipif(find_spec(module) is None, reason=module))
        for name, module in NEEDS.items()
    ],
)
async def test_one_word_chooses_the_library(engine: str, anyio_backend_name: str) -> None:
    if engine == "aiohttp" and anyio_backend_name == "trio":
        pytest.skip("aiohttp needs asyncio")
    emulator = Emulator(clock=RealClock())

    with emulator.serve() as server:
        async with AsyncTalkJS(
            emulator.app_id, emulator.secret_key, base_url=server.base_url, engine=engine
        ) as talkjs:
            await talkjs.users.upsert("alice", name="Alice")
            user = await talkjs.users.get("alice")

    assert "Alice" == user.name
