"""A real PostgreSQL for tests, on a socket that only the tests see."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any


def directory_of_programs() -> Path | None:
    """Find PostgreSQL's programs; Debian keeps them off the path. None: it is not installed."""
    on_path = shutil.which("initdb")
    found = [] if on_path is None else [Path(on_path).resolve()]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class PostgresServer:
    """
    One process of PostgreSQL with an empty database.

    Attributes:
        url: Where it is, for SQLAlchemy with asyncpg.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        if os.getuid() == 0:
            # It refuses to run as root.
            known = {entry.pw_name for entry in pwd.getpwall()}
            user = "postgres" if "postgres" in known else "nobody"
            shutil.chown(folder, user)
            self._as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        self.url = f"postgresql+asyncpg://tests@/postgres?host={folder}"

    def start(self) -> None:
        """Make its files, start it and wait until it answers."""
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "-N")
        command = [str(self._programs / "postgres"), "-D", data, "-k", str(self._folder)]
        self._process = subprocess.Popen(
            [*command, "-c", "listen_addresses=", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            **self._as_user,
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, "postgres ended"
            assert time.monotonic() < deadline, "postgres does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-h", str(self._folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            capture_output=True,
            cwd=self._folder,
            **self._as_user,
        )
