"""The benchmarks run, and their short run finds no regression: ratios only, no times."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LIMITER = ("drained", "served", "surprises", "restart", "lanes")
"""What does not depend on how fast the machine is."""


@pytest.fixture(autouse=True)
def from_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks are not a part of what is installed."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.benchmark
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("speed",), id="speed"),
        pytest.param(
            ("limiter", *(f"--section={each}" for each in LIMITER)),
            id="limiter",
        ),
        pytest.param(("versions",), id="versions"),
        pytest.param(("overflow",), id="overflow"),
        pytest.param(("emulator",), id="emulator"),
        pytest.param(("redis", "--section", "saturated"), id="redis"),
        pytest.param(("bulk", "--section", "users", "--section", "messages"), id="bulk in time"),
        pytest.param(("bulk", "--section", "export", "--section", "bad"), id="bulk both ways"),
    ],
)
def test_the_short_run_finds_no_regression(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "MISSED" not in done.stdout, done.stdout
    assert 0 == done.returncode, done.stdout + done.stderr


def test_a_name_that_is_no_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.__main__ import main

    assert 2 == main(["sped"])
    assert "speed" in capsys.readouterr().err


def test_a_ratio_is_taken_within_each_round() -> None:
    from benchmarks.measure import paired_ratio

    lines = [
        {"contender": name, "round": number, "us": us}
        for number, figures in enumerate([{"a": 1, "b": 2}, {"a": 10, "b": 20}, {"b": 7}])
        for name, us in figures.items()
    ]

    assert 2.0 == paired_ratio(lines, "b", "a", "us")
    assert math.isnan(paired_ratio(lines, "b", "c", "us"))


def test_what_was_not_measured_is_missed() -> None:
    from benchmarks.tables import Row, missed

    assert missed(Row("anything", 1.0, math.nan), smoke=False)


def test_a_short_run_allows_some_slack() -> None:
    from benchmarks.tables import Row, missed

    row = Row("anything", 1.0, 1.2, slack=1.5)

    assert [True, False] == [missed(row, smoke=False), missed(row, smoke=True)]


def test_the_server_counts_the_messages_of_a_list_down() -> None:
    from benchmarks.server import PAGE, answer

    path = b"GET /v1/app/conversations/%d/messages?limit=100" % (2 * PAGE)
    pages = [
        json.loads(answer(path + after + b" HTTP/1.1").partition(b"\r\n\r\n")[2])["data"]
        for after in (b"", b"&startingAfter=msg_%022d" % PAGE, b"&startingAfter=msg_%022d" % 0)
    ]

    numbers = [int(record["id"].removeprefix("msg_")) for page in pages for record in page]
    assert list(range(2 * PAGE - 1, -1, -1)) == numbers


@pytest.mark.benchmark
def test_the_figures_are_drawn_the_same_from_the_same_measurements(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.plots import main

    source = tmp_path / "speed.jsonl"
    calls = {"section": "calls", "contender": "talkjs-async", "cpu_us": 300.0}
    imports = {"section": "imports", "contender": "import talkjs_async", "cpu_ms": 9.0}
    lines = [calls | {"callers": callers} for callers in (1, 10)] + [imports]
    source.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    pictures = []
    for _ in range(2):
        assert 0 == main([str(source), str(tmp_path)])
        pictures.append([path.read_bytes() for path in sorted(tmp_path.glob("*.svg"))])

    assert 2 == len(pictures[0])
    assert pictures[0] == pictures[1]


def test_a_debt_is_the_deepest_of_a_bucket_that_refills() -> None:
    from benchmarks.redis import judge

    assert -2.0 == judge([0.0, 1.0], start=0.0, rate=1.0, burst=3)
    assert 1.0 == judge([0.0, 0.0, 5.0, 5.0, 5.0], start=0.0, rate=1.0, burst=2)


def test_unfairness_is_the_farthest_from_the_mean() -> None:
    from benchmarks.redis import spread

    assert [0.0, 50.0] == [spread([7, 7]), spread([5, 15])]
