"""Pages that are read from top to bottom run so, against a TalkJS, and print what they show."""

from __future__ import annotations

import ast
import atexit
import inspect
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator, Limits, RealClock

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [
    "index.md",
    "how-to/api-versions.md",
    "how-to/batch.md",
    "how-to/errors.md",
    "how-to/files.md",
    "how-to/keys.md",
    "how-to/lists.md",
    "how-to/messages.md",
    "how-to/records.md",
    "how-to/support.md",
    "how-to/sync-code.md",
    "how-to/timeouts.md",
    "how-to/trio.md",
    "how-to/user-token.md",
    "tutorial/from-sendbird.md",
    "tutorial/going-live.md",
]
BLOCK = re.compile(
    r"^(?P<indent> *)```python\n(?P<code>.*?)^ *```$(?:\n\n *```text\n(?P<output>.*?)^ *```$)?",
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """An app with three users and a conversation, which the environment points to."""
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    anyio.run(fill, emulator)
    monkeypatch.chdir(tmp_path)
    with emulator.serve() as server:
        monkeypatch.setenv("TALKJS_BASE_URL", server.base_url)
        monkeypatch.setenv("TALKJS_APP_ID", emulator.app_id)
        monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)
        yield emulator


async def fill(emulator: Emulator) -> None:
    async with AsyncTalkJS(**emulator.options) as talkjs:
        for user_id in ("alice", "bob", "shop"):
            await talkjs.users.upsert(user_id, name=user_id.title())
        await talkjs.conversations.upsert("order-7", participants=["alice", "bob", "shop"])
        for number in range(3):
            await talkjs.messages.send("order-7", sender="alice", text=f"Question {number}")


def blocks(page: str) -> list[tuple[str, str]]:
    """The Python of a page, with the output that is shown below each block."""
    found = BLOCK.finditer((DOCS / page).read_text("utf-8"))
    return [(textwrap.dedent(each["code"]), each["output"] or "") for each in found]


async def close_clients(names: dict[str, Any]) -> None:
    for value in names.values():
        if isinstance(value, AsyncTalkJS):
            await value.aclose()
    if "close" in names:
        close_loop(names)


def close_loop(names: dict[str, Any]) -> None:
    """Do what the program of the page does when its process ends."""
    atexit.unregister(names["close"])
    names["close"]()
    loop = names["loop"]()
    loop.call_soon_threadsafe(loop.stop)
    # The thread that runs it is the page's own.
    while loop.is_running():
        time.sleep(0.001)
    loop.close()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_page_runs_from_top_to_bottom_and_prints_what_it_shows(
    served: Emulator, capsys: pytest.CaptureFixture[str], page: str
) -> None:
    names: dict[str, Any] = {"__name__": "page"}

    for code, output in blocks(page):
        done = eval(compile(code, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.isawaitable(done):
            await done
        assert textwrap.dedent(output) == capsys.readouterr().out, code
    await close_clients(names)


@pytest.mark.parametrize(
    ("expected", "call"),
    [((200, "Question 2"), "order-7"), ((404, "There is no such conversation."), "nowhere")],
)
def test_a_view_of_django_gets_the_last_words(
    served: Emulator, expected: tuple[int, str], call: str
) -> None:
    names: dict[str, Any] = {}
    for code, _ in [blocks("how-to/sync-code.md")[number] for number in (0, 2)]:
        exec(code, names)

    assert expected == names["last_words"](call)
    close_loop(names)


FORKS = """
wait_for(client().users.upsert, "alice", name="Alice")
for calls in (True, False):
    child = os.fork()
    if calls:
        print(wait_for(client().users.get, "alice").name, flush=True)
    if not child:
        break
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_children_of_synchronous_code_call_and_end_as_their_parent_does(served: Emulator) -> None:
    (code, _) = blocks("how-to/sync-code.md")[0]

    # The children end by themselves, as a worker of gunicorn does, and not by `os._exit`.
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code + FORKS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ("Alice\nAlice\n0\n0\n", "", 0) == (done.stdout, done.stderr, done.returncode)


def test_the_program_for_trio_runs_on_trio(served: Emulator) -> None:
    names: dict[str, Any] = {}
    (code, _) = blocks("how-to/trio.md")[0]
    exec(code, names)

    names["trio"].run(names["main"])

    assert 2 == len(served.requests.find("GET /users/*"))
