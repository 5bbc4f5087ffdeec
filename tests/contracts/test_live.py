"""The command that asks TalkJS itself, proven on an emulator over TCP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from talkjs_async.emulator import Emulator, Limits, RealClock
from talkjs_async.emulator.ledger import LedgerLine
from tests.contracts.ledger import declared, read, written
from tests.contracts.probes import CANNOT_BE_PROBED, PROBES

pytestmark = pytest.mark.harness

ROOT = Path(__file__).parents[2]

# What no live run does: these reach people, or change the app itself.
NOT_ASKED = {"app.update", "notifications.send"}


@pytest.fixture
def emulator() -> Emulator:
    """What stands for TalkJS here; its anonymous projects have the budget of any app."""
    return Emulator(clock=RealClock())


@pytest.fixture
def base_url(emulator: Emulator) -> Iterator[str]:
    """Where it listens."""
    with emulator.serve() as server:
        yield server.base_url


def run(base_url: str, ledger: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    without = ("TALKJS_LIVE_APP_ID", "TALKJS_LIVE_SECRET_KEY")
    return subprocess.run(
        [
            *(sys.executable, "-m", "tests.contracts.live", "--base-url", base_url),
            *("--ledger", str(ledger), "-q", *arguments),
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in without},
        capture_output=True,
        text=True,
        check=False,
    )


def lines_in(ledger: Path) -> dict[tuple[str, str], LedgerLine]:
    return {(line.kind, line.name): line for line in read(ledger)}


def test_a_run_writes_what_it_has_seen_of_every_behaviour(
    emulator: Emulator, base_url: str, tmp_path: Path
) -> None:
    emulator.limits = Limits.off()
    emulator.switches.set("delete_unknown", "ok")
    ledger = tmp_path / "ledger.jsonl"

    done = run(base_url, ledger, "--rate", "1000")

    assert 0 == done.returncode, done.stdout[-5_000:] + done.stderr[-2_000:]
    lines = lines_in(ledger)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert {today} == {line.live.on for line in lines.values() if line.live is not None}
    not_seen = {name for (kind, name), line in lines.items() if kind == "route" and not line.live}
    assert NOT_ASKED == not_seen
    for name in PROBES:
        assert (name, str(getattr(emulator.switches, name))) == (
            name,
            str(getattr(lines["switch", name].live, "answer", None)),
        )
    assert all(lines["switch", name].live is None for name in CANNOT_BE_PROBED)
    # The one fact that this TalkJS does not keep; the summary names it, and the switch.
    wrong = [line.name for line in lines.values() if line.live and line.live.answer is False]
    assert ["delete_unknown_is_not_found"] == wrong
    assert "switch delete_unknown: TalkJS: ok" in done.stdout
    assert f"fact delete_unknown_is_not_found: not so, seen live on {today}" in done.stdout


def test_a_run_asks_no_more_than_eight_times_a_second(
    emulator: Emulator, base_url: str, tmp_path: Path
) -> None:
    done = run(base_url, tmp_path / "ledger.jsonl", "-k", "reactions or presences or read_marks")

    assert 0 == done.returncode, done.stdout[-5_000:] + done.stderr[-2_000:]
    times = [one.at for one in emulator.requests if "anonymousAccounts" not in one.path]
    assert len(times) > 20
    # They leave an eighth of a second apart at least; on the way they may come closer together.
    assert times[-1] - times[0] >= (len(times) - 1) / 8 - 0.1


def test_what_a_run_has_not_looked_at_stays_as_it_was(base_url: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(written(declared()))

    done = run(base_url, ledger, "-k", "test_the_app_says_its_id")

    assert 0 == done.returncode, done.stdout + done.stderr
    seen = {name for name, line in lines_in(ledger).items() if line.live is not None}
    assert {
        ("route", "anonymous.create"),
        ("route", "anonymous.get"),
        ("route", "app.get"),
        ("fact", "app_id"),
    } == seen


def test_where_no_project_can_be_made_it_says_so(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"

    done = run("http://127.0.0.1:9", ledger)

    assert 1 == done.returncode
    assert done.stderr.startswith("No test project could be made at http://127.0.0.1:9: ")
    assert not ledger.exists()
