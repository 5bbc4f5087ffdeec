"""
Worker: how much memory a long list takes while it is streamed.

    python -m benchmarks.workers.memory URL MESSAGES
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.measure import Result, stay_on
from benchmarks.rivals.clients import SECRET

WARM_UP = 0.02
"""
The part of the list after which memory is first looked at.

By then all code is loaded and the allocator's arenas are there.
"""


def resident() -> float:
    """Memory of this process that is in RAM, in MB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS: Linux only")


async def stream(url: str, messages: int) -> Result:
    """
    Read a conversation of *messages* messages to its end, keeping none.

    Returns:
        messages: How many came.
        first_mb, last_mb: Memory after the warm-up and at the end.
        growth_mb: The most that it was above the first at any of 50 looks in between.
        cpu_us: CPU microseconds per message.
    """
    from talkjs_async import AsyncTalkJS, OwnBudgets, TokenBucket

    seen = 0
    first = most = 0.0
    begun = time.process_time()
    step = messages // 50
    limiter = TokenBucket(rate=1e6, burst=10**6)
    async with AsyncTalkJS("app", SECRET, base_url=url, budgets=OwnBudgets(limiter)) as client:
        async for _ in client.messages.list(str(messages)):
            seen += 1
            if seen % step == 0 and seen >= messages * WARM_UP:
                first = first or resident()
                most = max(most, resident())
    return {
        "messages": seen,
        "first_mb": first,
        "last_mb": resident(),
        "growth_mb": most - first,
        "cpu_us": (time.process_time() - begun) / seen * 1e6,
    }


if __name__ == "__main__":
    stay_on(0)
    print(json.dumps(asyncio.run(stream(sys.argv[1], int(sys.argv[2])))))
