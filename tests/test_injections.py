"""Whatever fails or is cancelled, wherever: no permit, slot, task or warning is left."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Final

import anyio
import pytest

from talkjs_async import AsyncTalkJS, TalkJSError, call_of
from talkjs_async.batch._charges import charges_of
from tests.injection import NOTHING, ForeignStream, Injected, InjectedBase, Work, inject

pytestmark = pytest.mark.harness

LONG: Final = os.environ.get("TALKJS_HARNESSES") == "long"


async def many(talkjs: AsyncTalkJS) -> None:
    """Calls that wait, of which batches take some along."""
    async with anyio.create_task_group() as tasks:
        for number in range(14):
            tasks.start_soon(patient, talkjs.users.upsert, f"user{number}")


async def patient(method: Any, *arguments: Any) -> None:
    with contextlib.suppress(TalkJSError):
        await method(*arguments, name="User")


async def upload(talkjs: AsyncTalkJS) -> object:
    stream: Any = ForeignStream(talkjs._foreign)  # type: ignore[attr-defined]
    return await talkjs.files.upload(stream, filename="a.txt")


async def in_a_batch(talkjs: AsyncTalkJS) -> object:
    calls = [call_of(talkjs.users.upsert, f"user{number}", name="User") for number in range(25)]
    return await talkjs.batch(*calls, return_exceptions=True)


async def in_a_charged_batch(talkjs: AsyncTalkJS) -> object:
    """Each of its operations waits for a token of the ordinary budget."""
    charges_of(talkjs._pipeline.limiters["ordinary"]).each = True
    calls = [call_of(talkjs.users.upsert, f"user{number}", name="User") for number in range(12)]
    return await talkjs.batch(*calls, return_exceptions=True)


async def in_little_time(talkjs: AsyncTalkJS) -> None:
    """Calls that wait, some beyond the time that they have."""
    await many(talkjs.with_options(total_timeout=0.4))


async def wait_for_a_permit(talkjs: AsyncTalkJS) -> None:
    for _ in range(4):
        permit = await talkjs._pipeline.limiters["ordinary"].acquire()
        permit.settle()


WORKS: Final[dict[str, Work]] = {
    "get": lambda talkjs: talkjs.users.get("alice"),
    "get, not found": lambda talkjs: talkjs.users.get("nobody"),
    "upsert": lambda talkjs: talkjs.users.upsert("bob", name="Bob"),
    "send": lambda talkjs: talkjs.messages.send("c1", sender="alice", text="hi"),
    "list": lambda talkjs: talkjs.messages.list("c1").collect(max_items=10),
    "delete": lambda talkjs: talkjs.conversations.delete("c1"),
    "notify": lambda talkjs: talkjs.request("GET", "/users/alice"),
    "upload": upload,
    "batch": in_a_batch,
    "batch, charged": in_a_charged_batch,
    "overflow": many,
    "overflow, little time": in_little_time,
    "permits": wait_for_a_permit,
}

SPARSE: Final = {"batch", "batch, charged", "overflow", "overflow, little time"}
"""Works with hundreds of places, of which the short form takes every fifth."""

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
ALL = pytest.mark.parametrize("name", list(WORKS))


def places(name: str, count: int) -> range:
    """The places to try of so many."""
    return range(1, count + 1, 1 if LONG or name not in SPARSE else 5)


@BACKENDS
@ALL
def test_a_cancellation_leaves_nothing_wherever_it_comes(backend: str, name: str) -> None:
    async def run() -> dict[int, list[str]]:
        whole = await inject(WORKS[name])
        assert NOTHING == whole.left
        found = {at: await inject(WORKS[name], wait=at) for at in places(name, whole.waits)}
        return {at: remains.left for at, remains in found.items() if remains.left}

    assert {} == anyio.run(run, backend=backend)


@BACKENDS
@ALL
@pytest.mark.parametrize("error", [Injected, InjectedBase])
def test_foreign_code_that_fails_leaves_nothing_wherever_it_runs(
    backend: str, name: str, error: type[BaseException]
) -> None:
    async def run() -> dict[str, list[str]]:
        whole = await inject(WORKS[name])
        left = {}
        for at in places(name, whole.used):
            remains = await inject(WORKS[name], use=at, error=error)
            if remains.left:
                left[f"{at}: {whole.places[at - 1]}"] = remains.left
        return left

    assert {} == anyio.run(run, backend=backend)


@BACKENDS
def test_logging_and_hooks_never_decide_about_a_call(backend: str) -> None:
    async def run() -> list[str]:
        whole = await inject(WORKS["send"])
        observers = [
            at for at, place in enumerate(whole.places, 1) if place.startswith(("hook", "log"))
        ]
        assert observers
        found = [await inject(WORKS["send"], use=at) for at in observers]
        return [repr(remains.ended) for remains in found if remains.ended is not None]

    assert [] == anyio.run(run, backend=backend)
