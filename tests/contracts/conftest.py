"""
Three TalkJSes for one suite: the emulator in process, the emulator over TCP, and the real one.

The real one is asked when TALKJS_LIVE_APP_ID and TALKJS_LIVE_SECRET_KEY are set; use those of a
test environment. Everything it stores has IDs with a prefix of their own and is taken away
afterwards, as far as TalkJS can: users cannot be deleted, so they are emptied.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import attrs
import pytest

from talkjs_async import AsyncTalkJS, OwnBudgets, ProcessBudgets, TokenBucket, UserInput
from talkjs_async.emulator import Emulator, RealClock

LIVE_RATE: Final = 8.0
"""Requests per second: below the 9 that TalkJS allows, whoever else uses the app."""

LIVE = "TALKJS_LIVE_APP_ID" in os.environ and "TALKJS_LIVE_SECRET_KEY" in os.environ

TALKJSES = [
    "in process",
    "over TCP",
    pytest.param(
        "live",
        marks=pytest.mark.skipif(
            not LIVE, reason="TALKJS_LIVE_APP_ID and TALKJS_LIVE_SECRET_KEY are not set"
        ),
    ),
]


Connect = Callable[..., AsyncTalkJS]


@attrs.define
class Names:
    """IDs of this test's own, and what has to be taken away afterwards."""

    prefix: str
    users: set[str] = attrs.field(factory=set)
    conversations: set[str] = attrs.field(factory=set)

    def user(self, name: str) -> str:
        """A user's ID."""
        self.users.add(self.prefix + name)
        return self.prefix + name

    def conversation(self, name: str) -> str:
        """A conversation's ID."""
        self.conversations.add(self.prefix + name)
        return self.prefix + name

    async def take_away(self, talkjs: AsyncTalkJS) -> None:
        """Delete the conversations and empty the users."""
        for conversation_id in self.conversations:
            await talkjs.conversations.delete(conversation_id)
        nobody = UserInput(name="[DELETED]", email=None, phone=None, photo_url=None, custom=None)
        if self.users:
            await talkjs.users.upsert_many(dict.fromkeys(self.users, nobody))


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """What TalkJS answers does not depend on the event loop."""
    backend: str = request.param
    return backend


@pytest.fixture(params=TALKJSES)
def which(request: pytest.FixtureRequest) -> str:
    """Which TalkJS this is."""
    which: str = request.param
    return which


@pytest.fixture
async def connect(anyio_backend: str, which: str) -> AsyncIterator[Connect]:
    """Build a client of one of the three, with options of the test's own."""
    async with AsyncExitStack() as stack:
        if which == "live":
            app_id = os.environ["TALKJS_LIVE_APP_ID"]
            secret_key = os.environ["TALKJS_LIVE_SECRET_KEY"]
            # One for both kinds of requests, and for all clients of a test.
            slow = TokenBucket(rate=LIVE_RATE, burst=1)
            options: dict[str, Any] = {"budgets": OwnBudgets(slow, slow)}
        else:
            emulator = Emulator(clock=RealClock() if which == "over TCP" else None)
            app_id, secret_key = emulator.app_id, emulator.secret_key
            options = {"transport": emulator.transport, "clock": emulator.clock}
            if which == "over TCP":
                server = stack.enter_context(emulator.serve())
                options = {"base_url": server.base_url, "budgets": ProcessBudgets()}

        def make(**more: Any) -> AsyncTalkJS:
            client = AsyncTalkJS(app_id, secret_key, **{**options, **more})
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
async def talkjs(connect: Connect) -> AsyncTalkJS:
    """A client of one of the three."""
    return connect()


@pytest.fixture
async def names(talkjs: AsyncTalkJS) -> AsyncIterator[Names]:
    """IDs that nobody else uses."""
    names = Names(prefix=f"talkjs-async-test-{secrets.token_hex(4)}-")
    yield names
    await names.take_away(talkjs)


@pytest.fixture
def inferred(request: pytest.FixtureRequest, which: str) -> None:
    """For tests of what is not documented: the real TalkJS may prove them wrong."""
    if which == "live":
        reason = "not documented: if this passes, tell the fact sheet"
        request.applymarker(pytest.mark.xfail(strict=False, reason=reason))
