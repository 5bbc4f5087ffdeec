"""What the first call of a process loads, it loads in a thread: the event loop goes on."""

from __future__ import annotations

import json
import subprocess
import sys

import anyio
import pytest

from talkjs_async._http.backend import load_backend

PROGRAM = """
import json, sys, threading
from importlib.abc import MetaPathFinder

threads = {}

class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        here = threading.current_thread() is threading.main_thread()
        threads[name] = "event loop" if here else "another"

from talkjs_async import AsyncTalkJS, ConnectFailed, RetryPolicy

async def main():
    # Nobody listens on port 1.
    options = {"base_url": "http://127.0.0.1:1", "retry": RetryPolicy(attempts=1)}
    async with AsyncTalkJS("app", "sk_test_plain", **options) as talkjs:
        try:
            await talkjs.users.get("alice")
        except ConnectFailed:
            print(json.dumps(threads))

import LIBRARY
sys.meta_path.insert(0, Watch())
LIBRARY.run(ARGUMENT)
"""


@pytest.mark.parametrize(("library", "argument"), [("asyncio", "main()"), ("trio", "main")])
def test_no_event_loop_waits_for_what_the_first_call_loads(library: str, argument: str) -> None:
    program = PROGRAM.replace("LIBRARY", library).replace("ARGUMENT", argument)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    threads = json.loads(done.stdout)
    slow = ("httpx", "httpcore", "jwt", f"anyio._backends._{library}")
    assert dict.fromkeys(slow, "another") == {name: threads.get(name) for name in slow}


@pytest.mark.anyio
async def test_what_is_loaded_is_not_waited_for() -> None:
    await anyio.lowlevel.checkpoint()
    loading = load_backend()

    with pytest.raises(StopIteration):
        loading.send(None)
