from __future__ import annotations

import sys

import pytest

from tests.bulk.kill import Killer
from tests.bulk.kill_trials import TRIALS

pytestmark = [
    pytest.mark.harness,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a thing of Unix"),
]


@pytest.mark.parametrize("job", list(TRIALS))
def test_a_job_that_is_killed_over_and_over_ends_as_if_it_never_was(job: str) -> None:
    survived = Killer().trial(job, count=600, kills=3)

    assert survived.kills >= 3
