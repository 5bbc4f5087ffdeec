from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from talkjs_async.cli._global_options import GlobalOptions

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


def test_a_person_is_asked_for_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    options = GlobalOptions(app_id="a", base_url=None, secret_file=None, json=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

    assert "sk_typed" == options.secret_key(ask=lambda _: " sk_typed ")
