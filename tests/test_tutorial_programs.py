"""Tutorials that build a program are followed: files, commands and outputs are as shown."""

from __future__ import annotations

import doctest
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer, directory_of_programs

# Real programs, one after the other: their start is what takes long.
pytestmark = pytest.mark.harness

PAGES = Path(__file__).parents[1] / "docs" / "tutorial"
BLOCK = re.compile(
    r"^```(?P<language>python|sql|sh)\n(?P<code>.*?)^```$(?:\n\n^```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
FILE_NAME = re.compile(r"\A(?:#|--) (\w+\.\w+)\n")
PROGRAMS = [*filter(None, [directory_of_programs()]), os.environ["PATH"]]
OUTPUT = doctest.OutputChecker()


class Reader:
    """
    Follows a page in an empty directory, in the environment that it sets.

    Args:
        directory: Where the page's files are written and its commands run.
        replaced: What is otherwise here than on the page, such as ports.
        environment: Variables besides those of this process.
    """

    def __init__(
        self, directory: Path, replaced: dict[str, str], environment: dict[str, str]
    ) -> None:
        self._directory = directory
        self._replaced = replaced
        self._environment = {
            **os.environ,
            # The page's reader has activated an environment, and has no trio.
            "PATH": os.pathsep.join(map(str, [Path(sys.executable).parent, *PROGRAMS])),
            "PYTEST_ADDOPTS": "-p no:cacheprovider -k 'not trio'",
            **environment,
        }
        self._exports = ""

    def follow(self, page: Path) -> int:
        """Do what the page says; return how many outputs were compared."""
        compared = 0
        with ExitStack() as servers:
            for block in BLOCK.finditer(page.read_text("utf-8")):
                code, output = self._here(block["code"]), block["output"]
                if block["language"] != "sh":
                    self._write(code)
                elif re.search(r"^(talkjs-async emulator|uvicorn) ", code, re.MULTILINE):
                    servers.enter_context(self._served(code))
                elif "pip install" not in code:
                    self._compare(code, output or "")
                    compared += output is not None
        return compared

    def _here(self, text: str) -> str:
        for shown, real in self._replaced.items():
            text = text.replace(shown, real)
        return text

    def _write(self, code: str) -> None:
        """Write a file, or more of it, whose name is in the first line."""
        found = FILE_NAME.match(code)
        assert found, code
        with (self._directory / found[1]).open("a", encoding="utf-8") as file:
            file.write(code[found.end() :] + "\n\n")

    @contextmanager
    def _served(self, code: str) -> Iterator[None]:
        """Run a server until the page has ended."""
        port = 8000 if "uvicorn" in code else 8080
        arguments = f" --port {self._here(str(port))}" if "uvicorn" in code else ""
        process = subprocess.Popen(
            ["bash", "-c", f"{self._exports}{self._kept(code)}".rstrip() + arguments],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for_port(int(self._here(str(port))), process)
            yield
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)

    def _kept(self, code: str) -> str:
        """Remember what is exported: the blocks of a page are typed into one shell."""
        self._exports += "".join(re.findall(r"^export .*\n", code, re.MULTILINE))
        return code

    def _compare(self, code: str, expected: str) -> None:
        """Run commands, again for a while if a webhook may still be under way."""
        deadline = time.monotonic() + 60
        again = f"{self._exports}{code.splitlines()[-1]}" if "/waiting" in code else None
        got = self._run(f"{self._exports}{self._kept(code)}")
        while not same(expected, got) and again is not None and time.monotonic() < deadline:
            kept = got.rpartition("\n")[0]
            got = "\n".join(filter(None, [kept, self._run(again)]))
        assert same(expected, got), f"{code}\n{got}"

    def _run(self, code: str) -> str:
        done = subprocess.run(
            ["bash", "-c", code],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if "pytest" in code else subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.stdout


def same(expected: str, got: str) -> bool:
    """Whether an output is the one that is shown, but for how long it took."""
    shown, here = (re.sub(r"(, \d+ deselected)? in [\d.]+s", "", each) for each in (expected, got))
    return OUTPUT.check_output(f"{shown.rstrip()}\n", f"{here.rstrip()}\n", doctest.ELLIPSIS)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


def free_ports() -> dict[str, str]:
    """Ports that are free, for those on the pages."""
    with ExitStack() as sockets:
        listening = [
            sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)
        ]
        numbers = [str(each.getsockname()[1]) for each in listening]
    return dict(zip(("8000", "8080"), numbers, strict=True))


def test_the_support_chat_is_built_tested_and_tried_as_shown(tmp_path: Path) -> None:
    compared = Reader(tmp_path, free_ports(), {}).follow(PAGES / "support-chat.md")

    assert 5 == compared


def test_the_nightly_sync_reads_a_real_postgresql_as_shown(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    _, _, folder = postgres_server.url.rpartition("host=")
    replaced = {
        **free_ports(),
        "postgresql+asyncpg://localhost/shop": f"'postgresql+asyncpg://tests@/shop?host={folder}'",
    }
    environment = {"PGHOST": folder, "PGUSER": "tests"}
    compared = Reader(tmp_path, replaced, environment).follow(PAGES / "nightly-sync.md")

    assert 5 == compared
