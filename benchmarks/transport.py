"""
What one small GET costs, by HTTP library, by number of callers and by number of slots.

Our connections without the rest of the client, against the libraries as people use them: one client
with its default pool, its pool timeout off, because with it on a burst fails. Everybody signs a
token per call and reads the JSON. CPU time is the figure to trust.

    python -m benchmarks transport [--smoke] [--json]
    python -m benchmarks transport --delay 100 --slots 10,20,50     # answers after 100 ms
    python -m benchmarks transport --cold                           # all calls at once, no warm-up
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.certificates import issue
from benchmarks.measure import Runs, facts, stay_on, work
from benchmarks.rivals.clients import BASELINE, CONTENDERS, Call, token
from benchmarks.server import serving
from benchmarks.workers.calls import Open, measure

LIBRARIES = ("httpx", "httpx2")


async def slots(stack: AsyncExitStack, url: str, engine: str, size: int) -> Call:
    """Our connections, used as the pipeline uses them."""
    from talkjs_async._http.connections import connections_for

    connections = connections_for(engine, tls=url.startswith("https"), size=size)
    stack.push_async_callback(connections.aclose)
    host = url.split("/")[2].encode()
    target = f"{url}/v1/app/users/alice"
    timeouts = {"connect": 60.0, "read": 60.0, "write": 60.0, "pool": None}

    async def call() -> object:
        async with connections.borrow() as client:
            headers = [
                (b"Host", host),
                (b"Accept", b"application/json"),
                (b"Accept-Encoding", b"gzip, deflate"),
                (b"User-Agent", b"talkjs-async"),
                (b"Authorization", b"Bearer " + token().encode()),
            ]
            request = connections.engine.Request(
                "GET", target, headers=headers, extensions={"timeout": timeouts}
            )
            response = await client.send(request)
        response.raise_for_status()
        return json.loads(response.content)

    return call


def opener(name: str) -> Open:
    """Find what opens the contender "raw LIBRARY" or "slots ENGINE SIZE"."""
    kind, library, *size = name.split()
    if kind == "slots":
        return partial(slots, engine=library, size=int(size[0]))
    return CONTENDERS[name].connect


def contenders(sizes: Sequence[int]) -> list[str]:
    """Everybody whose library is installed."""
    present = [engine for engine in LIBRARIES if find_spec(engine)]
    ours = [f"slots {engine} {size}" for size in sizes for engine in present]
    return [f"raw {engine}" for engine in present] + ours


def compare(options: argparse.Namespace) -> dict[int, Runs]:
    """Measure everybody, for each number of callers."""
    names = options.only or contenders(options.slots)
    found: dict[int, Runs] = {}
    with TemporaryDirectory() as folder:
        certificate, trust = issue(Path(folder)) if options.tls else ("", {})
        with serving(str(certificate), delay=options.delay / 1000) as url:
            for callers in options.callers:
                calls = callers if options.cold else max(options.calls, 3 * callers)
                temperature = "cold" if options.cold else "warm"
                arguments = (url, str(callers), str(calls), temperature)
                jobs = {
                    name: partial(work, "transport", "--work", name, *arguments, env=trust)
                    for name in names
                }
                found[callers] = Runs()
                for _ in found[callers].interleave(jobs, options.rounds):
                    print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def table(found: dict[int, Runs]) -> str:
    """Medians, and medians of the ratios of each round to the baseline."""
    figures = (
        f"{'CPU us':>8} {'ratio':>6} {'wall s':>8} {'ratio':>6} {'slowest s':>10} {'failed':>7}"
    )
    lines = [f"{'callers':>7}  {'contender':<20} {figures}"]
    for callers, runs in found.items():
        for name in dict.fromkeys(line["contender"] for line in runs.lines):
            middle, ratio = partial(runs.median, name), partial(runs.ratio, name, BASELINE)
            lines.append(
                f"{callers:>7}  {name:<20} {middle('cpu_us'):>8.0f} {ratio('cpu_us'):>6.2f}"
                f" {middle('wall_s'):>8.3f} {ratio('wall_s'):>6.2f}"
                f" {middle('slowest_s'):>10.3f} {middle('failed'):>7.0f}"
            )
    return "\n".join(lines)


def numbers(text: str) -> list[int]:
    """Read "1,10,100"."""
    return [int(each) for each in text.split(",")]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when a call failed through our slots."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--work"]:
        stay_on(0)
        name, url, callers, calls, temperature = arguments[1:]
        cold = temperature == "cold"
        done = measure(opener(name), url, int(callers), int(calls), cold=cold)
        print(json.dumps(asyncio.run(done)))
        return 0

    parser = argparse.ArgumentParser("benchmarks transport", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one short round")
    parser.add_argument("--json", action="store_true", help="one JSON line per run")
    parser.add_argument("--cold", action="store_true", help="all calls at once, no warm-up")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds that answers take")
    parser.add_argument("--tls", action="store_true", help="speak TLS; needs trustme")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000, help="per run, at least")
    parser.add_argument("--callers", type=numbers, default=[1, 10, 100, 600])
    parser.add_argument("--slots", type=numbers, default=None, help="sizes to try")
    parser.add_argument("--only", action="append", help="a contender, as the table names it")
    options = parser.parse_args(arguments)
    if options.slots is None:
        from talkjs_async._core.options import SLOTS

        options.slots = [SLOTS]
    if options.smoke:
        options.rounds, options.calls, options.callers = 1, 200, [1, 100]

    found = compare(options)
    lines = [line for runs in found.values() for line in runs.lines]
    if options.json:
        here = facts() | {"delay_ms": options.delay, "tls": options.tls}
        for line in lines:
            print(json.dumps(line | here))
    else:
        print(table(found))
    for runs in found.values():
        for name, why in runs.failures.items():
            print(f"missing: {name}: {why}", file=sys.stderr)
    return int(any(line["failed"] for line in lines if line["contender"].startswith("slots")))


if __name__ == "__main__":
    sys.exit(main())
