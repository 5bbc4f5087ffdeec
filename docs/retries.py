"""
Write `docs/reference/retries.md` from the table of retries: `python docs/retries.py`.

The table, `tests/conformance/retries.json`, is what the tests hold the client to; a test compares
the page with what this program would write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "retries.md"
TABLE = ROOT / "tests" / "conformance" / "retries.json"

TITLE = """\
# What is tried again

Written by `python docs/retries.py` from `tests/conformance/retries.json`; the tests hold the client
to each cell, on asyncio and trio, in process and over TCP.

Each row plans [faults](faults.md) of the emulator for the first attempts of one call, with a policy
of four attempts. A cell says how many attempts were made, what the caller got, and how often the
work was done: `2 · ok · 1`. Work that was done twice is harmless where it is the same work: a PUT,
an edit, a deletion. A message has a key, so it is stored once whatever happens. What has none is
reported as `OutcomeUnknown` instead of being repeated, except after TalkJS's own 500 and 503, which
its documentation calls safe to retry.

Measured against the emulator, not against TalkJS.

"""


def page() -> str:
    """Return the page."""
    table: dict[str, list[Any]] = json.loads(TABLE.read_text())
    names = list(table)
    lines = [
        f"| faults | {' | '.join(f'`{name}`' for name in names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for index, (faults, _) in enumerate(table[names[0]]):
        cells = [" · ".join(map(str, table[name][index][1])) for name in names]
        lines.append(f"| {', '.join(faults) or 'none'} | {' | '.join(cells)} |")
    return TITLE + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
