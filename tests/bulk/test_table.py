"""The table of `python -m tests.bulk`; its rows are run by tests of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bulk.__main__ import ROWS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", list(ROWS))
def test_a_row_runs_one_program_in_two_sizes(name: str) -> None:
    row = ROWS[name]
    program = ROOT.joinpath(*row.full[0].split("."))

    assert row.short[0] == row.full[0]
    assert program.with_suffix(".py").is_file() or program.joinpath("__main__.py").is_file()
    assert row.short != row.full


@pytest.mark.benchmark
@pytest.mark.parametrize("name", list(ROWS))
def test_a_title_says_the_size_that_is_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.bulk import FULL, SMOKE

    row = ROWS[name]

    for long, arguments in enumerate((row.short, row.full)):
        numbers = {f"{int(each):,}" for each in arguments if each.isdecimal()}
        size = SMOKE if "--smoke" in arguments else FULL
        numbers |= {f"{size.streamed:,}"} if "memory" in arguments else set()
        numbers |= {f"{size.records:,}"} if "cpu" in arguments else set()

        assert numbers
        assert numbers <= {*re.findall(r"[\d,]*\d", row.sizes[long])}
        assert row.sizes[long] in row.title(long=bool(long))
