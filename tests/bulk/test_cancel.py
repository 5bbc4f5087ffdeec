from __future__ import annotations

import sys

import pytest

from tests.bulk.cancel import SHORT, cancelled

pytestmark = [
    pytest.mark.harness,
    pytest.mark.skipif(sys.platform == "win32", reason="uvloop and SIGINT are Unix's"),
]


@pytest.mark.parametrize(("kind", "loop", "way"), SHORT)
def test_a_cancelled_job_ends_and_runs_again_at_once(kind: str, loop: str, way: str) -> None:
    failure = cancelled(kind, loop, way, jobs=4).failure

    # Whole: an assertion would show the ends of a long text.
    if failure is not None:
        pytest.fail(failure, pytrace=False)
