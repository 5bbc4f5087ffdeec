"""Clients in other languages drive the emulator: it is TalkJS to them as well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from talkjs_async.emulator import Emulator, RealClock, Switches

FOREIGN = Path(__file__).with_name("foreign")
JSONWEBTOKEN = "jsonwebtoken@9.0.2"


def give_up(reason: str) -> NoReturn:
    """Skip at home; in CI, a test that cannot run is a test that fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            give_up(f"{program} is not installed")


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.fixture
def emulator() -> Emulator:
    """An emulator on the machine's time: foreign clients know no other."""
    return Emulator(clock=RealClock())


@pytest.fixture
def credentials(emulator: Emulator) -> Iterator[tuple[str, str, str]]:
    """What every client is given: base URL, app ID and secret key."""
    with emulator.serve() as server:
        yield server.base_url, emulator.app_id, emulator.secret_key


@pytest.fixture(scope="module")
def node_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the client and its one dependency, from npm."""
    need("node", "npm")
    project = tmp_path_factory.mktemp("node")
    shutil.copy(FOREIGN / "client.mjs", project)
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-save", JSONWEBTOKEN],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        give_up(f"npm cannot install {JSONWEBTOKEN}: {installed.stderr[-300:]}")
    return project


def test_node_is_let_in_and_kept_out(
    node_project: Path, credentials: tuple[str, str, str], emulator: Emulator
) -> None:
    tried = json.loads(run("node", "client.mjs", *credentials, cwd=node_project))

    assert {
        "a fresh token": 200,
        "the secret key": 200,
        "expired": 401,
        "not yet valid": 401,
        "wrong issuer": 401,
        "wrong type": 401,
        "no type": 401,
        "wrong secret": 401,
        "another algorithm": 401,
        "alg none": 401,
        "tampered": 401,
        "no header": 401,
        "PUT /users/alice/🙂": 200,
        "PUT /conversations/chat": 200,
        "POST /conversations/chat/messages": 200,
        "GET /conversations/chat/messages": 200,
        "the text that was sent": "hi",
    } == tried
    assert ["alice/🙂"] == [commit.user_id for commit in emulator.commits.of("user.created")]


def test_node_copies_an_app_by_the_newest_calls() -> None:
    need("node")
    # By the defaults, whatever a run under other settings has: this client knows one of each.
    emulator = Emulator(clock=RealClock(), switches=Switches())

    with emulator.serve() as server:
        credentials = (server.base_url, emulator.app_id, emulator.secret_key)
        seen = json.loads(run("node", "transfer.mjs", *credentials, cwd=FOREIGN))

    source = seen["source"]
    assert source == seen["target"]
    assert [404, "Not found.", None] == seen["unknownApp"]
    assert [404, "Not found", "application/json; charset=utf-8"] == seen["unknownPath"]
    assert [None, None, None, None, 0] == seen["fresh"]
    assert (100, 100) == (seen["imported"], len(source["messages"]))
    assert 100 == len(messages_of(emulator, emulator.app_id))
    assert 100 == sum(len(messages_of(emulator, one)) for one in emulator.apps) - 100
    assert ["SystemMessage", "UserMessage"] == sorted({one["type"] for one in source["messages"]})
    assert {"text", "location", "file"} == {one["block"]["type"] for one in source["messages"]}
    assert list(range(99, -1, -1)) == [
        one["createdAt"] - 1_558_096_200_000 for one in source["messages"]
    ]
    assert "Plan ü.pdf" == source["messages"][-3]["block"]["filename"]
    assert ["alice", "bob"] == source["reactors"]
    # Eve, whose access is None, is not shown, and so is not copied.
    assert [
        ["alice", "ReadWrite", True, None, "number"],
        ["bob", "ReadWrite", True, 1_558_096_200_050, "number"],
    ] == source["people"]


def messages_of(emulator: Emulator, app_id: str) -> list[str]:
    chats = emulator.apps[app_id].conversations.values()
    return [message.id for chat in chats for message in chat.messages.walk(descending=True)]


def test_curl_is_let_in_and_kept_out(credentials: tuple[str, str, str], emulator: Emulator) -> None:
    need("curl", "openssl", "sh")

    lines = run("sh", str(FOREIGN / "client.sh"), *credentials, cwd=FOREIGN).splitlines()

    assert [
        "200 a fresh token",
        "200 the secret key",
        "401 expired",
        "401 wrong issuer",
        "401 wrong type",
        "401 wrong secret",
        "401 alg none",
        "401 alg none, signed",
        "200 a user is stored",
        "200 a file is uploaded",
    ] == lines
    [file] = emulator.apps[emulator.app_id].files.values()
    assert (FOREIGN / "client.sh").read_bytes() == file.content
