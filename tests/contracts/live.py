"""
Ask TalkJS itself: `python -m tests.contracts.live`, or `nox -s live`.

Makes an anonymous test project, runs the contract tests and the probes of the switches on it,
slower than TalkJS allows, and writes what was seen into the ledger, with the day. All it needs is
a network. With TALKJS_LIVE_APP_ID and TALKJS_LIVE_SECRET_KEY in the environment, it asks that app.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from talkjs_async import AnonymousProjects, TalkJSError
from talkjs_async.emulator.ledger import LedgerLine
from tests.contracts.ledger import LEDGER, brought_up_to_date, read, with_observations, written

Observations = dict[tuple[str, str], Any]

_ROOT = Path(__file__).parents[2]
_TESTS = ("test_contracts.py", "test_newer_facts.py", "test_probes.py")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code, which is that of the tests."""
    parser = argparse.ArgumentParser(prog="python -m tests.contracts.live", description=__doc__)
    parser.add_argument("--base-url", default="https://api.talkjs.com", help="another TalkJS")
    parser.add_argument("--rate", type=float, default=8.0, help="requests per second (8)")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="the file to write into")
    options, for_pytest = parser.parse_known_args(arguments)
    observed: Observations = {}
    try:
        app_id, secret_key = _app(options.base_url, observed)
    except TalkJSError as error:
        print(f"No test project could be made at {options.base_url}: {error}", file=sys.stderr)
        return 1
    with TemporaryDirectory() as folder:
        file = Path(folder) / "observations.json"
        environment = {
            "TALKJS_LIVE_APP_ID": app_id,
            "TALKJS_LIVE_SECRET_KEY": secret_key,
            "TALKJS_LIVE_BASE_URL": options.base_url,
            "TALKJS_LIVE_OBSERVATIONS": str(file),
            "TALKJS_LIVE_RATE": str(options.rate),
        }
        tests = [str(Path(__file__).with_name(name)) for name in _TESTS]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "live", *tests, *for_pytest],
            cwd=_ROOT,
            env=os.environ | environment,
            check=False,
        )
        if file.exists():
            observed |= {(kind, name): seen for kind, name, seen in json.loads(file.read_text())}
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = with_observations(brought_up_to_date(read(options.ledger)), observed, day)
    options.ledger.write_text(written(lines))
    print(_report(lines, observed))
    return done.returncode


def _app(base_url: str, observed: Observations) -> tuple[str, str]:
    """The credentials in the environment, or those of a new anonymous project."""
    if "TALKJS_LIVE_APP_ID" in os.environ:
        return os.environ["TALKJS_LIVE_APP_ID"], os.environ["TALKJS_LIVE_SECRET_KEY"]

    async def make() -> tuple[str, str]:
        async with AnonymousProjects(base_url=base_url) as anonymous:
            made = await anonymous.create()
            observed["route", "anonymous.create"] = True
            assert made.access_token is not None
            project = await anonymous.get(made.access_token)
            observed["route", "anonymous.get"] = True
        assert project.secret_key is not None
        return project.app_id, project.secret_key

    return anyio.run(make)


def _report(lines: Iterable[LedgerLine], observed: Observations) -> str:
    """Say what was seen, and what is otherwise than the emulator has it."""
    seen = [line for line in lines if (line.kind, line.name) in observed]
    otherwise = [line for line in seen if line.live and line.live.answer != line.expected]
    said = [f"{len(seen)} behaviours seen, {len(otherwise)} of them otherwise than the emulator's."]
    said += [f"  {line.kind} {line.name}: {line.known}" for line in otherwise]
    return "\n".join(said)


if __name__ == "__main__":
    raise SystemExit(main())
