"""
Write `docs/emulator-openapi.json`, the emulator's control API: `python docs/control.py`.

A test compares the file with what this program would write, so it can only be changed by changing
the code.
"""

from __future__ import annotations

import json
from pathlib import Path

from talkjs_async.emulator.control import OPERATIONS, describe

PAGE = Path(__file__).with_name("emulator-openapi.json")


def page() -> str:
    """Return the file."""
    return json.dumps(describe(OPERATIONS), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
