"""What the tests of bulk jobs may ask for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator

Prepare = Callable[[int], Awaitable[None]]


@pytest.fixture(params=["httpx"])
def engine(request: pytest.FixtureRequest) -> str:
    """Jobs know nothing of the library that sends."""
    name: str = request.param
    return name


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a job may keep its journal."""
    return tmp_path / "journal"


@pytest.fixture
def chat(talkjs: AsyncTalkJS) -> Prepare:
    """Make conversations c0, c1, ... of alice and bob."""

    async def prepare(conversations: int) -> None:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.users.upsert("bob", name="Bob")
        for number in range(conversations):
            await talkjs.conversations.upsert(f"c{number}", participants=["alice", "bob"])

    return prepare


@pytest.fixture
def texts(emulator: Emulator) -> Callable[[], dict[str, list[str]]]:
    """Say what was stored in each conversation, in the order in which it was."""

    def stored() -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for commit in emulator.commits:
            if commit.kind in {"message.sent", "message.imported"}:
                found[str(commit.conversation_id)].append(str(commit.text))
        return dict(found)

    return stored
