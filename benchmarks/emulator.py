"""
What the emulator costs: `python -m benchmarks emulator [--smoke]`.

Start, memory, CPU time per request in process and over TCP beside a bare uvicorn application in
the same run, and how soon a commit is on the page. CPU time is that of the server's process. Linux
only: it is read from /proc.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

import jwt

from talkjs_async.emulator import Emulator, Limits, RealClock
from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator.admission import admit

# As long as HS256 wants its keys.
KEY = "sk_test_emulator_for_the_benchmark"
MESSAGES = "/v1/emulator/conversations/chat/messages"
BODY = json.dumps([{"type": "UserMessage", "sender": "alice", "text": "Hello there!"}]).encode()
CHAT = {
    "users": {"alice": {"name": "Alice"}},
    "conversations": {"chat": {"participants": ["alice"]}},
}
BARE = """
import sys, uvicorn

async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()
        print(f'{{"base_url": "http://{host}:{port}"}}', flush=True)

options = dict(port=0, lifespan="off", log_config=None, access_log=False, http="h11")
Server(uvicorn.Config(app, **options)).run()
"""


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    measured: float
    most: float
    unit: str


def token(number: int) -> str:
    """Return a token that was not seen before, as every attempt of the SDK has one."""
    claims = {"tokenType": "app", "iss": "emulator", "exp": time.time() + 600, "n": number}
    return jwt.encode(claims, KEY, algorithm="HS256")


def messages(count: int) -> list[Request]:
    """Return requests that send a message each."""
    return [
        Request(
            method="POST",
            path=MESSAGES,
            headers={
                b"authorization": f"Bearer {token(number)}".encode(),
                b"content-type": b"application/json",
            },
            body=BODY,
        )
        for number in range(count)
    ]


def full_emulator(log_limit: int | None = 1000) -> Emulator:
    """Return an emulator with the conversation that all messages go to."""
    emulator = Emulator(
        secret_key=KEY, clock=RealClock(), limits=Limits(burst=10**9), log_limit=log_limit
    )
    emulator.load(CHAT)
    return emulator


def per_call(work: Callable[[int], object], count: int, rounds: int = 5) -> float:
    """Return the CPU microseconds of one of *count* calls, the best of some rounds."""
    best = float("inf")
    for number in range(rounds):
        began = time.process_time()
        work(number)
        best = min(best, (time.process_time() - began) / count * 1e6)
    return best


def instance(count: int) -> float:
    """Measure a new instance, in microseconds."""
    return per_call(lambda _: [Emulator() for _ in range(count)], count)


def in_process(count: int) -> float:
    """Measure a message in process, in microseconds."""
    emulator = full_emulator()
    rounds = [messages(count) for _ in range(5)]

    def send(number: int) -> None:
        for request in rounds[number]:
            assert handle(emulator, admit(emulator, request)).status == 200

    return per_call(send, count)


def memory(count: int) -> float:
    """Measure 100,000 messages, in MB of resident memory, by a part of them."""
    program = f"""
        from benchmarks.emulator import full_emulator, messages, resident
        from talkjs_async.emulator._dispatch import handle
        from talkjs_async.emulator.admission import admit
        emulator, request = full_emulator(), messages(1)[0]
        for _ in range(1000):
            handle(emulator, admit(emulator, request))
        before = resident()
        for _ in range({count}):
            handle(emulator, admit(emulator, request))
        print((resident() - before) / {count} * 100_000 / 1e6)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu(process: subprocess.Popen[str]) -> float:
    """Return the CPU seconds that a process has used so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def started(*command: str) -> tuple[subprocess.Popen[str], http.client.HTTPConnection]:
    """Start a server that says where it is, and connect to it."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = urlsplit(json.loads(process.stdout.readline())["base_url"])
    return process, http.client.HTTPConnection(address.hostname or "", address.port)


def start() -> float:
    """Measure from the start to the first 200 over TCP, in milliseconds of CPU time."""
    process, client = started("-m", "talkjs_async.emulator", "--quiet", "--secret-key", KEY)
    try:
        headers = {"authorization": f"Bearer {token(0)}"}
        client.request("GET", "/v1/emulator/users", headers=headers)
        assert client.getresponse().status == 200
        return cpu(process) * 1000
    finally:
        process.kill()
        process.communicate()


def over_tcp(count: int) -> tuple[float, float]:
    """Measure a message over TCP and a bare application, in microseconds of CPU time."""
    ours = started(
        "-m", "talkjs_async.emulator", "--quiet", "--secret-key", KEY, "--burst", str(10**9)
    )
    bare = started("-c", BARE)
    try:
        send(ours[1], "POST", "/_emulator/v1/seed", json.dumps(CHAT).encode(), 0)
        rounds: list[list[float]] = []
        for number in range(5):
            used = []
            for process, client in (ours, bare):
                before = cpu(process)
                for index in range(count):
                    send(client, "POST", MESSAGES, BODY, number * count + index)
                used.append((cpu(process) - before) / count * 1e6)
            rounds.append(used)
        mine, theirs = (median(column) for column in zip(*rounds, strict=True))
        return mine, mine / theirs
    finally:
        for process, client in (ours, bare):
            client.close()
            process.kill()
            process.communicate()


def send(client: http.client.HTTPConnection, method: str, path: str, body: bytes, n: int) -> None:
    """Send a request on a connection that stays open."""
    headers = {
        "authorization": f"Bearer {token(n)}",
        "content-type": "application/json",
        "x-emulator": "1",
    }
    client.request(method, path, body, headers)
    answer = client.getresponse()
    said = answer.read()
    assert answer.status == 200, said


def on_the_page(count: int) -> float:
    """Measure from a commit until the page that was told of it shows it: p99, in milliseconds."""
    emulator = full_emulator()
    delays = []
    with emulator.serve() as server:
        address = urlsplit(server.base_url)
        events, page = (
            http.client.HTTPConnection(address.hostname or "", address.port) for _ in range(2)
        )
        events.request("GET", "/_emulator/events")
        told = events.getresponse()
        told.readline()
        for number in range(count):
            time.sleep(0.02)
            text = f"message number {number};"
            began = time.perf_counter()
            emulator.simulate_user("alice").say("chat", text)
            shown = ""
            while text not in shown:
                while told.readline().strip():
                    pass
                page.request("GET", "/_emulator/?conversation=chat")
                shown = page.getresponse().read().decode()
            delays.append((time.perf_counter() - began) * 1000)
        events.close()
        page.close()
    return sorted(delays)[int(len(delays) * 0.99) - 1]


def figures(scale: int) -> list[Figure]:
    """Measure everything; *scale* is how thoroughly."""
    mine, ratio = over_tcp(30 * scale)
    return [
        Figure("start to first 200 over TCP", median(start() for _ in range(5)), 300, "ms CPU"),
        Figure("new in-process instance", instance(50 * scale), 50, "us"),
        Figure("POST message in process", in_process(30 * scale), 100, "us CPU"),
        Figure("POST message over TCP", mine, float("inf"), "us CPU"),
        Figure("the same, to a bare uvicorn app", ratio, 2.0, "x"),
        Figure("memory per 100,000 messages", memory(1000 * scale), 60, "MB"),
        Figure("commit to visible on the page, p99", on_the_page(5 * scale), 50, "ms"),
    ]


def main(argv: Sequence[str]) -> int:
    """Print the table; 1 when a figure misses what it may be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks emulator", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="briefly, and judge nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    table = figures(4 if options.smoke else 40)
    if options.json:
        print(json.dumps([figure._asdict() for figure in table]))
    else:
        for what, measured, most, unit in table:
            may_be = "" if most == float("inf") else f"(at most {most:g})"
            print(f"{what:<36} {measured:>8.1f} {unit:<7} {may_be}")
    missed = any(figure.measured > figure.most for figure in table)
    return int(missed and not options.smoke)
