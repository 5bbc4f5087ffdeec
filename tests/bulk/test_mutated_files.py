"""A short run of damaged files; the long one is `python -m tests.bulk.mutated_files 10000`."""

from __future__ import annotations

import random

import pytest

from tests.bulk import mutated_files, second_reader

pytestmark = pytest.mark.harness


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_damaged_files_store_what_they_hold_and_nothing_else() -> None:
    findings = await mutated_files.run(300, seed=7)

    assert set(mutated_files.FORMATS) == set(findings)
    for name, found in findings.items():
        assert ([], []) == (found.tracebacks, found.invented), name
        assert (100, True) == (found.files, found.intact > 300), name
        assert found.share >= mutated_files.SHARE, name


def test_the_second_reader_sees_what_an_undamaged_file_holds() -> None:
    chance = random.Random(3)
    for _ in range(50):
        records = mutated_files.originals(chance)

        for held in (
            second_reader.held_by_csv(mutated_files.csv_text(records, chance)),
            second_reader.held_by_csv(mutated_files.csv_text(records, chance, ";"), ";"),
            second_reader.held_by_json_lines(mutated_files.json_lines(records, chance)),
        ):
            assert (False, frozenset(records)) == (held.in_doubt, held.records)
