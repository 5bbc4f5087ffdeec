"""The benchmarks run, find no regression (ratios only, no times), and are named beside figures."""

from __future__ import annotations

import json
import math
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

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


COMMAND = re.compile(r"python -m benchmarks (\w+)((?: --section \w+)*)")
MEASURED = re.compile(r"\d (?:us|ms|MB|x|µs)\b|\d calls? per second\b|^\|.*\d %", re.MULTILINE)
PAGES = {
    path.relative_to(ROOT).as_posix(): re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}


def test_a_page_with_a_measured_figure_names_the_command_that_measures_it() -> None:
    measured = [path for path, text in PAGES.items() if MEASURED.search(text)]

    assert "docs/explanation/budget.md" in measured
    assert [] == [
        path
        for path in measured
        if not COMMAND.search(PAGES[path]) and "nox -s speed" not in (ROOT / path).read_text()
    ]


def test_every_benchmark_on_a_page_exists_with_its_sections() -> None:
    from benchmarks.__main__ import NAMES

    named = {(found[1], found[2]) for text in PAGES.values() for found in COMMAND.finditer(text)}
    sections = {
        (name, section) for name, given in named for section in given.split() if section[0] != "-"
    }

    assert sections
    assert {name for name, _ in named} <= {*NAMES, "plots"}
    assert [] == [
        (name, section)
        for name, section in sections
        if f"def {section}(" not in (ROOT / "benchmarks" / f"{name}.py").read_text()
    ]


def saved() -> list[dict[str, Any]]:
    """The measurements behind the page of speed."""
    (file,) = (ROOT / "benchmarks" / "results").glob("*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the page of speed."""
    text = PAGES["docs/explanation/speed.md"].partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_calls_shows_what_was_measured() -> None:
    measured: dict[tuple[str, int], list[float]] = {}
    for line in saved():
        if line.get("section") == "calls":
            measured.setdefault((line["contender"], line["callers"]), []).append(line["cpu_us"])

    for contender, *cells in rows("Against others"):
        name = re.sub(r" \d.*|, own session.*|[*`]", "", contender)
        for callers, cell in zip((1, 10, 100, 600), cells, strict=True):
            if cell:
                shown = int(cell.partition(" ")[0])
                assert round(statistics.median(measured[name, callers])) == shown, (name, callers)


def test_every_figure_beside_a_promise_was_measured() -> None:
    figures = [line["figure"] for line in saved() if "figure" in line]
    shown = [
        number
        for _, _, cell, _ in rows("What is promised, and what was measured")
        for number in re.findall(r"\d[\d.]*", cell)
    ]

    assert 16 < len(shown)
    assert [] == [
        number
        for number in shown
        if all(f"{each:.{len(number.partition('.')[2])}f}" != number for each in figures)
    ]
