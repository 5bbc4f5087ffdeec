"""The page about the emulator does what it says."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "emulator.md"


def test_the_first_program_runs_as_printed() -> None:
    program = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert (0, "[('PUT', '/users/alice', 200)]\n", "") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )
