"""What the tests of the doors share: a chat that has begun, and a TalkJS that answers anything."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, RetryPolicy
from tests.fixtures import MakeTalkJS

AnsweredWith = Callable[..., AsyncTalkJS]


@pytest.fixture
async def chat(talkjs: AsyncTalkJS) -> None:
    """Alice and Bob, in the conversation "chat"."""
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.users.upsert("bob", name="Bob")
    await talkjs.conversations.upsert("chat", participants=["alice", "bob"])


@pytest.fixture
async def answered_with(make_talkjs: MakeTalkJS, engine: str) -> AnsweredWith:
    """Build a client whose every call gets the same answer, for what no polite server sends."""
    library = import_module(engine)

    def make(body: Any, *, status: int = 200) -> AsyncTalkJS:
        transport = library.MockTransport(lambda request: library.Response(status, json=body))
        return make_talkjs(transport=transport, retry=RetryPolicy(attempts=1))

    return make
