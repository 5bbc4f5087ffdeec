"""
Three TalkJSes for one suite: the emulator in process, the emulator over TCP, and the real one.

The real one is asked when TALKJS_LIVE_APP_ID and TALKJS_LIVE_SECRET_KEY are set, at
TALKJS_LIVE_BASE_URL if that is set, too; `python -m tests.contracts.live` does so with an app of
its own. Everything it stores has IDs with a prefix of their own and is taken away afterwards, as
far as TalkJS can: users cannot be deleted, so they are emptied.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import pytest

from talkjs_async import AsyncTalkJS, OwnBudgets, ProcessBudgets, TokenBucket, UserInput
from talkjs_async.emulator import Emulator, RealClock
from talkjs_async.telemetry import AttemptEnded
from tests.contracts.asking import Answer, Asker, route_of

LIVE = "TALKJS_LIVE_APP_ID" in os.environ and "TALKJS_LIVE_SECRET_KEY" in os.environ
BASE_URL: Final = os.environ.get("TALKJS_LIVE_BASE_URL", "https://api.talkjs.com")
OBSERVATIONS: Final = os.environ.get("TALKJS_LIVE_OBSERVATIONS")
"""Where to write what was seen of the real one: `[kind, name, answer]` each."""

LIVE_RATE: Final = float(os.environ.get("TALKJS_LIVE_RATE", "8"))
"""Requests per second: below the 9 that TalkJS allows, for what else uses the app."""

SLOWLY: Final = TokenBucket(rate=LIVE_RATE, burst=1)
"""Lets through all requests to the real one, of all tests and both kinds."""

TALKJSES = [
    "in process",
    "over TCP",
    pytest.param(
        "live",
        marks=[
            pytest.mark.live,
            pytest.mark.skipif(
                not LIVE, reason="TALKJS_LIVE_APP_ID and TALKJS_LIVE_SECRET_KEY are not set"
            ),
        ],
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
            options: dict[str, Any] = {
                "base_url": BASE_URL,
                "budgets": OwnBudgets(SLOWLY, SLOWLY),
                "hooks": [_note_attempt],
            }
        else:
            emulator = Emulator(clock=RealClock() if which == "over TCP" else None)
            app_id, secret_key = emulator.app_id, emulator.secret_key
            options = {"transport": emulator.transport, "clock": emulator.clock}
            if which == "over TCP":
                server = stack.enter_context(emulator.serve())
                options = {"base_url": server.base_url, "budgets": ProcessBudgets()}

        def make(app_id: str = app_id, **more: Any) -> AsyncTalkJS:
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
async def live(anyio_backend: str) -> AsyncIterator[Asker]:
    """Ask the real one without a client in between."""
    async with httpx.AsyncClient(base_url=BASE_URL, timeout=30) as http:
        asker = Asker(
            http,
            os.environ["TALKJS_LIVE_APP_ID"],
            os.environ["TALKJS_LIVE_SECRET_KEY"],
            SLOWLY,
            note=_note_answer,
        )
        yield asker
        await asker.tidy_up()


OBSERVED: dict[tuple[str, str], Any] = {}
"""What was seen of the real one, by kind and name of the behaviour."""


def observe(kind: str, name: str | None, answer: Any) -> None:
    """Note what was seen. Of a route or a fact: whether it is there, or has held every time."""
    if name is None:
        return
    if kind == "route":
        answer = answer or OBSERVED.get((kind, name), False)
    if kind == "fact":
        answer = answer and OBSERVED.get((kind, name), True)
    OBSERVED[kind, name] = answer


def _note_attempt(event: object) -> None:
    if isinstance(event, AttemptEnded):
        if event.status == 200:
            observe("route", route_of(event.method, event.path), True)
        elif event.error == "UnknownEndpoint":
            observe("route", route_of(event.method, event.path), False)


def _note_answer(method: str, path: str, answer: Answer) -> None:
    if answer.status == 200 or answer.is_unknown_call:
        observe("route", route_of(method, path), answer.status == 200)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether a fact holds of the real one."""
    report = yield
    marker = item.get_closest_marker("fact")
    if call.when == "call" and marker is not None and item.get_closest_marker("live") is not None:
        # A test that is expected to fail, and passes, has passed.
        observe("fact", marker.args[0], report.passed)
    return report


def pytest_sessionfinish() -> None:
    """Write what was seen of the real one."""
    if OBSERVATIONS is not None:
        seen = [[kind, name, answer] for (kind, name), answer in OBSERVED.items()]
        Path(OBSERVATIONS).write_text(json.dumps(seen))


@pytest.fixture
def inferred(request: pytest.FixtureRequest, which: str) -> None:
    """For tests of what is not documented: the real TalkJS may prove them wrong."""
    if which == "live":
        reason = "not documented: the ledger notes whether it holds"
        request.applymarker(pytest.mark.xfail(strict=False, reason=reason))
