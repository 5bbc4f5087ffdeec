"""The typing file is proven by both checkers, and leaves out no public method."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from talkjs_async import AnonymousProjects, AsyncTalkJS, Records, Webhooks, bulk
from talkjs_async._core.endpoint import Resource
from talkjs_async.identity import Tokens

FILE = Path(__file__).with_name("api.py")
ROOT = FILE.parents[2]


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def stated() -> set[str]:
    """Every dotted name in the file, such as `talkjs.users.get`."""
    nodes = ast.walk(ast.parse(FILE.read_text()))
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}


def test_every_public_method_is_in_the_typing_file() -> None:
    talkjs = AsyncTalkJS("app", "sk_test_typing")
    resources = {name for name in public(talkjs) if isinstance(getattr(talkjs, name), Resource)}

    expected = {f"talkjs.{name}" for name in public(AsyncTalkJS)}
    expected |= {
        f"talkjs.{resource}.{name}"
        for resource in resources
        for name in public(getattr(talkjs, resource))
    }
    expected |= {f"talkjs.tokens.{name}" for name in public(Tokens)}
    expected |= {f"webhooks.{name}" for name in public(Webhooks)}
    expected |= {f"records.{name}" for name in public(Records)}
    expected |= {f"anonymous.{name}" for name in public(AnonymousProjects)}
    expected |= {f"bulk.{name}" for name in bulk.__all__ if name.islower()}

    assert set() == expected - stated()


@pytest.mark.parametrize("checker", [["mypy", "--strict"], ["pyright"]], ids=["mypy", "pyright"])
def test_the_checkers_infer_what_the_file_states(checker: list[str]) -> None:
    if find_spec(checker[0]) is None:
        pytest.skip(f"{checker[0]} is not installed here: the session 'types' runs it on this file")

    done = subprocess.run(
        [sys.executable, "-m", *checker, str(FILE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
