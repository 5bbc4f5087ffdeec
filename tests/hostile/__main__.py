"""
Plays everything that a server may do, and prints what came of it.

    python -m tests.hostile           each tenth cell, 2,000 malformed answers: two minutes
    python -m tests.hostile --long    all of it

Everything stays on the loopback. Exit status 1 when a cell ends as the table does not allow.
"""

from __future__ import annotations

import argparse
import ssl
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from importlib import import_module
from itertools import product

import anyio
import trustme

from tests.hostile import fuzz, matrix
from tests.hostile.matrix import Cell, Verdict, Wiring
from tests.hostile.raw_server import RawServer, Script

THROUGH = ("proxy", "http_client", "transport")
"""What a user may bring, played in part and over plain connections."""

WAYS = list(product(("httpx", "httpx2"), ("asyncio", "trio"), ("plain", "TLS")))


@contextmanager
def serving(script: Script, *, tls: bool) -> Iterator[tuple[RawServer, ssl.SSLContext | None]]:
    """A server, and the context that trusts it."""
    if not tls:
        with RawServer(script) as server:
            yield server, None
        return
    authority = trustme.CA()
    own, trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(own)
    authority.configure_trust(trust)
    with RawServer(script, tls=own) as server:
        yield server, trust


@asynccontextmanager
async def wired(
    engine: str, how: str, server: RawServer, trust: ssl.SSLContext | None
) -> AsyncGenerator[Wiring]:
    """Build clients as *how* says: with our connections, through a proxy, or over the user's."""
    library = import_module(engine)
    # One trust store for all: reading it blocks the event loop.
    context = trust or ssl.create_default_context()
    if how == "http_client":
        make = partial(library.AsyncClient, verify=context)
        yield Wiring(engine, server, trust, http_client=make)
    elif how == "transport":
        make = partial(library.AsyncHTTPTransport, verify=context)
        yield Wiring(engine, server, trust, transport=make)
    elif how == "proxy":
        with RawServer(matrix.play) as proxy:
            yield Wiring(engine, server, trust, proxy=proxy.url)
    else:
        yield Wiring(engine, server, trust)


def play_matrix(way: tuple[str, str, str], cells: list[Cell], how: str = "own") -> list[Verdict]:
    """Play *cells* with one library, event loop and wire."""
    engine, backend, over = way
    # An http:// proxy sees the request itself, so it is the one that plays.
    with serving(matrix.play, tls=over == "TLS") as (server, trust):

        async def run() -> list[Verdict]:
            async with wired(engine, how, server, trust) as wiring:
                # A proxy takes the request before it finds that nothing listens.
                if how == "proxy":
                    cells[:] = [cell for cell in cells if cell.fault != "no listener"]
                return await matrix.run(cells, wiring)

        wrong = anyio.run(run, backend=backend)
        anyio.run(server.until, lambda: server.open == 0)
    return wrong


def play_fuzz(way: tuple[str, str, str], count: int, seed: int) -> Counter[str]:
    """Meet *count* malformed answers."""
    engine, backend, over = way
    with serving(fuzz.play, tls=over == "TLS") as (server, trust):

        async def run() -> Counter[str]:
            return await fuzz.run(count, Wiring(engine, server, trust), seed=seed)

        ends = anyio.run(run, backend=backend)
        anyio.run(server.until, lambda: server.open == 0)
    return ends


def is_bad(end: str) -> bool:
    """Whether no call may end so, whatever came."""
    return end.startswith(("NOT OURS", "HANGS", "WRONG"))


def main() -> int:
    """Play, print, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true")
    long = parser.parse_args().long
    every, malformed = (1, 100_000) if long else (10, 2_000)
    bad = 0
    print(f"{'library':8}{'loop':9}{'wire':7}{'through':13}{'cells':>7}{'wrong':>7}")
    plain = [way for way in WAYS if way[2] == "plain"]
    parts = [("own", way, every) for way in WAYS]
    parts += [(how, way, every * 3 + 1) for how, way in product(THROUGH, plain)]
    for how, way, step in parts:
        cells = matrix.cells(every=step)
        wrong = play_matrix(way, cells, how)
        bad += len(wrong)
        print(f"{way[0]:8}{way[1]:9}{way[2]:7}{how:13}{len(cells):7}{len(wrong):7}", flush=True)
        for cell, allowed, found in wrong:
            print(f"    {cell.call} against {cell.fault!r}: {found}, not {allowed}")
    print(f"memory: {matrix.peak_megabytes()} MB, {matrix.STARTED_WITH} before the first call")
    ends: Counter[str] = Counter()
    for seed, way in enumerate(WAYS):
        ends += play_fuzz(way, malformed // len(WAYS), seed)
    bad += sum(count for end, count in ends.items() if is_bad(end))
    print(f"malformed answers: {dict(ends)}")
    print(f"memory: {matrix.peak_megabytes()} MB, {matrix.STARTED_WITH} before the first call")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
