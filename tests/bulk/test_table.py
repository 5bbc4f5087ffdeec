"""The table of `python -m tests.bulk`; its rows are run by tests of their own."""

from __future__ import annotations

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
