"""
Write `docs/reference/endpoints.md` from the code: `python docs/endpoints.py`.

Each row is a request that a method of the SDK really builds, looked up in the emulator's own table
of routes and in its ledger. A test compares the page with what this program would write, so it can
only be changed by changing the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import attrs

from talkjs_async import (
    AnonymousProjects,
    AsyncTalkJS,
    Call,
    ImportedMessage,
    SystemMessage,
    Theme,
    UserInput,
    UserMessage,
    call_of,
)
from talkjs_async._core.endpoint import Resource
from talkjs_async.batch._encoding import encode
from talkjs_async.emulator.ledger import LedgerLine, Seen, ledger, line_of
from talkjs_async.emulator.routes import ROUTES, Route, Router

PAGE = Path(__file__).with_name("reference") / "endpoints.md"

# What a method needs besides the IDs in its path. Two examples where it has two requests.
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "users.upsert": [{"name": "Alice"}],
    "users.upsert_many": [{"users": {"alice": UserInput(name="Alice")}}],
    "conversations.mark_as_read": [{}, {"form": "read_by"}, {"form": "user_conversation"}],
    "conversations.mark_as_unread": [{}, {"form": "user_conversation"}],
    "participants.update": [{"access": "Read"}],
    "messages.send": [{"sender": "alice", "text": "hi"}],
    "messages.send_system": [{"text": "hi"}],
    "messages.send_many": [
        {"messages": [UserMessage(sender="alice", text="hi"), SystemMessage(text="ho")]}
    ],
    "messages.edit": [{"text": "new"}],
    "files.upload": [{"file": b"content", "filename": "a.txt"}],
    "notifications.send": [{"channels": ["email"]}],
    "messages.import_many": [
        {
            "messages": [
                ImportedMessage(
                    sender="alice", text="old", sent_at=datetime(2020, 1, 1, tzinfo=UTC)
                )
            ]
        }
    ],
    "app.update": [{"default_locale": "en-US"}],
    "themes.update": [{"themes": {"blue": Theme()}}, {"themes": {"blue": None}, "method": "PATCH"}],
}

# Where a request is known from whose route is known from elsewhere.
FORMS: dict[tuple[str, str], tuple[str, str]] = {
    (f"conversations.{method}", "participants.update"): ("TalkJS's transfer program, 2026", "code")
    for method in ("mark_as_read", "mark_as_unread")
}

TITLE = """\
# Every endpoint

Written by `python docs/endpoints.py` from the code of the SDK and of the emulator; a test compares
it with them.

*Confidence* says how sure it is that TalkJS has the endpoint in this form. *documented*: read in
its documentation. *code*: seen in programs that run against TalkJS. *third party*: said by others.
*inferred*: concluded. Read in November 2026; what the fields mean, and which of them are less sure,
is in the docstring of each method.

Paths are below `https://api.talkjs.com/v1/{appId}`, except for those of `AnonymousProjects`, which
are below `/v1`. All methods but that one's are those of `AsyncTalkJS`.

*seen live* is the day on which a run of the contract tests saw TalkJS do so: `nox -s live` makes a
test project, asks, and writes it into the ledger, `talkjs_async/emulator/ledger.jsonl`, which has a
line for each of these, for each fact below, and for [each switch](switches.md).

| method | path | SDK | emulator | source | confidence | seen live |
|---|---|---|---|---|---|---|
"""

FACTS = """
## What else is known

Each of these has a contract test, or tests elsewhere where no request can show it.

| fact | what TalkJS does | source | confidence | seen live |
|---|---|---|---|---|
"""

END = """
No REST call is known for these: deleting a user (TalkJS advises to overwrite the personal data),
deleting all messages of a conversation, typing, translating. Searching is for users' tokens only.
"""


@attrs.frozen
class Endpoint:
    """
    One request of one method.

    Attributes:
        method: Its dotted name, such as `users.get`.
        resource: The object that has it.
        ids: Names of the arguments that are IDs in the path.
        arguments: What it was built with, besides these.
        call: What it built, with placeholders for the IDs.
    """

    method: str
    resource: Any
    ids: tuple[str, ...]
    arguments: dict[str, Any]
    call: Call[Any]

    @property
    def path(self) -> str:
        """The path with readable placeholders."""
        return unquote(self.call.path) or "/"

    @property
    def route(self) -> Route | None:
        """What answers it in the emulator. None: nothing does."""
        belongs_to_no_app = isinstance(self.resource, AnonymousProjects)
        router = Router(route for route in ROUTES if route.open == belongs_to_no_app)
        found = router.find(self.call.method, self.call.path or "/")
        return found[0] if found else None


def resources() -> Iterator[tuple[str, Resource]]:
    """Every object of the SDK that has endpoints, with its name."""
    talkjs = AsyncTalkJS("app", "sk_test_documentation")
    for name in (*vars(talkjs), *vars(AsyncTalkJS)):
        resource = None if name.startswith("_") else getattr(talkjs, name)
        if isinstance(resource, Resource):
            yield name, resource
    yield "AnonymousProjects", AnonymousProjects()


def endpoints() -> Iterator[Endpoint]:
    """Every request that the SDK can build."""
    for resource_name, resource in resources():
        for name, method in inspect.getmembers(resource, inspect.ismethod):
            if not hasattr(method, "__build__"):
                continue
            dotted = f"{resource_name}.{name}"
            for arguments in EXAMPLES.get(dotted, [{}]):
                ids = _ids(method, arguments)
                placeholders = {argument: f"{{{_camel(argument)}}}" for argument in ids}
                call = call_of(method, **placeholders, **arguments)
                yield Endpoint(dotted, resource, ids, arguments, call)
    talkjs = AsyncTalkJS("app", "sk_test_documentation")
    yield Endpoint("batch", talkjs.batch, (), {}, encode([call_of(talkjs.app.get)]))


def _ids(method: Any, arguments: dict[str, Any]) -> tuple[str, ...]:
    parameters = inspect.signature(method).parameters.values()
    return tuple(
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.name not in arguments
    )


def _camel(argument: str) -> str:
    first, *others = argument.split("_")
    return first + "".join(word.title() for word in others)


def page() -> str:
    """Return the page."""
    facts = (_fact(line) for line in ledger() if line.kind == "fact")
    return TITLE + "".join(map(_row, endpoints())) + END + FACTS + "".join(facts)


def _row(endpoint: Endpoint) -> str:
    route = endpoint.route
    if route is None:
        raise LookupError(f"The emulator has no {endpoint.call.method} {endpoint.path}.")
    line = line_of("route", route.name)
    known = FORMS.get((endpoint.method, route.name), (line.source, line.mark))
    cells = (
        endpoint.call.method,
        f"`{endpoint.path}`",
        f"`{endpoint.method}`",
        f"`{route.name}`",
        *known,
        _seen(line.live),
    )
    return f"| {' | '.join(cells)} |\n"


def _fact(line: LedgerLine) -> str:
    cells = (f"`{line.name}`", line.behaviour, line.source, line.mark, _seen(line.live))
    return f"| {' | '.join(cells)} |\n"


def _seen(live: Seen | None) -> str:
    if live is None:
        return ""
    return live.on if live.answer is True else f"not so, {live.on}"


if __name__ == "__main__":
    PAGE.write_text(page())
