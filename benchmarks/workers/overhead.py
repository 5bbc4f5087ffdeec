"""
Worker: what an SDK costs by itself, on a transport that answers at once.

    python -m benchmarks.workers.overhead CONTENDER CALLS
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

from benchmarks.measure import Result, stay_on
from benchmarks.rivals.clients import CONTENDERS
from benchmarks.server import answer


def wire(library: str) -> Any:
    """A transport of httpx or httpx2 without any network."""
    module: Any = import_module(library)

    class Transport(module.AsyncBaseTransport):  # type: ignore[misc]  # one of two libraries
        async def handle_async_request(self, request: Any) -> Any:
            body = answer(b"GET %s " % request.url.raw_path).partition(b"\r\n\r\n")[2]
            length = (b"content-length", str(len(body)).encode())
            return module.Response(
                200, headers=[(b"content-type", b"application/json"), length], content=body
            )

    return Transport()


async def measure(name: str, calls: int) -> Result:
    """
    Make *calls* calls, one after the other.

    Returns:
        cpu_us: CPU microseconds per call.
        garbage: Blocks of memory per call that stay until the garbage collector comes by. Counted
            with the collector off.
        cyclic: Objects per call that only the collector can free.
    """
    async with AsyncExitStack() as stack:
        call = await CONTENDERS[name].open(stack, "http://server", wire)
        for _ in range(calls // 5 + 10):
            await call()
        gc.collect()
        begun = time.process_time()
        for _ in range(calls):
            await call()
        cpu = time.process_time() - begun

        gc.collect()
        gc.disable()
        counted = min(calls, 500)
        blocks = sys.getallocatedblocks()
        for _ in range(counted):
            await call()
        blocks = sys.getallocatedblocks() - blocks
        unreachable = gc.collect()
        gc.enable()
    return {
        "cpu_us": cpu / calls * 1e6,
        "garbage": blocks / counted,
        "cyclic": unreachable / counted,
    }


if __name__ == "__main__":
    stay_on(0)
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2])))))
