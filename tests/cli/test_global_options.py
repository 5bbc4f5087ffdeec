from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from talkjs_async.cli._global_options import GlobalOptions

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


def test_a_person_is_asked_for_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    options = GlobalOptions(app_id="a", base_url=None, secret_file=None, json=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

    assert "sk_typed" == options.secret_key(ask=lambda _: " sk_typed ")


@pytest.mark.parametrize("option", ["--app-id", "--to-app-id", "--base-url", "--to-base-url"])
def test_an_option_that_is_given_empty_is_not_taken_from_elsewhere(
    command: Command, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv("TALKJS_TARGET_APP_ID", "emulator")
    monkeypatch.setenv("TALKJS_TARGET_SECRET_KEY", "sk_test_emulator")

    done = command("transfer", option, "")

    assert (2, "") == (done.code, done.out)
    assert f"talkjs-async: {'base_url' if 'url' in option else option}: " in done.err


def test_a_secret_file_may_begin_with_the_mark_of_an_editor(command: Command) -> None:
    Path("key").write_bytes(b"\xef\xbb\xbfsk_test_emulator\r\n")

    assert 0 == command("list", "users", "--secret-file", "key").code
