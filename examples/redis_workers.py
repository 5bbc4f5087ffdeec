"""
Three worker processes share one budget in Redis: `python examples/redis_workers.py`.

Needs a redis-server. Without the sharing, each process would believe that it has the app's requests
for itself, and TalkJS would refuse some.

    pip install 'talkjs-async[redis,emulator]'
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator, Limits, RealClock
from talkjs_async.redis import RedisBudgets

WORKERS = 3
CALLS = 50  # each; together they take a quarter of a minute at nine per second


async def work() -> None:
    budgets = RedisBudgets(os.environ["REDIS_URL"])
    async with AsyncTalkJS(budgets=budgets) as talkjs:
        await asyncio.gather(*(talkjs.app.get() for _ in range(CALLS)))
    await budgets.aclose()


def main() -> None:
    server = shutil.which("redis-server")
    if server is None:
        print("This example needs redis-server.")
        return
    # An app that has just used its burst up: none of them may take it for full.
    emulator = Emulator(clock=RealClock(), limits=Limits(initial_tokens=0))
    with tempfile.TemporaryDirectory() as directory, emulator.serve() as talkjs:
        socket = Path(directory) / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", directory]
        with subprocess.Popen([server, *options], stdout=subprocess.DEVNULL) as redis:
            environment = {
                **os.environ,
                "REDIS_URL": f"unix://{socket}",
                "TALKJS_BASE_URL": talkjs.base_url,
                "TALKJS_APP_ID": emulator.app_id,
                "TALKJS_SECRET_KEY": emulator.secret_key,
            }
            workers = [
                subprocess.Popen([sys.executable, __file__, "work"], env=environment)
                for _ in range(WORKERS)
            ]
            codes = [worker.wait() for worker in workers]
            redis.terminate()
    statuses = [exchange.status for exchange in emulator.requests]
    print(f"{statuses.count(200)} answered, {statuses.count(429)} refused, exit codes {codes}")


if "work" in sys.argv:
    asyncio.run(work())
elif __name__ == "__main__":
    main()
