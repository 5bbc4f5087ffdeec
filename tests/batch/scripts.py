"""
Runs a batch, or calls that overflow, against a script of what happens to each `POST /batch`.

What the calls then say is held against the emulator's commit log. Nothing here is random.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final, Literal

import anyio
import attrs
import httpx

from talkjs_async import (
    AsyncTalkJS,
    Call,
    ImportedMessage,
    OwnBudgets,
    RetryPolicy,
    TalkJSError,
    TokenBucket,
    call_of,
)
from talkjs_async.emulator import Emulator

Mode = Literal["batch", "overflow"]

OUTCOMES: Final = (
    "ok",
    "dropped before",
    "dropped after",
    "refused",
    "429",
    "503",
    "member 429",
    "member 500",
    "silent",
    "half",
)
"""
What happens to one `POST /batch`. 503 and "member 500" come after the work was done, which is the
harder case; the first member of "member 429" is not carried out, the others are.
"""

MESSAGE, IMPORT, DELETE, READ = "message", "import", "delete", "read"


@attrs.define
class ScriptedTransport(httpx.AsyncBaseTransport):
    """The emulator, but what happens to each `POST /batch` is in a script; then all goes well."""

    emulator: Emulator
    script: Sequence[str]
    used: int = 0

    async def handle_async_request(  # noqa: PLR0911 - one per outcome
        self, request: httpx.Request
    ) -> httpx.Response:
        if not request.url.path.endswith("/batch"):
            return await self.emulator.transport.handle_async_request(request)
        outcome = self.script[self.used] if self.used < len(self.script) else "ok"
        self.used += 1
        match outcome:
            case "dropped before":
                raise httpx.ReadError("broken", request=request)
            case "refused":
                raise httpx.ConnectError("refused", request=request)
            case "429":
                return httpx.Response(429, request=request)
            case "bug":
                # As in a transport, an *auth* or a limiter of the user's.
                raise ValueError("a bug of the user's")
            case "member 429":
                return await self._first_refused(request)
        answer = await self.emulator.transport.handle_async_request(request)
        body = await answer.aread()
        match outcome:
            case "dropped after":
                raise httpx.ReadError("broken", request=request)
            case "silent":
                raise httpx.ReadTimeout("silent", request=request)
            case "503":
                return httpx.Response(503, request=request)
            case "empty":
                return httpx.Response(200, json=[], request=request)
            case "half":
                return httpx.Response(200, content=body[: len(body) // 2], request=request)
            case "member 500":
                entries = json.loads(body)
                entries[0] = [entries[0][0], 500, {}]
                return httpx.Response(200, json=entries, request=request)
        return answer

    async def _first_refused(self, request: httpx.Request) -> httpx.Response:
        first, *others = json.loads(await request.aread())
        entries = [[first[0], 429, {}]]
        if others:
            headers = [
                (name, value)
                for name, value in request.headers.raw
                if name.lower() not in {b"content-length", b"host"}
            ]
            forwarded = httpx.Request("POST", request.url, headers=headers, json=others)
            answer = await self.emulator.transport.handle_async_request(forwarded)
            entries += json.loads(await answer.aread())
        return httpx.Response(200, json=entries, request=request)


@attrs.frozen
class Told:
    """
    What came of one call.

    Attributes:
        said: Its result or its error.
        stored: How often it was carried out. None: it only reads.
    """

    said: Any
    stored: int | None

    def lie(self) -> str | None:
        """What is not true about what it said."""
        if isinstance(self.said, TalkJSError):
            if self.stored and not self.said.maybe_done:
                return f"{self.said!r} does not say that it may have been carried out"
            if self.stored is None and self.said.maybe_done:
                return f"{self.said!r} says that a read was carried out"
        elif self.stored == 0:
            return f"{self.said!r} although it was not carried out"
        return None


def scripts(longest: int) -> Iterator[tuple[str, ...]]:
    """Every script of up to *longest* outcomes that is read to its end: nothing follows an "ok"."""
    for length in range(1, longest + 1):
        yield from (
            script for script in product(OUTCOMES, repeat=length) if "ok" not in script[:-1]
        )


async def perform(mode: Mode, script: Sequence[str]) -> dict[str, Told]:
    """
    Let four calls meet *script*, with as many attempts as it is long.

    Raises:
        AssertionError: A permit, or a call that waits, is left in the end.
    """
    emulator = Emulator()
    # Only batches carry: the next ordinary token is hours away.
    slow = TokenBucket(1e-4, 600, tokens=0, max_in_flight=None, clock=emulator.clock)
    batches = TokenBucket(1.0, 500, clock=emulator.clock)
    await arrange(emulator)
    transport = ScriptedTransport(emulator, script)
    talkjs = AsyncTalkJS(
        emulator.app_id,
        emulator.secret_key,
        clock=emulator.clock,
        transport=transport,
        budgets=OwnBudgets(slow, batches),
        overflow_to_batch=mode == "overflow",
        retry=RetryPolicy(attempts=len(script), base_delay=0.0, max_elapsed=1e9),
        max_wait=60.0,
    )
    said = await (in_a_batch if mode == "batch" else by_overflow)(talkjs)
    await talkjs.aclose()
    for limiter in (slow, batches):
        budget = limiter.statistics()
        assert (0, 0) == (budget.in_flight, budget.waiting_interactive), (mode, script)
    commits = emulator.commits
    stored = {
        MESSAGE: sum(commit.text == MESSAGE for commit in commits.of("message.sent")),
        IMPORT: sum(commit.text == IMPORT for commit in commits),
        DELETE: len(commits.of("conversation.deleted")),
        READ: None,
    }
    return {name: Told(outcome, stored[name]) for name, outcome in said.items()}


async def arrange(emulator: Emulator) -> None:
    """Have two people and three conversations."""
    async with AsyncTalkJS(
        emulator.app_id, emulator.secret_key, clock=emulator.clock, transport=emulator.transport
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        for conversation in ("c1", "c2", "c3"):
            await talkjs.conversations.upsert(conversation, participants=["alice"])


def calls_of(talkjs: AsyncTalkJS) -> dict[str, Call[Any]]:
    """One call of each sort: with a key, without one, a DELETE, one that reads."""
    old = ImportedMessage(sender="alice", text=IMPORT, sent_at=datetime(2020, 1, 1, tzinfo=UTC))
    return {
        MESSAGE: call_of(talkjs.messages.send, "c1", sender="alice", text=MESSAGE),
        IMPORT: call_of(talkjs.messages.import_many, "c2", [old]),
        DELETE: call_of(talkjs.conversations.delete, "c3"),
        READ: call_of(talkjs.users.get, "alice"),
    }


async def in_a_batch(talkjs: AsyncTalkJS) -> dict[str, Any]:
    """Send them with `talkjs.batch`."""
    calls = calls_of(talkjs)
    outcomes = await talkjs.batch(*calls.values(), return_exceptions=True)
    return dict(zip(calls, outcomes, strict=True))


async def by_overflow(talkjs: AsyncTalkJS) -> dict[str, Any]:
    """Let them wait for the ordinary budget, so that batches take them along."""
    said: dict[str, Any] = {}

    async def one(name: str, call: Call[Any]) -> None:
        try:
            said[name] = await talkjs.users._run(call)
        except TalkJSError as error:
            said[name] = error

    async with anyio.create_task_group() as tasks:
        for name, call in calls_of(talkjs).items():
            tasks.start_soon(one, name, call)
    return said
