"""Permits and what runs around a call: log handlers, hooks and uploads that fail cost nothing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from talkjs_async import ConfigurationError, TokenBucket
from talkjs_async.emulator import Emulator
from talkjs_async.telemetry import Event, log_events
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


@pytest.fixture
def engine() -> str:
    """One library is enough: the budget does not know who sends."""
    return "httpx"


class FullDisk(logging.Handler):
    """A handler that fails as one does whose disk is full."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(28, "No space left on device")


@pytest.fixture
def full_disk() -> Iterator[None]:
    """The logger of the package writes to a full disk."""
    logger = logging.getLogger("talkjs_async")
    handler, level = FullDisk(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.mark.usefixtures("full_disk")
async def test_a_log_handler_that_fails_costs_neither_a_call_nor_a_permit(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    limiter = TokenBucket(tokens=0, clock=emulator.clock)
    make_talkjs(limiter=limiter, hooks=[log_events])
    talkjs = make_talkjs(limiter=limiter)

    for number in range(20):
        await talkjs.users.upsert(f"user{number}", name="User")

    assert (20, 0) == (limiter.statistics().granted, limiter.statistics().in_flight)


@pytest.mark.usefixtures("full_disk")
async def test_a_message_that_was_stored_is_reported_although_a_hook_and_its_log_fail(
    make_talkjs: MakeTalkJS,
) -> None:
    def fail(_: Event) -> None:
        raise RuntimeError("no disk")

    talkjs = make_talkjs(hooks=[fail])
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.conversations.upsert("c", participants=["alice"])

    receipt = await talkjs.messages.send("c", text="hi", sender="alice")

    assert receipt.id == (await talkjs.messages.list("c").collect(max_items=9))[0].id


@pytest.mark.parametrize("stage", ["iter", "next", "close"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
async def test_an_upload_that_fails_costs_no_permit(
    make_talkjs: MakeTalkJS, emulator: Emulator, stage: str, error: type[BaseException]
) -> None:
    limiter = TokenBucket(clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter)

    class Broken:
        def __aiter__(self) -> AsyncIterator[bytes]:
            if stage == "iter":
                raise error
            return self

        async def __anext__(self) -> bytes:
            if stage == "next":
                raise error
            raise StopAsyncIteration

        async def aclose(self) -> None:
            raise error

    with anyio.fail_after(30):
        for _ in range(21):
            with pytest.raises(error):
                await talkjs.files.upload(Broken(), filename="a.txt")

    assert 0 == limiter.statistics().in_flight


async def test_a_hook_that_ends_the_program_costs_no_permit(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    def leave(_: Event) -> None:
        raise SystemExit

    limiter = TokenBucket(tokens=0, clock=emulator.clock)
    talkjs = make_talkjs(limiter=limiter, hooks=[leave])

    for _ in range(21):
        with pytest.raises(SystemExit):
            await talkjs.users.get("alice")

    assert 0 == limiter.statistics().in_flight


async def test_hooks_that_would_have_to_be_awaited_are_refused(make_talkjs: MakeTalkJS) -> None:
    async def hook(_: Event) -> None: ...

    with pytest.raises(ConfigurationError, match=r"^hooks: .*async def"):
        make_talkjs(hooks=[hook])
    with pytest.raises(ConfigurationError, match=r"^hooks: must be a list of functions"):
        make_talkjs(hooks=print)
    with pytest.raises(ConfigurationError, match=r"^hooks: "):
        make_talkjs().with_options(hooks=["log"])  # type: ignore[list-item]
