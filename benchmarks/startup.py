"""
Workers: what a fresh process pays before its first answer.

    python -m benchmarks.startup import STATEMENT
    python -m benchmarks.startup call CONTENDER URL
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from asyncio.events import Handle
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from benchmarks.clients import BASELINE, CONTENDERS, OURS, OURS_AIOHTTP, OURS_HTTPX2
from benchmarks.measure import Result, stay_on

_OURS = "from talkjs_async import AsyncTalkJS"

STATEMENTS = {
    OURS: _OURS,
    OURS_HTTPX2: _OURS,
    OURS_AIOHTTP: _OURS,
    BASELINE: "import httpx, jwt",
    "raw httpx2": "import httpx2, jwt",
    "raw aiohttp": "import aiohttp, jwt",
    "openai": "from openai import AsyncOpenAI",
}
"""How a program begins that uses a contender."""

_PROGRAM = """\
import sys, time
cpu = time.process_time()
{statement}
cpu = time.process_time() - cpu
print(cpu * 1e3, len(sys.modules))
"""


def importing(statement: str) -> Result:
    """
    Run *statement* in a fresh interpreter.

    Returns:
        cpu_ms: CPU milliseconds.
        modules: How many the process has then, the 30 or so of the interpreter itself included.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROGRAM.format(statement=statement)],
        check=True,
        capture_output=True,
        text=True,
    )
    cpu_ms, modules = done.stdout.split()
    return {"cpu_ms": float(cpu_ms), "modules": int(modules)}


def first_call(name: str, url: str) -> Result:
    """
    Import a contender, start an event loop, open its client there and make one call.

    Returns:
        cpu_ms, wall_ms: From before the import to the answer.
        blocked_ms: CPU milliseconds of the longest step of the event loop, which is how long other
            tasks had to wait. The import is not among the steps: programs do it before. CPU time of
            the loop's own thread, because on a busy machine any step can take long.
        blocked_wall_ms: The same by the clock on the wall.
    """

    async def call() -> None:
        async with AsyncExitStack() as stack:
            await (await CONTENDERS[name].open(stack, url, None))()

    cpu, wall = time.process_time(), time.perf_counter()
    exec(STATEMENTS[name], {})
    with asyncio.Runner() as runner:
        # The loop itself and its selector are everybody's.
        runner.get_loop()
        with longest_step() as longest:
            runner.run(call())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "cpu_ms": cpu * 1e3,
        "wall_ms": wall * 1e3,
        "blocked_ms": longest[0] * 1e3,
        "blocked_wall_ms": longest[1] * 1e3,
    }


@contextmanager
def longest_step() -> Iterator[list[float]]:
    """Note the longest step of the event loop: seconds of CPU, and on the wall."""
    longest = [0.0, 0.0]
    handles: Any = Handle
    run = handles._run

    def timed(handle: Any) -> None:
        cpu, wall = time.thread_time(), time.perf_counter()
        run(handle)
        longest[0] = max(longest[0], time.thread_time() - cpu)
        longest[1] = max(longest[1], time.perf_counter() - wall)

    handles._run = timed
    try:
        yield longest
    finally:
        handles._run = run


if __name__ == "__main__":
    stay_on(0)
    job, *arguments = sys.argv[1:]
    print(json.dumps(importing(*arguments) if job == "import" else first_call(*arguments)))
