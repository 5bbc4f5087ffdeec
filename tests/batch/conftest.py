"""What the tests of batches find in the emulator."""

from __future__ import annotations

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator


@pytest.fixture
async def alice(emulator: Emulator) -> None:
    """A user whom other clients of the app have stored, and a conversation."""
    async with AsyncTalkJS(
        emulator.app_id, emulator.secret_key, clock=emulator.clock, transport=emulator.transport
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.conversations.upsert("c1", participants=["alice"])
