"""
Which switches of emulators each test has read: a plugin, for `pytest -p tests.switch_reads`.

A test under another setting that has the same choices for all of these would see the same answers,
so `tests.pairwise` need not run it. A test that starts a process counts as one that reads them all.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from talkjs_async.emulator.switches import Switches

NAMES: Final = frozenset(Switches.choices())
READ: Final[set[str]] = set()
"""What the test that runs has read so far."""

_PROCESSES: Final = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec"})
_here: Final = threading.local()
_by_test: Final[dict[str, list[str]]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where to write what was read, and which tests to leave out."""
    parser.addoption("--switch-reads", type=Path, help="Write here what each test has read.")
    parser.addoption("--leave-out", type=Path, help="A JSON array of the tests not to run.")


def pytest_configure() -> None:
    """Notice every read, whoever makes the emulator."""
    made = Switches.from_environment

    def from_environment() -> Switches:
        # Makes a copy, which reads everything.
        _here.copies = True
        try:
            return made()
        finally:
            _here.copies = False

    def read(switches: Switches, name: str) -> Any:
        if name in NAMES and not getattr(_here, "copies", False):
            READ.add(name)
        return object.__getattribute__(switches, name)

    # For as long as the process is there.
    patch = pytest.MonkeyPatch()
    patch.setattr(Switches, "from_environment", from_environment)
    patch.setattr(Switches, "__getattribute__", read)
    sys.addaudithook(_notice_process)


def _notice_process(event: str, _: object) -> None:
    if event in _PROCESSES:
        READ.update(NAMES)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was asked for."""
    path = config.getoption("--leave-out")
    if path is None:
        return
    left_out = set(json.loads(path.read_text()))
    config.hook.pytest_deselected(items=[one for one in items if one.nodeid in left_out])
    items[:] = [one for one in items if one.nodeid not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, Any, Any]:
    """Begin anew with each test."""
    READ.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take what was read along, out of the process of a worker."""
    if call.when == "teardown":
        item.user_properties.append(("switches", sorted(READ)))
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect what the tests have read."""
    if report.when == "teardown":
        noted: dict[str, Any] = dict(report.user_properties)
        _by_test[report.nodeid] = noted.get("switches", sorted(NAMES))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write it, where the reports of all workers come together."""
    path = session.config.getoption("--switch-reads")
    if path is not None and not hasattr(session.config, "workerinput"):
        path.write_text(json.dumps(_by_test))
