"""
Worker: what calls cost that version of the package which is first on the path.

It uses only what every version has. Run as a file, not as a module:

    PYTHONPATH=TREE python benchmarks/workers/version.py URL CALLERS CALLS ENGINE LOOP
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import anyio


def budget() -> dict[str, Any]:
    """More tokens than are needed, in the words of that version."""
    import talkjs_async

    bucket = talkjs_async.TokenBucket(rate=1e6, burst=1_000_000)
    if hasattr(talkjs_async, "OwnBudgets"):
        return {"budgets": talkjs_async.OwnBudgets(bucket)}
    return {"limiter": bucket}


async def measure(url: str, callers: int, calls: int, engine: str) -> float:
    """Return the CPU microseconds of one call."""
    from talkjs_async import AsyncTalkJS

    options: dict[str, Any] = {"base_url": url, "engine": engine, "timeout": 60.0, **budget()}
    async with AsyncTalkJS("app", "sk_test_benchmark_key_of_32_characters", **options) as talkjs:

        async def caller(times: int) -> None:
            for _ in range(times):
                await talkjs.users.get("alice")

        async def all_at_once(times: int) -> None:
            async with anyio.create_task_group() as tasks:
                for _ in range(callers):
                    tasks.start_soon(caller, times)

        each = max(1, calls // callers)
        await all_at_once(max(1, each // 5))
        begun = time.process_time()
        await all_at_once(each)
        return (time.process_time() - begun) / (each * callers) * 1e6


def main(argv: list[str]) -> None:
    """Measure and print."""
    url, callers, calls, engine, loop = argv
    spent = anyio.run(measure, url, int(callers), int(calls), engine, backend=loop)
    print(json.dumps({"cpu_us": spent}))


if __name__ == "__main__":
    main(sys.argv[1:])
