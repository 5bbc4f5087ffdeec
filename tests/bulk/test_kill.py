from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a thing of Unix")


@pytest.fixture(scope="module")
def kill() -> Any:
    """The script beside this file, under a name that its child processes find, too."""
    spec = spec_from_file_location("kill", Path(__file__).with_name("kill.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["kill"] = module
    sys.path.insert(0, str(Path(__file__).parent))
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(Path(__file__).parent))
    del sys.modules["kill"]


@pytest.mark.parametrize("job", ["send", "import", "export", "restore"])
def test_a_job_that_is_killed_over_and_over_ends_as_if_it_never_was(kill: Any, job: str) -> None:
    survived = kill.Killer().trial(kill.TRIALS[job], count=1_000, kills=3)

    assert survived.kills >= 3
