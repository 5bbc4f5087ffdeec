"""
What one small GET costs, by HTTP library and by number of callers.

Every contender runs in a process of its own against a server process on the loopback; the rounds of
all contenders are interleaved, so that a noisy neighbour disturbs them alike. CPU time is the
figure to trust. "raw" is what people write: one client of the library with its default pool, its
pool timeout off (with it on, a burst fails), `client.get` and `response.json`.

    python -m benchmarks transport [--smoke] [--json]
    python -m benchmarks transport --delay 100 --slots 10,20,50     # answers after 100 ms
    python -m benchmarks transport --cold                           # all calls at once, no warm-up
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import ssl
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from statistics import median
from typing import Any, NamedTuple

PROGRAM = (sys.executable, "-m", "benchmarks.transport")
BASELINE = "raw httpx"
TOKEN = "Bearer " + "x" * 160

USER = json.dumps(
    {
        "id": "alice",
        "name": "Alice",
        "email": ["alice@example.com"],
        "phone": None,
        "photoUrl": "https://example.com/alice.png",
        "role": "default",
        "welcomeMessage": None,
        "locale": "en-US",
        "custom": {"plan": "pro", "seats": "12"},
        "createdAt": 1_700_000_000_000,
        "availabilityText": None,
    }
).encode()

Call = Callable[[], Awaitable[object]]


class Run(NamedTuple):
    """One measurement of one contender."""

    contender: str
    callers: int
    calls: int
    failed: int
    cpu_us: float
    wall_s: float
    slowest_s: float


# Contenders: each opens its client on the stack and returns one call.


async def raw_httpx(stack: AsyncExitStack, url: str, library: str = "httpx") -> Call:
    """A client as people write it."""
    module: Any = __import__(library)
    client = await stack.enter_async_context(
        module.AsyncClient(timeout=module.Timeout(60, pool=None))
    )

    async def call() -> object:
        response = await client.get(url, headers={"Authorization": TOKEN})
        response.raise_for_status()
        return response.json()

    return call


async def raw_aiohttp(stack: AsyncExitStack, url: str) -> Call:
    """The same with aiohttp."""
    import aiohttp

    session = await stack.enter_async_context(aiohttp.ClientSession())

    async def call() -> object:
        async with session.get(url, headers={"Authorization": TOKEN}) as response:
            response.raise_for_status()
            return await response.json()

    return call


async def slots(stack: AsyncExitStack, url: str, engine: str, size: int) -> Call:
    """Our connections, used as the pipeline uses them."""
    from talkjs_async._core.transport.slots import connections_for

    connections = connections_for(engine, tls=url.startswith("https"), size=size)
    stack.push_async_callback(connections.aclose)
    host = url.split("/")[2].encode()
    patience = {"connect": 60.0, "read": 60.0, "write": 60.0, "pool": None}

    async def call() -> object:
        async with connections.borrow() as client:
            headers = [
                (b"Host", host),
                (b"Accept", b"application/json"),
                (b"Accept-Encoding", b"gzip, deflate"),
                (b"User-Agent", b"talkjs-async"),
                (b"Authorization", TOKEN.encode()),
            ]
            request = connections.engine.Request(
                "GET", url, headers=headers, extensions={"timeout": patience}
            )
            response = await client.send(request)
        response.raise_for_status()
        return json.loads(response.content)

    return call


async def contender(name: str, stack: AsyncExitStack, url: str) -> Call:
    """Open the contender called "raw LIBRARY" or "slots ENGINE SIZE"."""
    kind, library, *size = name.split()
    if kind == "slots":
        return await slots(stack, url, library, int(size[0]))
    if library == "aiohttp":
        return await raw_aiohttp(stack, url)
    return await raw_httpx(stack, url, library)


# The processes.


def stay_on(cpu: int) -> None:
    """Pin this process, where the system can and has more than one CPU."""
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) > 1:
            os.sched_setaffinity(0, {cpus[cpu]})


def serve(delay: float, certificate: str) -> None:
    """
    Answer every request with a user after *delay* seconds; print the port first.

    *certificate*: a PEM file with a key, to speak TLS with. "": plain HTTP.
    """
    stay_on(-1)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    answer = head % len(USER) + USER

    class Connection(asyncio.Protocol):
        received = b""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.received += data
            while b"\r\n\r\n" in self.received:
                _, _, self.received = self.received.partition(b"\r\n\r\n")
                if delay:
                    asyncio.get_running_loop().call_later(delay, self.transport.write, answer)
                else:
                    self.transport.write(answer)

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        context = None
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
        server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096, ssl=context)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(listen())


async def measure(name: str, url: str, callers: int, calls: int, *, cold: bool) -> Run:
    """Let *callers* tasks send *calls* requests in all."""
    each = max(1, calls // callers)
    failed = 0
    slowest = 0.0
    async with AsyncExitStack() as stack:
        wall, cpu = time.perf_counter(), time.process_time()
        # Whatever a contender imports and sets up before its first call belongs to a cold start.
        call = await contender(name, stack, url)

        async def work(times: int) -> None:
            nonlocal failed, slowest
            for _ in range(times):
                begun = time.perf_counter()
                try:
                    await call()
                except Exception:  # noqa: BLE001 - a benchmark counts whatever goes wrong
                    failed += 1
                slowest = max(slowest, time.perf_counter() - begun)

        async def all_at_once(times: int) -> None:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(callers):
                    tasks.create_task(work(times))

        if not cold:
            await all_at_once(max(1, each // 5))
            failed, slowest = 0, 0.0
            wall, cpu = time.perf_counter(), time.process_time()
        await all_at_once(each)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    done = each * callers
    return Run(name, callers, done, failed, cpu / done * 1e6, wall, slowest)


def measure_in_process(name: str, url: str, callers: int, calls: int, *, cold: bool) -> Run:
    """Do one measurement in a fresh process."""
    job = [name, url, str(callers), str(calls), str(int(cold))]
    output = subprocess.check_output([*PROGRAM, "--work", *job])
    return Run(*json.loads(output))


def versions() -> dict[str, str]:
    """What was measured, and where."""
    found = {"python": platform.python_version(), "machine": platform.platform()}
    for name in ("httpx", "httpcore", "httpx2", "aiohttp", "httpx-aiohttp", "anyio"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found | {"commit": commit.stdout.strip() or "none"}


def contenders(sizes: Sequence[int]) -> list[str]:
    """Everybody whose library is installed."""
    rivals = [BASELINE]
    rivals += ["raw " + each for each in ("httpx2", "aiohttp") if find_spec(each)]
    engines = {"httpx": "httpx", "httpx2": "httpx2", "aiohttp": "httpx_aiohttp"}
    ours = [name for name, module in engines.items() if find_spec(module)]
    return rivals + [f"slots {name} {size}" for size in sizes for name in ours]


def compare(options: argparse.Namespace) -> list[Run]:
    """Run everything, interleaved."""
    names = options.only or contenders(options.slots)
    runs: list[Run] = []
    server = subprocess.Popen(
        [*PROGRAM, "--serve", str(options.delay / 1000), options.certificate],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        host = "https://localhost" if options.certificate else "http://127.0.0.1"
        url = f"{host}:{int(server.stdout.readline())}/v1/app/users/alice"
        for _ in range(options.rounds):
            for callers in options.callers:
                for name in random.sample(names, len(names)):
                    calls = callers if options.cold else max(options.calls, 3 * callers)
                    runs.append(measure_in_process(name, url, callers, calls, cold=options.cold))
    finally:
        server.terminate()
        server.wait()
    return runs


def table(runs: Sequence[Run]) -> str:
    """Medians, and medians of the ratios of each round to the baseline."""
    grouped: dict[tuple[int, str], list[Run]] = defaultdict(list)
    for run in runs:
        grouped[run.callers, run.contender].append(run)
    head = (
        f"{'callers':>7}  {'contender':<20} {'CPU us':>8} {'ratio':>6} {'wall s':>8} {'ratio':>6}"
    )
    lines = [f"{head} {'calls/s':>8} {'slowest s':>9} {'failed':>6}"]
    for (callers, name), own in grouped.items():
        base = grouped.get((callers, BASELINE), [])
        pairs = list(zip(own, base, strict=False))
        cpu = median(a.cpu_us / b.cpu_us for a, b in pairs) if pairs else float("nan")
        wall = median(a.wall_s / b.wall_s for a, b in pairs) if pairs else float("nan")
        seconds = median(run.wall_s for run in own)
        lines.append(
            f"{callers:>7}  {name:<20} {median(run.cpu_us for run in own):>8.0f} {cpu:>6.2f}"
            f" {seconds:>8.3f} {wall:>6.2f} {own[0].calls / seconds:>8.0f}"
            f" {median(run.slowest_s for run in own):>9.3f} {sum(run.failed for run in own):>6}"
        )
    return "\n".join([lines[0], *sorted(lines[1:], key=lambda line: int(line[:7]))])


def numbers(text: str) -> list[int]:
    """Read "1,10,100"."""
    return [int(each) for each in text.split(",")]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when a call failed through our slots."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--serve"]:
        serve(float(arguments[1]), arguments[2])
        return 0
    if arguments[:1] == ["--work"]:
        stay_on(0)
        name, url, callers, calls, cold = arguments[1:]
        run = asyncio.run(measure(name, url, int(callers), int(calls), cold=cold == "1"))
        print(json.dumps(run))
        return 0

    parser = argparse.ArgumentParser("benchmarks transport", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one short round")
    parser.add_argument("--json", action="store_true", help="one JSON line per run")
    parser.add_argument("--cold", action="store_true", help="all calls at once, no warm-up")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds that answers take")
    parser.add_argument("--certificate", default="", help="PEM file: speak TLS; set SSL_CERT_FILE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000, help="per run, at least")
    parser.add_argument("--callers", type=numbers, default=[1, 10, 100, 600])
    parser.add_argument("--slots", type=numbers, default=None, help="sizes to try")
    parser.add_argument("--only", action="append", help="a contender, as the table names it")
    options = parser.parse_args(arguments)
    if options.slots is None:
        from talkjs_async._core.transport.slots import SLOTS

        options.slots = [SLOTS]
    if options.smoke:
        options.rounds, options.calls, options.callers = 1, 200, [1, 100]

    runs = compare(options)
    if options.json:
        facts = versions() | {"delay_ms": options.delay, "cold": options.cold}
        for run in runs:
            print(json.dumps(run._asdict() | facts))
    else:
        print(table(runs))
    return int(any(run.failed for run in runs if run.contender.startswith("slots")))


if __name__ == "__main__":
    sys.exit(main())
