"""Plays the table: each fault against each call, and compares how it ended with how it may end."""

from __future__ import annotations

import re
import resource
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple

import anyio
import httpx

from talkjs_async import (
    AsyncTalkJS,
    ImportedMessage,
    OwnBudgets,
    Permit,
    RetryPolicy,
    TalkJSError,
    TokenBucket,
    call_of,
)
from tests.hostile.faults import CallKind, End, Fault, Kind, expected, has_committed
from tests.hostile.handshakes import HANDSHAKES
from tests.hostile.raw_server import Exchange, RawServer
from tests.hostile.table import MOST, TABLE

ATTEMPTS = 2
AT_ONCE = 16
READ, ATTEMPT = 1.5, 4.0
"""Seconds for a read, and for an attempt, where nothing but a deadline ends a fault."""
PATIENT = 60.0
"""Seconds where something else ends it, on the slowest machine."""
DEADLINE = ATTEMPTS * (READ + ATTEMPT)
"""Seconds that a call may take whose fault a deadline ends: to connect, and to be answered."""
HANGS = 2 * PATIENT
"""Seconds after which a call hangs, on the slowest machine."""

Make = Callable[[AsyncTalkJS], Awaitable[object]]


async def _file(talkjs: AsyncTalkJS) -> object:
    return await talkjs.files.upload(b"content", filename="a.txt", content_type="text/plain")


async def _batch(talkjs: AsyncTalkJS) -> object:
    send = talkjs.messages.send
    calls = [call_of(send, "c1", sender="alice", text=text) for text in ("one", "two")]
    return await talkjs.batch(*calls)


async def _import(talkjs: AsyncTalkJS) -> object:
    message = ImportedMessage(sender="alice", text="hi", sent_at=datetime(2026, 1, 1, tzinfo=UTC))
    return await talkjs.messages.import_many("c1", [message])


CALLS: dict[str, tuple[CallKind, Make]] = {
    "users.get": (CallKind(True, True, record=True, writes=0), lambda t: t.users.get("alice")),
    "conversations.get": (
        CallKind(True, True, record=True, writes=0),
        lambda t: t.conversations.get("c1"),
    ),
    "users.list": (CallKind(True, True, writes=0), lambda t: t.users.list().first()),
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
    "batch": (CallKind(True, True, writes=2, batch=True), _batch),
    "messages.import_many": (CallKind(False, False), _import),
}
"""Name to what matters of it, and how it is made."""


class Cell(NamedTuple):
    """A fault against a call."""

    fault: str
    call: str


class Verdict(NamedTuple):
    """How a cell ended."""

    cell: Cell
    allowed: End
    found: End
    seconds: float
    waits: bool
    fine: bool


def body_for(exchange: Exchange) -> bytes:
    """The right body of a success."""
    target = exchange.target
    if exchange.method == "GET":
        if "/users?" in target:
            return b'{"data":[]}'
        record = target.rpartition("/")[2].encode()
        extra = b'"participants":{}' if "/conversations/" in target else b'"name":"A"'
        return b'{"id":"%b","createdAt":1,%b}' % (record, extra)
    if target.endswith("/batch"):
        return b'[[0,200,[{"id":"m1"}]],[1,200,[{"id":"m2"}]]]'
    if target.endswith("/messages"):
        return b'[{"id":"m1"}]'
    return b'{"attachmentToken":"t"}' if target.endswith("/files") else b"{}"


class Player:
    """Answers with the fault that the app's ID names, and notes what it was asked to do."""

    def __init__(self) -> None:
        self._done: dict[str, set[bytes]] = {}

    async def play(self, exchange: Exchange) -> None:
        app = exchange.target.partition("/v1/")[2].partition("/")[0]
        fault = TABLE[list(TABLE)[int(app.partition("-")[0])]]
        if has_committed(fault.status):
            self._done.setdefault(app, set()).update(_effects(exchange))
        assert fault.play is not None
        await fault.play(exchange, body_for(exchange))

    def commits(self, app: str) -> int:
        """How many things were done for *app*; what is repeated so that it shows, counts once."""
        return len(self._done.pop(app, ()))


def _effects(exchange: Exchange) -> Iterator[bytes]:
    """List what a request does, equal ones being one: a PUT, a file, a message with its key."""
    if exchange.method == "GET":
        return
    keys = re.findall(rb'"idempotencyKey":"([^"]*)"', exchange.body)
    if keys:
        yield from keys
    elif exchange.method == "POST" and not exchange.target.endswith("/files"):
        yield b"%d" % next(_numbers)
    else:
        # A file that is uploaded twice is one that is not used: the token of one is given on.
        yield exchange.method.encode() + exchange.target.encode()


_numbers = count()


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
    player: Player
    trust: ssl.SSLContext | None = None
    handshakes: Mapping[str, str] = {}
    proxy: str | None = None
    http_client: Callable[[], Any] | None = None
    transport: Callable[[], Any] | None = None


def build(
    wiring: Wiring, app: str, bucket: TokenBucket, base_url: str, fault: Fault | None = None
) -> AsyncTalkJS:
    """Make the client of one cell."""
    foreign = wiring.http_client is not None or wiring.transport is not None
    # What comes before a status is counted in connections of our own only.
    waits = fault is not None and (fault.waits or (foreign and fault.kind is Kind.FLOOD))
    in_handshake = waits and fault is not None and fault.kind is Kind.UNCONNECTED
    read, attempt = (READ, ATTEMPT) if waits else (PATIENT, PATIENT)
    timeout = httpx.Timeout(read, connect=READ if in_handshake else PATIENT)
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
        budgets=OwnBudgets(bucket, bucket),
        retry=RetryPolicy(attempts=ATTEMPTS, base_delay=0.0),
        timeout=timeout,
        attempt_timeout=attempt,
        max_answer_bytes=MOST,
        **options,
    )


async def run_cell(cell: Cell, wiring: Wiring) -> Verdict:
    """Make one call, and judge its end."""
    fault, (kind, make) = TABLE[cell.fault], CALLS[cell.call]
    bucket = Watched()
    url = wiring.handshakes.get(cell.fault, wiring.server.url)
    if cell.fault == "no listener":
        url = url.rpartition(":")[0] + ":1"
    app = f"{list(TABLE).index(cell.fault)}-{next(_numbers)}"
    talkjs = build(wiring, app, bucket, url, fault)
    foreign = wiring.http_client is not None or wiring.transport is not None
    error: str | None = "hangs"
    begun = time.monotonic()
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
    allowed = _allowed(cell, fault, kind, engine=wiring.engine if foreign else None)
    permits = ", ".join(sorted(set(bucket.ends))) or "none"
    found = End(error, len(bucket.ends), permits, wiring.player.commits(app))
    fine = found == allowed and not bucket.statistics().in_flight
    return Verdict(cell, allowed, found, time.monotonic() - begun, fault.waits, fine)


def _allowed(cell: Cell, fault: Fault, kind: CallKind, *, engine: str | None) -> End:
    """
    Say how a cell may end.

    Args:
        engine: The library whose connections are used. None: ours.
    """
    if fault.kind is Kind.FLOOD and engine is not None:
        # What comes before a status is counted in connections of our own only.
        fault = fault._replace(kind=Kind.LOST)
    if cell.fault == "302 to nowhere" and engine == "httpx":
        # It fails to read where to, and with it goes the status.
        fault = fault._replace(kind=Kind.LOST)
    if fault.kind is Kind.EMPTY and cell.call == "messages.send":
        fault = fault._replace(kind=Kind.WHOLE)
    return expected(fault, kind, ATTEMPTS)


async def run(cells: Sequence[Cell], wiring: Wiring) -> list[Verdict]:
    """Play *cells*, some at the same time."""
    verdicts: list[Verdict] = []
    places = anyio.Semaphore(AT_ONCE)

    async def one(cell: Cell) -> None:
        async with places:
            verdicts.append(await run_cell(cell, wiring))

    async with anyio.create_task_group() as tasks:
        for cell in cells:
            tasks.start_soon(one, cell)
    return verdicts


def peak_megabytes() -> int:
    """How much memory this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def cells(*, every: int = 1, over: str = "plain", how: str = "own") -> list[Cell]:
    """
    All cells of the table, or each *every*-th one, that can be played so.

    Args:
        every: Which of them.
        over: "plain", or "TLS", without which there is no handshake.
        how: "proxy" takes a request before it finds that nothing listens.
    """
    without = set() if over == "TLS" else set(HANDSHAKES)
    if how == "proxy":
        without |= {"no listener", *HANDSHAKES}
    faults = [fault for fault in TABLE if fault not in without]
    return [Cell(fault, call) for fault in faults for call in CALLS][::every]
