"""
A job over 100,000 users, on a TalkJS that runs inside this process: no account, no network.

Run it with `python examples/bulk_sync.py`. Waiting for the budget costs no time here: the clock is
the emulator's. To talk to the real TalkJS, set TALKJS_APP_ID and TALKJS_SECRET_KEY and build the
client as `AsyncTalkJS()`.
"""

from collections.abc import Iterator
from typing import Any

import anyio

from talkjs_async import AsyncTalkJS, bulk
from talkjs_async.emulator import Emulator


def customers() -> Iterator[dict[str, Any]]:
    """As they come out of a database, one after the other."""
    for number in range(100_000):
        customer: dict[str, Any] = {
            "id": f"customer-{number}",
            "email": [f"customer-{number}@example.com"],
        }
        # Nobody knows the name of one of them, and TalkJS wants one.
        if number != 4_711:
            customer["name"] = f"Customer {number}"
        yield customer


async def main() -> None:
    emulator = Emulator()
    async with AsyncTalkJS(**emulator.options) as talkjs:
        job = bulk.upsert_users(talkjs, customers(), total=100_000)
        next_line = 0
        async with job:
            async for progress in job:
                if progress.through >= next_line:
                    next_line += 20_000
                    left = progress.eta or 0
                    print(f"{progress.through:>7,} of {progress.total:,}, {left:.0f} s left")

        report = job.report
        print(f"{report.done:,} stored with {report.requests:,} requests in {report.seconds:.0f} s")
        for record in report.records("failed"):
            print(f"{record.id}: {record.reason}")


anyio.run(main)
