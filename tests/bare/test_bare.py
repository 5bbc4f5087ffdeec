"""The wheel without any extra: the main job works, and what is missing is said in a sentence."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError
from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio


async def test_a_message_is_sent_and_read_back() -> None:
    emulator = Emulator()
    async with AsyncTalkJS(**emulator.options) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.conversations.upsert("c1", participants=["alice"])
        await talkjs.messages.send("c1", sender="alice", text="hello")

        messages = await talkjs.messages.list("c1").collect()

    assert ["hello"] == [message.text for message in messages]


@pytest.mark.parametrize("kept", ["client = ", ""])
def test_a_program_that_ends_with_open_clients_says_nothing(kept: str) -> None:
    program = f"""
from talkjs_async import AnonymousProjects, AsyncTalkJS
{kept}AsyncTalkJS("app", "sk_test_emulator", hooks=[print], overflow_to_batch=True)
others = [AnonymousProjects(), AsyncTalkJS("app", "sk_test_emulator").with_options(max_wait=1)]
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (0, "", "") == (ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.skipif(importlib.util.find_spec("httpx2") is not None, reason="httpx2 is installed")
def test_a_missing_engine_is_one_sentence_with_the_command_that_installs_it() -> None:
    with pytest.raises(ConfigurationError, match=r"pip install 'talkjs-async\[httpx2\]'"):
        AsyncTalkJS("app", "sk_test_emulator", engine="httpx2")


@pytest.mark.skipif(importlib.util.find_spec("uvicorn") is not None, reason="uvicorn is installed")
def test_the_emulator_over_tcp_says_what_it_needs() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "talkjs_async.emulator", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode != 0
    assert "pip install 'talkjs-async[emulator]'" in ran.stderr


@pytest.mark.skipif(importlib.util.find_spec("typer") is not None, reason="typer is installed")
def test_the_command_line_says_what_it_needs() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "talkjs_async", "doctor"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert 2 == ran.returncode
    assert "talkjs-async: needs typer and rich: pip install 'talkjs-async[cli]'\n" == ran.stderr
