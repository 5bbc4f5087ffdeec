"""Connecting is bounded, and says where to, how long it took, and why it failed."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import anyio
import pytest

from talkjs_async import AsyncTalkJS, ConnectFailed, OwnBudgets, RetryPolicy, TokenBucket
from tests.fixtures import EngineName

pytestmark = pytest.mark.anyio


@pytest.fixture
def unreachable() -> Iterator[int]:
    """A port that swallows attempts to connect, as a host does that drops them."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        # Its queue is full when a further attempt is left without an answer.
        for _ in range(64):
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        else:
            pytest.skip("this system lets any number of connections wait")
        yield port


async def test_an_unreachable_host_is_given_up_and_named(
    unreachable: int, engine: EngineName
) -> None:
    limiter = TokenBucket()
    async with AsyncTalkJS(
        "app",
        "sk_test",
        base_url=f"http://127.0.0.1:{unreachable}",
        engine=engine,
        budgets=OwnBudgets(limiter),
        retry=RetryPolicy(attempts=2, base_delay=0.0),
        timeout=0.3,
        attempt_timeout=None,
    ) as talkjs:
        with anyio.fail_after(30), pytest.raises(ConnectFailed) as caught:
            await talkjs.notifications.send("c1", channels=["email"])

    assert f"no connection to 127.0.0.1:{unreachable} in 0." in str(caught.value)
    assert "nothing was sent" in str(caught.value)
    assert 0 == limiter.statistics().in_flight
    assert 600 == limiter.statistics().tokens


OUT_OF_FILES = """
import os, resource, sys
from importlib import import_module
from talkjs_async import AsyncTalkJS, ConnectFailed

async def main():
    async with AsyncTalkJS("app", "sk_test", base_url="http://127.0.0.1:1", retry=1) as talkjs:
        for attempt in range(2):
            try:
                await talkjs.users.get("alice")
            except ConnectFailed as error:
                print(error)
            # The first one has loaded all there is to load.
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1,) * 2)

library = import_module(sys.argv[1])
library.run(main() if sys.argv[1] == "asyncio" else main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_process_that_is_out_of_files_is_told_so(library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_FILES, library], capture_output=True, text=True, check=False
    )

    refused, out_of_files = done.stdout.splitlines() or [done.stderr, ""]
    assert "Connection refused" in refused
    assert "Too many open files" in out_of_files
