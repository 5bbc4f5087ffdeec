"""Plays the table: each fault against each call, and compares how it ended with how it may end."""

from __future__ import annotations

import resource
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import anyio

from talkjs_async import AsyncTalkJS, OwnBudgets, Permit, RetryPolicy, TalkJSError, TokenBucket
from tests.hostile.faults import MOST, TABLE, CallKind, End, Fault, Kind, expected
from tests.hostile.raw_server import Exchange, RawServer

ATTEMPTS = 2
AT_ONCE = 16
READ, ATTEMPT = 1.5, 4.0
"""Seconds: for a read, and for an attempt."""
HANGS = 40.0
"""Seconds after which a call hangs, on the slowest machine."""

Make = Callable[[AsyncTalkJS], Awaitable[object]]


async def _file(talkjs: AsyncTalkJS) -> object:
    return await talkjs.files.upload(b"content", filename="a.txt", content_type="text/plain")


CALLS: dict[str, tuple[CallKind, Make]] = {
    "users.get": (CallKind(True, True, record=True), lambda t: t.users.get("alice")),
    "conversations.get": (CallKind(True, True, record=True), lambda t: t.conversations.get("c1")),
    "users.list": (CallKind(True, True), lambda t: t.users.list().first()),
    "users.upsert": (CallKind(False, True), lambda t: t.users.upsert("alice", name="Alice")),
    "messages.delete": (CallKind(False, True), lambda t: t.messages.delete("c1", message_id="m1")),
    "messages.send": (
        CallKind(True, True),
        lambda t: t.messages.send("c1", sender="alice", text="hi"),
    ),
    "notifications.send": (
        CallKind(False, False),
        lambda t: t.notifications.send("c1", channels=["email"]),
    ),
    "participants.add": (
        CallKind(False, True),
        lambda t: t.participants.add("c1", user_id="alice"),
    ),
    "files.upload": (CallKind(True, True), _file),
}
"""Name to what matters of it, and how it is made."""


class Cell(NamedTuple):
    """A fault against a call."""

    fault: str
    call: str


class Verdict(NamedTuple):
    """What was wrong in a cell."""

    cell: Cell
    allowed: End
    found: str


def body_for(exchange: Exchange) -> bytes:
    """The right body of a success."""
    target = exchange.target
    if exchange.method == "GET":
        if "/users?" in target:
            return b'{"data":[]}'
        record = target.rpartition("/")[2].encode()
        extra = b'"participants":{}' if "/conversations/" in target else b'"name":"A"'
        return b'{"id":"%b","createdAt":1,%b}' % (record, extra)
    if target.endswith("/messages"):
        return b'[{"id":"m1"}]'
    return b'{"attachmentToken":"t"}' if target.endswith("/files") else b"{}"


async def play(exchange: Exchange) -> None:
    """Answer with the fault that the app's ID names."""
    number = exchange.target.partition("/v1/")[2].partition("/")[0]
    fault = TABLE[list(TABLE)[int(number)]]
    assert fault.play is not None
    await fault.play(exchange, body_for(exchange))


class Watched(TokenBucket):
    """A bucket that notes how its permits end."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[str] = []

    async def acquire(self, **options: Any) -> Permit:
        permit = await super().acquire(**options)
        end = permit._end
        assert end is not None

        def noting(which: Permit, outcome: Any, seconds: float | None) -> object:
            self.ends.append(outcome)
            return end(which, outcome, seconds)

        permit._end = noting
        return permit


class Wiring(NamedTuple):
    """How the client of a cell is built."""

    engine: str
    server: RawServer
    trust: ssl.SSLContext | None
    proxy: str | None = None
    http_client: Callable[[], Any] | None = None
    transport: Callable[[], Any] | None = None


def build(wiring: Wiring, app: str, bucket: TokenBucket, base_url: str) -> AsyncTalkJS:
    """Make the client of one cell."""
    options: dict[str, Any] = {"ssl_context": wiring.trust, "proxy": wiring.proxy}
    if wiring.http_client is not None:
        options = {"http_client": wiring.http_client()}
    elif wiring.transport is not None:
        options = {"transport": wiring.transport()}
    return AsyncTalkJS(
        app,
        "sk_test_key_of_32_characters_or_more",
        base_url=base_url,
        engine=wiring.engine,  # type: ignore[arg-type]
        budgets=OwnBudgets(bucket, None),
        retry=RetryPolicy(attempts=ATTEMPTS, base_delay=0.0),
        timeout=READ,
        attempt_timeout=ATTEMPT,
        max_answer_bytes=MOST,
        **options,
    )


async def run_cell(cell: Cell, wiring: Wiring) -> Verdict | None:
    """Make one call, and judge its end."""
    fault, (kind, make) = TABLE[cell.fault], CALLS[cell.call]
    bucket = Watched()
    url = wiring.server.url
    if cell.fault == "no listener":
        url = url.rpartition(":")[0] + ":1"
    app = str(list(TABLE).index(cell.fault))
    talkjs = build(wiring, app, bucket, url)
    foreign = wiring.http_client is not None or wiring.transport is not None
    error: str | None = "hangs"
    with anyio.move_on_after(HANGS):
        try:
            await make(talkjs)
        except TalkJSError as raised:
            error = type(raised).__name__
        except Exception as raised:  # noqa: BLE001 - what is not ours is what is looked for
            error = f"NOT OURS: {raised!r}"[:200]
        else:
            error = None
    with anyio.CancelScope(shield=True):
        await talkjs.aclose()
        if wiring.http_client is not None:
            given: Any = talkjs._pipeline.connections._given
            await given.aclose()
    allowed = _allowed(cell, fault, kind, foreign=foreign)
    found = End(error, len(bucket.ends), bucket.ends[-1] if bucket.ends else "none")
    fine = found == allowed and not bucket.statistics().in_flight
    return None if fine else Verdict(cell, allowed, str(found))


def _allowed(cell: Cell, fault: Fault, kind: CallKind, *, foreign: bool) -> End:
    if fault.kind is Kind.FLOOD and foreign:
        # What comes before a status is counted in connections of our own only.
        fault = fault._replace(kind=Kind.LOST)
    if fault.kind is Kind.EMPTY and cell.call == "messages.send":
        return End(None, 1)
    return expected(fault, kind, ATTEMPTS)


async def run(cells: Sequence[Cell], wiring: Wiring) -> list[Verdict]:
    """Play *cells*, some at the same time. Returns what was wrong."""
    wrong: list[Verdict] = []
    places = anyio.Semaphore(AT_ONCE)

    async def one(cell: Cell) -> None:
        async with places:
            verdict = await run_cell(cell, wiring)
        if verdict is not None:
            wrong.append(verdict)

    async with anyio.create_task_group() as tasks:
        for cell in cells:
            tasks.start_soon(one, cell)
    return wrong


def peak_megabytes() -> int:
    """How much memory this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


STARTED_WITH = peak_megabytes()
"""Megabytes before the first call."""


def cells(*, every: int = 1) -> list[Cell]:
    """All cells of the table, or each *every*-th one."""
    return [Cell(fault, call) for fault in TABLE for call in CALLS][::every]
