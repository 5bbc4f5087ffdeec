"""
Write `docs/reference/switches.md` from the emulator's switches: `python docs/switches.py`.

A test compares the page with what this program would write, so it can only be changed by changing
the code.
"""

from __future__ import annotations

from pathlib import Path

from talkjs_async.emulator.ledger import line_of
from talkjs_async.emulator.switches import Switch, Switches

PAGE = Path(__file__).with_name("reference") / "switches.md"

TITLE = """\
# The emulator's switches

Written by `python docs/switches.py` from the code of the emulator; a test compares it with that.

What TalkJS's documentation leaves open has a switch in the emulator, so that your program can be
tested under each answer. In Python it is an attribute of `emulator.switches`, on the command line
`--switch NAME=VALUE`, on the page `/_emulator/` a button, and for other languages
`PATCH /_emulator/v1/switches` with `{NAME: VALUE}`. The first value is the default.

*Known* says how sure the default is: seen *live*, *documented*, seen in *code* that runs against
TalkJS, said by a *third party*, *inferred*, or *unknown*.

*Seen live* is what TalkJS itself took on that day, in a run of `nox -s live`, which asks for each
switch but the few that no request can show.

| switch | values | what it is about | known | from | seen live |
|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    return TITLE + "".join(map(_row, Switches.table()))


def _row(switch: Switch) -> str:
    values = ", ".join(f"`{choice}`" for choice in switch.choices)
    live = line_of("switch", switch.name).live
    seen = "" if live is None else f"`{live.answer}`, {live.on}"
    cells = (f"`{switch.name}`", values, switch.meaning, switch.mark, switch.source, seen)
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
