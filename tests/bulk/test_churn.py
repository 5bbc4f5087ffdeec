from __future__ import annotations

import pytest

from tests.bulk.churn import ANSWERS, Answer, round_

pytestmark = pytest.mark.anyio


@pytest.mark.harness
@pytest.mark.parametrize("cut", [0.0, 0.05])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_export_has_each_record_that_is_there_throughout_once(
    answer: Answer, cut: float
) -> None:
    # An app of thirty conversations: of a few, trio's order of tasks may leave none deleted.
    assert await round_(4, answer, cut)
