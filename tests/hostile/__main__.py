"""
Plays everything that a server may do, and prints what came of it.

    python -m tests.hostile           each twelfth cell, 2,000 malformed answers: three minutes
    python -m tests.hostile --long    all of it, 100,000 malformed answers

Everything stays on the loopback. Exit status 1 when a cell ends as the table does not allow, when a
call gets an answer that is not its own, when a malformed one does anything but raise our errors, or
when memory grows by more than 50 MB.
"""

from __future__ import annotations

import argparse
import logging
import ssl
import sys
from asyncio import StreamReader, StreamWriter, open_connection
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from itertools import product
from typing import NamedTuple

import anyio
import trustme

from talkjs_async import TokenBucket
from tests.hostile import fuzz, matrix, surplus
from tests.hostile.handshakes import broken_handshakes, certified
from tests.hostile.matrix import Cell, Player, Verdict, Wiring
from tests.hostile.raw_server import Converse, RawServer, Script

MOST_GROWTH = 50
"""Megabytes that all of it may take, the servers in the same process included."""


class Way(NamedTuple):
    """With what a call is made, and over what."""

    engine: str
    backend: str
    over: str


WAYS = [Way(*way) for way in product(("httpx", "httpx2"), ("asyncio", "trio"), ("plain", "TLS"))]
PLAIN = [way for way in WAYS if way.over == "plain"]
THROUGH = [
    *(("proxy", way) for way in WAYS),
    *product(("http_client", "transport"), PLAIN),
]
"""What a user may bring, played in part."""


class Counted(NamedTuple):
    """Cells that were played."""

    cells: int
    wrong: list[Verdict]
    longest: float


@contextmanager
def wired(way: Way, script: Script, player: Player, how: str = "own") -> Iterator[Wiring]:
    """A server, those with broken handshakes, and what the clients need to reach them."""
    if way.over == "plain":
        with RawServer(script) as server:
            # An http:// proxy sees the request itself, so it is the one that plays.
            proxy = server.url if how == "proxy" else None
            yield Wiring(way.engine, server, player, proxy=proxy)
        return
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    with (
        RawServer(script, tls=certified(authority, "localhost")) as server,
        RawServer(script, converse=tunnel_to(server)) as proxy_server,
        broken_handshakes(authority) as handshakes,
    ):
        proxy = proxy_server.url if how == "proxy" else None
        yield Wiring(way.engine, server, player, trust, handshakes, proxy=proxy)


def tunnel_to(server: RawServer) -> Converse:
    """A proxy that opens tunnels to *server*."""

    async def copy(reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while content := await reader.read(65_536):
                writer.write(content)
                await writer.drain()
        writer.close()

    async def converse(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        there = await open_connection("localhost", server.port)
        writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(copy, reader, there[1])
            tasks.start_soon(copy, there[0], writer)

    return converse


def brought(wiring: Wiring, how: str) -> Wiring:
    """Add to *wiring* what the user brings."""
    library = import_module(wiring.engine)
    # One trust store for all: reading it blocks the event loop.
    context = wiring.trust or ssl.create_default_context()
    if how == "http_client":
        return wiring._replace(http_client=partial(library.AsyncClient, verify=context))
    if how == "transport":
        return wiring._replace(transport=partial(library.AsyncHTTPTransport, verify=context))
    return wiring


def play_matrix(way: Way, cells: list[Cell], how: str = "own") -> Counted:
    """Play *cells* with one library, event loop and wire."""
    player = Player()
    with wired(way, player.play, player, how) as wiring:
        play = partial(matrix.run, cells, brought(wiring, how))
        verdicts = anyio.run(play, backend=way.backend)
        anyio.run(wiring.server.until, lambda: wiring.server.open == 0)
    longest = max((each.seconds for each in verdicts if each.waits), default=0.0)
    return Counted(len(verdicts), [each for each in verdicts if not each.fine], longest)


def play_surplus(way: Way, how: str, *, pause: float, calls: int) -> Counter[str]:
    """Meet every form of surplus bytes with as many *calls*, one after the other."""
    player = Player()
    with wired(way, surplus.SurplusServer(pause).play, player, how) as wiring:
        bucket = TokenBucket(rate=1e6, burst=1_000_000)
        make = partial(matrix.build, wiring, bucket=bucket, base_url=wiring.server.url)

        async def run() -> Counter[str]:
            ends: Counter[str] = Counter()

            async def one(number: int) -> None:
                ends.update(await surplus.run(make, number, calls))

            async with anyio.create_task_group() as tasks:
                for number in range(len(surplus.FORMS | surplus.BODYLESS)):
                    tasks.start_soon(one, number)
            return ends

        ends = anyio.run(run, backend=way.backend)
        anyio.run(wiring.server.until, lambda: wiring.server.open == 0)
    return ends


def play_fuzz(way: Way, count: int, seed: int) -> Counter[str]:
    """Meet *count* malformed answers."""
    with wired(way, fuzz.play, Player()) as wiring:
        ends = anyio.run(partial(fuzz.run, count, wiring, seed=seed), backend=way.backend)
        anyio.run(wiring.server.until, lambda: wiring.server.open == 0)
    return ends


def is_bad(end: str) -> bool:
    """Whether no call may end so, whatever came."""
    return end.startswith(("NOT OURS", "HANGS", "WRONG"))


def print_matrix(every: int) -> int:
    """Play the table; return how many cells are wrong."""
    bad = 0
    print(f"{'library':8}{'loop':9}{'wire':7}{'through':13}{'cells':>7}{'wrong':>7}{'longest':>9}")
    for how, way in [*(("own", way) for way in WAYS), *THROUGH]:
        step = every if how == "own" else every * 3 + 1
        played = play_matrix(way, matrix.cells(every=step, over=way.over, how=how), how)
        bad += len(played.wrong)
        print(
            f"{way.engine:8}{way.backend:9}{way.over:7}{how:13}{played.cells:7}"
            f"{len(played.wrong):7}{played.longest:8.1f}s",
            flush=True,
        )
        for each in played.wrong:
            print(f"    {each.cell.call} against {each.cell.fault!r}: {each.found}")
            print(f"        not {each.allowed}")
    print(f"longest: of a fault that a deadline ends, {matrix.DEADLINE:.0f} s; of a batch that")
    print("is sent call by call, and on a busy machine, more", flush=True)
    return bad


def print_ends(title: str, ends: Counter[str]) -> int:
    """Print how calls ended; return how many ended as none may."""
    print(f"{title}: {dict(sorted(ends.items()))}", flush=True)
    return sum(count for end, count in ends.items() if is_bad(end))


def main() -> int:
    """Play, print, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", choices=["matrix", "surplus", "malformed"])
    options = parser.parse_args()
    # What clients have to say of batches that are refused.
    logging.getLogger("talkjs_async").setLevel(logging.ERROR)
    every, calls, malformed = (1, 12, 100_000) if options.long else (12, 3, 2_000)
    # What the libraries take is no growth: every way is warm before it is measured.
    for way in WAYS:
        play_matrix(way, matrix.cells()[:1])
    before, bad = matrix.peak_megabytes(), 0
    if options.only in {None, "matrix"}:
        bad += print_matrix(every)
    if options.only in {None, "surplus"}:
        for pause, (how, over) in product(
            (0.0, 0.003), product(("own", "proxy"), ("plain", "TLS"))
        ):
            ends: Counter[str] = Counter()
            for way in WAYS:
                if way.over == over:
                    ends += play_surplus(way, how, pause=pause, calls=calls)
            bad += print_ends(f"{'late' if pause else 'surplus'} bytes, {how}, {over}", ends)
    if options.only in {None, "malformed"}:
        for seed, way in enumerate(WAYS):
            ends = play_fuzz(way, malformed // len(WAYS), seed)
            bad += print_ends(f"malformed answers, {'-'.join(way)}, {ends.total()}", ends)
    grown = matrix.peak_megabytes() - before
    print(f"memory: {before} MB when all was loaded, {grown} MB more at most")
    return 1 if bad or grown > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
