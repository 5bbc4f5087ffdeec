"""What the first call of a process loads, it loads in a thread: the event loop goes on."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
import trustme

from talkjs_async._http.loading import load_backend
from tests.hostile.raw_server import RawServer, right

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


FORKED = """
import asyncio, os, signal, sys, threading, time
from talkjs_async import AsyncTalkJS

async def call():
    async with AsyncTalkJS("app", "sk_test_plain", base_url=sys.argv[1]) as talkjs:
        await talkjs.users.get("alice")

thread = threading.Thread(target=lambda: asyncio.run(call()))
thread.start()
time.sleep(float(sys.argv[2]))
child = os.fork()
if not child:
    signal.alarm(30)
    asyncio.run(call())
    os._exit(0)
thread.join()
print("child ended with", os.waitpid(child, 0)[1])
"""


@pytest.mark.harness
@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
@pytest.mark.parametrize("moment", [0.03, 0.08, 0.11, 0.14])
def test_a_fork_in_another_threads_first_call_cuts_no_import_in_two(
    tmp_path: Path, moment: float
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    with RawServer(right, tls=context) as server:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FORKED, server.url, str(moment)],
            env={**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")},
            capture_output=True,
            text=True,
            check=True,
        )

    assert "child ended with 0\n" == done.stdout


HALF_IMPORTED = """
import asyncio, sys, threading
from talkjs_async import AsyncTalkJS, ConnectFailed, RetryPolicy

begun, go_on = threading.Event(), threading.Event()

def stop_half_way(frame, event, argument):
    if event == "call" and frame.f_globals.get("__name__") == "trio._core":
        begun.set()
        go_on.wait(30)

def import_trio():
    sys.setprofile(stop_half_way)
    import trio

async def call():
    options = {"base_url": "http://127.0.0.1:1", "retry": RetryPolicy(attempts=1)}
    async with AsyncTalkJS("app", "sk_test_plain", **options) as talkjs:
        try:
            await talkjs.users.get("alice")
        except ConnectFailed:
            return "refused"

async def calls():
    asyncio.get_running_loop().call_later(0.3, go_on.set)
    print(set(await asyncio.gather(*[call() for _ in range(19)])))

threading.Thread(target=import_trio).start()
begun.wait(30)
asyncio.run(calls())
"""


def test_calls_begin_while_another_thread_imports_trio() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HALF_IMPORTED], capture_output=True, text=True, check=True
    )

    assert "{'refused'}\n" == done.stdout


@pytest.mark.anyio
async def test_what_is_loaded_is_not_waited_for() -> None:
    await anyio.lowlevel.checkpoint()
    loading = load_backend()

    with pytest.raises(StopIteration):
        loading.send(None)
