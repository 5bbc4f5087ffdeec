"""
Workers: what a fresh process pays before its first answer.

    python -m benchmarks.workers.startup import STATEMENT
    python -m benchmarks.workers.startup call CONTENDER URL
    python -m benchmarks.workers.startup block CONTENDER URL
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from asyncio.events import Handle
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from benchmarks.measure import Result, stay_on
from benchmarks.rivals.clients import (
    BASELINE,
    CONTENDERS,
    OURS,
    OURS_HTTPX2,
    OURS_MESSAGES,
)

PAUSE = 0.0005
"""Seconds between two looks at how long the event loop is blocked."""

_OURS = "from talkjs_async import AsyncTalkJS"

STATEMENTS = {
    OURS: _OURS,
    OURS_MESSAGES: _OURS,
    OURS_HTTPX2: _OURS,
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


async def call(name: str, url: str) -> None:
    """Open a contender's client and make one call."""
    async with AsyncExitStack() as stack:
        await (await CONTENDERS[name].connect(stack, url))()


def first_call(name: str, url: str) -> Result:
    """
    Import a contender, start an event loop, open its client there and make one call.

    Returns:
        cpu_ms, wall_ms: From before the import to the answer.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    exec(STATEMENTS[name], {})
    asyncio.run(call(name, url))
    return {
        "cpu_ms": (time.process_time() - cpu) * 1e3,
        "wall_ms": (time.perf_counter() - wall) * 1e3,
    }


def first_block(name: str, url: str) -> Result:
    """
    Do the same, and watch the event loop. The import is not watched: programs do it before.

    Returns:
        blocked_ms: Milliseconds for which other tasks had to wait at the longest: the CPU time that
            this process used between two looks of a task that wakes up all the time, whichever
            thread used it. CPU time, because on a busy machine everything can take long.
        step_ms: CPU milliseconds of the longest step of the event loop, in its own thread.
    """

    async def watched() -> float:
        async with longest_wait() as longest:
            await call(name, url)
        return longest[0]

    exec(STATEMENTS[name], {})
    with asyncio.Runner() as runner:
        # The loop itself and its selector are everybody's.
        runner.get_loop()
        with longest_step() as longest:
            blocked = runner.run(watched())
    return {"blocked_ms": blocked * 1e3, "step_ms": longest[0] * 1e3}


@asynccontextmanager
async def longest_wait() -> AsyncIterator[list[float]]:
    """Note the most CPU seconds that this process used while a task of the loop had no turn."""
    longest = [0.0]

    async def look() -> None:
        while True:
            before = time.process_time()
            await asyncio.sleep(PAUSE)
            longest[0] = max(longest[0], time.process_time() - before)

    looking = asyncio.create_task(look())
    await asyncio.sleep(2 * PAUSE)
    try:
        yield longest
    finally:
        # One look more, for whatever came last.
        await asyncio.sleep(2 * PAUSE)
        looking.cancel()


@contextmanager
def longest_step() -> Iterator[list[float]]:
    """Note the longest step of the event loop, in seconds of its thread's CPU."""
    longest = [0.0]
    handles: Any = Handle
    run = handles._run

    def timed(handle: Any) -> None:
        cpu = time.thread_time()
        run(handle)
        longest[0] = max(longest[0], time.thread_time() - cpu)

    handles._run = timed
    try:
        yield longest
    finally:
        handles._run = run


if __name__ == "__main__":
    stay_on(0)
    job, *arguments = sys.argv[1:]
    jobs: dict[str, Callable[..., Result]] = {
        "import": importing,
        "call": first_call,
        "block": first_block,
    }
    print(json.dumps(jobs[job](*arguments)))
