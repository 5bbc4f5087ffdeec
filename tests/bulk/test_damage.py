from __future__ import annotations

import pytest

from tests.bulk.damage import DAMAGES, damaged

pytestmark = pytest.mark.harness


def test_no_damaged_backup_is_called_good_without_being_equal() -> None:
    ends = damaged(10 * len(DAMAGES))

    assert {"equal"} == {end for damage, end in ends if damage in {"shuffled", "undamaged"}}
    for damage in ("missing", "without a line", "with a line twice"):
        assert {"ConfigurationError"} == {end for other, end in ends if other == damage}
