"""The command line on a real terminal, and beside one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.bulk import export
from talkjs_async.emulator import Emulator

if sys.platform == "win32":
    pytest.skip("terminals of Unix", allow_module_level=True)

import pty

pytestmark = pytest.mark.harness

Start = Callable[..., "subprocess.Popen[bytes]"]
Terminal = Callable[..., "Screen"]

SYNC = ("users", "upsert", "users.csv")

IN_TERMINAL = "import os, sys; os.login_tty(0); os.execv(sys.executable, sys.orig_argv[4:])"
"""Makes the standard input the terminal of the process, which then becomes the command."""


class Screen:
    """A terminal with a command in it."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self._process = process
        self._end = end
        self.shown = ""

    def wait_for(self, words: str) -> None:
        """Read on until some words are shown."""
        while words not in self.shown:
            assert self._read(), self.shown

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._end, text.encode())

    def wait(self) -> int:
        """Read to the end; return the exit code."""
        while self._read():
            """Go on."""
        return self._process.wait(timeout=60)

    def _read(self) -> bool:
        try:
            data = os.read(self._end, 65_536)
        except OSError:
            # Linux says so when the other side is closed.
            return False
        self.shown += data.decode(errors="replace")
        return data != b""


@pytest.fixture
def terminal(base_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Start the command line in a terminal of its own."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    started: list[tuple[subprocess.Popen[bytes], int]] = []

    def start_it(*arguments: str) -> Screen:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-c", IN_TERMINAL, "--", sys.executable, "-m", "talkjs_async"]
        process = subprocess.Popen([*command, *arguments], stdin=theirs)
        os.close(theirs)
        started.append((process, ours))
        return Screen(process, ours)

    yield start_it
    for process, end in started:
        process.kill()
        process.wait()
        os.close(end)


def users(count: int) -> None:
    rows = (f"u{n},User {n}\n" for n in range(count))
    Path("users.csv").write_text("id,name\n" + "".join(rows))


def test_a_terminal_sees_a_bar_that_goes_away(terminal: Terminal) -> None:
    users(3_000)

    screen = terminal(*SYNC)
    code = screen.wait()

    assert 0 == code
    bar, _, rest = screen.shown.rpartition("\x1b[2K")
    assert "━" in bar
    assert "of 3,000" in bar
    assert "users upsert users.csv: 3,000 done; 30 requests" in rest


def test_a_pipe_gets_no_control_codes(start: Start) -> None:
    users(3_000)

    piped = start(*SYNC, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = piped.communicate(timeout=60)

    assert (0, b"") == (piped.returncode, err)
    assert out.startswith(b"users upsert users.csv: 3,000 done; 30 requests")
    assert out.endswith(b"\n")
    assert b"\x1b" not in out
    assert b"\r" not in out


def test_ctrl_c_stops_and_the_same_command_goes_on(terminal: Terminal, emulator: Emulator) -> None:
    # More than the budget lets go at once.
    Path("chats.csv").write_text("id\n" + "".join(f"c{n}\n" for n in range(1_000)))
    arguments = ("conversations", "upsert", "chats.csv", "--no-overflow")

    screen = terminal(*arguments)
    screen.wait_for(" of 1,000, ")
    screen.type("\x03")
    code = screen.wait()
    again = terminal(*arguments)
    second = again.wait()

    assert 130 == code
    assert "Stopping: what was sent is being finished." in screen.shown
    assert "To go on where it was, run the same command again:" in screen.shown
    assert "  talkjs-async conversations upsert chats.csv --no-overflow" in screen.shown
    assert 0 == second
    assert "conversations upsert chats.csv: 1,000 done" in again.shown
    assert 1_000 == len(emulator.commits.of("conversation.created"))


def test_the_key_is_asked_for_and_not_shown(
    terminal: Terminal, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALKJS_SECRET_KEY")

    screen = terminal("doctor")
    screen.wait_for("Secret key (TalkJS dashboard, Settings): ")
    screen.type(f"{emulator.secret_key}\n")

    assert 0 == screen.wait()
    assert emulator.secret_key not in screen.shown
    assert "ok       credentials" in screen.shown


def test_a_person_may_change_their_mind(terminal: Terminal, emulator: Emulator) -> None:
    screen = terminal("anonymise", "alice")
    screen.wait_for("Overwrite everything of 'alice' for good? [y/N]: ")
    screen.type("n\n")

    assert 1 == screen.wait()
    assert 0 == len(emulator.requests)


@pytest.fixture
async def backup(base_url: str, tmp_path: Path) -> None:
    """An export of the app, in which there are two users."""
    async with AsyncTalkJS() as talkjs:
        for user_id in ("alice", "bob"):
            await talkjs.users.upsert(user_id, name=user_id)
        await export(talkjs, tmp_path / "backup")


@pytest.mark.anyio
@pytest.mark.usefixtures("backup")
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
async def test_a_terminal_is_asked_before_a_restore_into_an_app_with_data(
    terminal: Terminal, emulator: Emulator, answer: str, code: int
) -> None:
    screen = terminal("restore", "backup")
    before = len(emulator.commits)

    await anyio.to_thread.run_sync(screen.wait_for, "Restore into it all the same? [y/N]:")
    screen.type(f"{answer}\n")

    assert code == await anyio.to_thread.run_sync(screen.wait)
    assert "the app emulator (it is the one that was exported) has users already" in " ".join(
        screen.shown.split()
    )
    assert (code == 0) == (len(emulator.commits) > before)


@pytest.mark.anyio
@pytest.mark.usefixtures("backup")
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["plain", "json"])
async def test_beside_a_terminal_such_a_restore_is_refused_with_the_option_that_it_needs(
    start: Start, options: tuple[str, ...]
) -> None:
    process = start("restore", "backup", *options, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)

    _, told = await anyio.to_thread.run_sync(process.communicate)

    assert 2 == process.returncode
    assert b"--into-existing" in told
