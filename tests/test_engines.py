"""The HTTP libraries to choose from: one argument each, and the client works the same over TCP."""

from __future__ import annotations

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator, RealClock
from tests.fixtures import EngineName

pytestmark = pytest.mark.anyio


async def test_one_word_chooses_the_library(engine: EngineName) -> None:
    emulator = Emulator(clock=RealClock())

    with emulator.serve() as server:
        async with AsyncTalkJS(
            emulator.app_id, emulator.secret_key, base_url=server.base_url, engine=engine
        ) as talkjs:
            await talkjs.users.upsert("alice", name="Alice")
            user = await talkjs.users.get("alice")

    assert "Alice" == user.name
