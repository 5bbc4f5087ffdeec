"""
A virtual environment for each rival, so that none gets what another one brings.

Made by uv, from whatever index it is configured for. What cannot be installed is reported as
missing and measured by nobody.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.measure import ROOT, versions

REQUIREMENTS: dict[str, list[str]] = {
    "base": [str(ROOT)],
    "extras": [str(ROOT), "httpx2", "aiohttp", "orjson", "pydantic", "cattrs"],
    "httpx": ["httpx"],
    "openai": ["openai"],
    "stripe": ["stripe", "httpx"],
    "slack_sdk": ["slack_sdk", "aiohttp"],
    "stream-chat": ["stream-chat"],
    "getstream": ["getstream"],
    # 0.16.1 does not import with the hishel 2 that it asks for (seen 2026-11-22).
    "githubkit": ["githubkit", "hishel<2"],
}
"""What each environment holds. "httpx" is there for its import and its size alone."""


def is_here(distribution: str) -> bool:
    """Whether the interpreter that runs this can import a rival."""
    return find_spec(distribution.replace("-py", "").replace("-", "_")) is not None


class Environments:
    """
    The interpreters to measure with.

    Args:
        folder: Where to make the environments. Those of rivals that are there are used again, ours
            are made anew. None: make none, and use this very interpreter for everything.

    Attributes:
        missing: Why an environment cannot be had.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._ready: set[str] = set()
        self.missing: dict[str, str] = {}

    def python(self, name: str) -> str | None:
        """The interpreter of an environment, which is made if need be. None: see `missing`."""
        if self._folder is None:
            return sys.executable
        home = self._folder / name
        if name not in self._ready and name not in self.missing:
            try:
                _make(home, REQUIREMENTS[name])
                self._ready.add(name)
            except (OSError, subprocess.CalledProcessError) as error:
                said = str(getattr(error, "stderr", "") or error)
                self.missing[name] = said.strip().splitlines()[-1]
        return None if name in self.missing else str(home / "bin" / "python")

    def needed(self, name: str) -> str:
        """The same, for benchmarks that can do nothing without it."""
        python = self.python(name)
        if python is None:
            raise SystemExit(f"missing: {name}: {self.missing[name]}")
        return python

    def site_packages(self, name: str) -> Path | None:
        """Where an environment keeps its packages. None: it is not one of ours."""
        if self._folder is None or self.python(name) is None:
            return None
        return next((self._folder / name).glob("lib/python*/site-packages"))

    def versions(self) -> dict[str, str]:
        """What was installed."""
        found: dict[str, str] = {}
        for name in self._ready:
            found |= versions([str(self.site_packages(name))])
        return found


def _make(home: Path, requirements: list[str]) -> None:
    complete = home / "complete"
    if complete.exists() and str(ROOT) not in requirements:
        return
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    uv = [sys.executable, "-m", "uv"]
    install = ["pip", "install", "--quiet", "--compile-bytecode"]
    for command in (
        [*uv, "venv", "--quiet", "--python", sys.executable, str(home)],
        # Our wheel is built from the source as it is now, whatever uv has in its cache.
        [
            *(*uv, *install, "--python", str(home / "bin" / "python")),
            *("--reinstall-package", "talkjs-async", *requirements),
        ],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True)
    complete.touch()
