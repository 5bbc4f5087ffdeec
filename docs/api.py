"""
Write the pages in `docs/reference/api` from the public names of the package: `python docs/api.py`.

A page only says which names stand on it; the site shows their signatures and docstrings. A test
compares the pages with what this program would write, so that no public name can be left out.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

import talkjs_async

PAGES: Final = Path(__file__).with_name("reference") / "api"


class Page(NamedTuple):
    """A page: its title, what it says first, and the names on it, in their order."""

    title: str
    words: str
    names: list[str]


def _all(module: str) -> list[str]:
    """All public names of a module, with it before them."""
    names = [f"{module}.{name}" for name in import_module(module).__all__]
    # `bulk.export` is a function, and a module that has it: the site would describe the module.
    return [f"{each}.{each.rpartition('.')[2]}" if each in sys.modules else each for each in names]


def _top(first: str, last: str) -> list[str]:
    """The names of the package from one to another, in the order in which they are declared."""
    names = talkjs_async.__all__
    return [f"talkjs_async.{name}" for name in names[names.index(first) : names.index(last) + 1]]


_BUDGET: Final = ["Budget", "Budgets", "OwnBudgets", "ProcessBudgets", "Limiter", "Permit"]
_BUDGET_NAMES: Final = [f"talkjs_async.{name}" for name in [*_BUDGET, "TokenBucket", "Lane"]]
_RESOURCES: Final = {
    "users": "Users",
    "conversations": "Conversations",
    "participants": "Participants",
    "messages": "Messages",
    "reactions": "Reactions",
    "presences": "Presences",
    "files": "Files",
    "notifications": "Notifications",
    "app": "AppSettings",
    "themes": "Themes",
    "anonymous": "Anonymous",
}


def pages() -> dict[str, Page]:
    """Return every page by the name of its file."""
    client = _top("AsyncTalkJS", "call_of")
    elsewhere = {*_BUDGET_NAMES, "talkjs_async.Webhooks", "talkjs_async.__version__"}
    events = _top("BaseEvent", "WebhookEvent")
    return {
        "client.md": Page(
            "The client",
            "`AsyncTalkJS`, its options, and what its methods take and return. What each of its "
            "resources does is on [the page of resources](resources.md).",
            [
                *(name for name in client if name not in elsewhere),
                "talkjs_async.identity.Tokens",
                "talkjs_async.one_on_one_id",
                "talkjs_async.new_idempotency_key",
            ],
        ),
        "resources.md": Page(
            "Resources and batch",
            "Attributes of the client: `talkjs.users`, `talkjs.messages`, ..., `talkjs.batch`. "
            "`AnonymousProjects` has the methods of `Anonymous`.",
            [
                *(f"talkjs_async.resources.{name}.{kind}" for name, kind in _RESOURCES.items()),
                *_all("talkjs_async.batch"),
            ],
        ),
        "models.md": Page(
            "Models",
            "What TalkJS answers, and what can be written. Each model keeps what this version does "
            "not know in `extra`.",
            [
                *(
                    name
                    for name in _top("AnonymousProject", "escape_markup")
                    if not name.endswith("Block")
                ),
                *_all("talkjs_async.models.content"),
                "talkjs_async.models.filters.Condition",
                "talkjs_async.models.filters.Operator",
                "talkjs_async.models.participants.Access",
                "talkjs_async.models.participants.Notify",
                "talkjs_async.models.notifications.Channel",
                "talkjs_async.models.markup.plain_text",
            ],
        ),
        "errors.md": Page(
            "Error classes",
            "Attributes of every error.",
            _top("APIError", "WebhookError"),
        ),
        "webhooks.md": Page(
            "Webhooks and events",
            "How to receive them: [webhooks](../../how-to/webhooks.md).",
            [*_all("talkjs_async.webhooks"), *events],
        ),
        "budgets.md": Page(
            "Budgets",
            "Why they are as they are: [the budget](../../explanation/budget.md).",
            [
                *_BUDGET_NAMES,
                *(
                    f"talkjs_async.limits.{name}"
                    for name in ("Outcome", "anonymous_limiter", "SHARED_BUDGETS")
                ),
                *(
                    f"talkjs_async.telemetry.{name}"
                    for name in ("LimiterEvent", "Listener", "SettingsDiffer", "StoreLostData")
                ),
            ],
        ),
        "telemetry.md": Page(
            "Telemetry",
            "What hooks are called with. How to use them: [watching](../../how-to/watching.md).",
            [
                *_top("AttemptEnded", "Waited"),
                "talkjs_async.telemetry.log_events",
                *_all("talkjs_async.otel"),
            ],
        ),
        "bulk.md": Page(
            "Bulk jobs",
            "How to run them: [bulk jobs](../../how-to/bulk.md).",
            _all("talkjs_async.bulk"),
        ),
        "fastapi.md": Page(
            "API: FastAPI",
            "Extra `[fastapi]`. How to use it: [FastAPI](../../how-to/fastapi.md).",
            _all("talkjs_async.fastapi"),
        ),
        "redis.md": Page(
            "API: Redis",
            "Extra `[redis]`. How to use it: [many processes](../../how-to/redis.md).",
            _all("talkjs_async.redis"),
        ),
        "emulator.md": Page(
            "Emulator",
            "How to use it: [the emulator](../../how-to/emulator.md).",
            [
                *_all("talkjs_async.emulator"),
                "talkjs_async.emulator.faults.FaultType",
                "talkjs_async.emulator.faults.FAULT_TYPES",
                "talkjs_async.emulator.files.File",
                *_all("talkjs_async.emulator.ledger"),
                "talkjs_async.emulator.server.Server",
                "talkjs_async.emulator.switches.Switch",
                "talkjs_async.emulator.switches.ENVIRONMENT",
                "talkjs_async.emulator.transport.EmulatorTransport",
                "talkjs_async.emulator.webhooks.Receiver",
                "talkjs_async.emulator.webhooks.Tampering",
                "talkjs_async.emulator.webhooks.TAMPERING",
            ],
        ),
        "pytest.md": Page(
            "pytest fixtures",
            "How to use them: [tests](../../how-to/testing.md).",
            _all("talkjs_async.pytest_plugin"),
        ),
    }


def text(page: Page) -> str:
    """Return the Markdown of a page."""
    listed = "\n\n".join(f"::: {name}" for name in page.names)
    return f"# {page.title}\n\n{page.words}\n\n{listed}\n"


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for name, page in pages().items():
        (PAGES / name).write_text(text(page), "utf-8")
