"""The table of `python -m tests.bulk`; its rows are run by tests of their own."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.bulk.__main__ import ROWS


@pytest.mark.parametrize("name", list(ROWS))
def test_a_row_runs_one_program_in_two_sizes(name: str) -> None:
    row = ROWS[name]

    assert row.short[0] == row.full[0]
    assert find_spec(row.full[0]) is not None
    assert row.short != row.full
