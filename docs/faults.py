"""
Write `docs/reference/faults.md` from the emulator's faults: `python docs/faults.py`.

A test compares the page with what this program would write, so it can only be changed by changing
the code.
"""

from __future__ import annotations

from pathlib import Path

from talkjs_async.emulator.faults import FAULT_TYPES

PAGE = Path(__file__).with_name("reference") / "faults.md"

TITLE = """\
# The emulator's faults

Written by `python docs/faults.py` from the code of the emulator; a test compares it with that.

To inject a fault, plan it: in Python with
`emulator.faults.add("return-503", on="GET /users/*", first=2)`, in pytest with the marker
`talkjs_fault`, on the command line with `--fault return-503@0.05` (one request in twenty), on the
page `/_emulator/` with a button, and for other languages with `POST /_emulator/v1/faults`. A single
request asks for its own with the header `X-Emulator-Fault`.

Which requests it hits: *on* is a method, a path or both, relative to the app, where `*` is one
segment and `**` any number; then *first* so many of these, only the *nth*, each with the
probability *p*, or all within so many *seconds*. A fault that no route of the emulator
could ever meet is refused, with the nearest ones.

| fault | what happens |
|---|---|
"""


def page() -> str:
    """Return the page."""
    return TITLE + "".join(f"| `{fault.id}` | {fault.meaning} |\n" for fault in FAULT_TYPES)


if __name__ == "__main__":
    PAGE.write_text(page())
