"""
Write `docs/reference/webhook-events.md` from the models and the emulator: `python docs/events.py`.

The samples are what the emulator sends under its default switches; a test compares the page with
what this program would write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from talkjs_async.emulator import EVENT_TYPES, Emulator, VirtualClock
from talkjs_async.emulator.control._example_events import example_data
from talkjs_async.models import events
from talkjs_async.models.events import BaseEvent

PAGE = Path(__file__).with_name("reference") / "webhook-events.md"

TITLE = """\
# List of webhook events

Written by `python docs/events.py` from the models and the emulator; a test compares it with them.

What TalkJS can send to your webhook. How to receive it: [webhooks](../how-to/webhooks.md); all
attributes: [webhooks and events](api/webhooks.md). An event that this version does not know arrives
as an `UnknownEvent` with its `type` and `data`; so does one of which it cannot read what the event
is about, and its `reason` says why.

Every event has `id`, `type`, `createdAt` (Unix milliseconds) and `data`. The samples show `data` as
the emulator sends it; which fields TalkJS leaves out when they are empty is not documented. It
delivers an event a second time when your answer was late or was not 200, in no order that is
promised.

| event | class |
|---|---|
"""


def page() -> str:
    """Return the page."""
    kinds = {kind.type: kind for kind in _classes()}
    table = "".join(f"| `{name}` | `{kinds[name].__name__}` |\n" for name in EVENT_TYPES)
    return TITLE + table + "".join(_section(name, kinds[name]) for name in EVENT_TYPES)


def _classes() -> list[Any]:
    found = [getattr(events, name) for name in events.__all__]
    return [
        kind
        for kind in found
        if isinstance(kind, type)
        and issubclass(kind, BaseEvent)
        and isinstance(getattr(kind, "type", None), str)
    ]


def _section(name: str, kind: type[BaseEvent]) -> str:
    emulator = Emulator(clock=VirtualClock())
    data = example_data(emulator, name)
    words = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    shown = json.dumps(data, indent=2, ensure_ascii=False)
    return f"\n## {name}\n\n`{kind.__name__}`: {words}\n\n```json\n{shown}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
