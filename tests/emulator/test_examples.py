"""The sample projects: a bot and its tests, in Python and in node."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytestmark = pytest.mark.harness

EXAMPLES = Path(__file__).parents[2] / "examples"
PLUGIN = "talkjs_async.pytest_plugin"


def test_the_bot_s_own_tests_pass(tmp_path: Path) -> None:
    project = shutil.copytree(EXAMPLES / "bot", tmp_path / "bot")
    installed = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))
    # From a source tree whose entry points were not installed, it has to be named.
    named = [] if installed else ["-p", PLUGIN]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *named, "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert 0 == done.returncode, done.stdout
    assert "10 passed" in done.stdout
    assert not list(EXAMPLES.rglob("conftest.py"))


@pytest.mark.skipif(
    shutil.which("node") is None and not os.environ.get("CI"), reason="node is not installed"
)
def test_the_node_bot_s_own_tests_pass(tmp_path: Path) -> None:
    project = shutil.copytree(EXAMPLES / "bot-node", tmp_path / "bot-node")

    done = subprocess.run(
        ["node", "--test"],
        cwd=project,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert 0 == done.returncode, done.stdout
    assert "pass 4" in done.stdout
