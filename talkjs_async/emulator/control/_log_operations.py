"""What has happened: requests, commits, deliveries."""

from collections.abc import Iterable
from typing import Any

import attrs

from talkjs_async.emulator._patterns import request_pattern
from talkjs_async.emulator._world import World
from talkjs_async.emulator.commit_log import COMMIT_KINDS, Commit
from talkjs_async.emulator.control._answer_schemas import list_of, of
from talkjs_async.emulator.control._operation import COUNT, TEXT, Argument, Arguments, Operation
from talkjs_async.emulator.request_log import Exchange
from talkjs_async.emulator.webhooks import Delivery

_SINCE = Argument(COUNT, "Only entries with a higher number.")


def _newer(entries: Iterable[Any], arguments: Arguments) -> list[Any]:
    return [entry for entry in entries if entry.number > arguments.get("since", 0)]


def _requests(world: World, arguments: Arguments) -> Any:
    entries = _newer(world.requests, arguments)
    if "on" in arguments:
        pattern = request_pattern(arguments["on"])
        entries = [one for one in entries if pattern.fullmatch(f"{one.method} {one.path}")]
    return [attrs.asdict(entry) for entry in entries]


def _commits(world: World, arguments: Arguments) -> Any:
    entries = _newer(world.commits, arguments)
    kind = arguments.get("kind")
    return [attrs.asdict(entry) for entry in entries if kind in (None, entry.kind)]


def _deliveries(world: World, arguments: Arguments) -> Any:
    return [shown(entry) for entry in _newer(world.webhooks.deliveries, arguments)]


def shown(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as JSON."""
    texts = {name: getattr(delivery, name).decode(errors="replace") for name in ("body", "event")}
    return attrs.asdict(delivery) | texts


LOGS = (
    Operation(
        method="GET",
        path="/requests",
        answer=list_of(of(Exchange)),
        summary="List what was asked",
        query={
            "on": Argument(TEXT, "Only these, such as `POST /conversations/*/messages`."),
            "since": _SINCE,
        },
        handler=_requests,
    ),
    Operation(
        method="GET",
        path="/commits",
        answer=list_of(of(Commit)),
        summary="List what was changed, whatever was answered",
        query={
            "kind": Argument({"enum": list(COMMIT_KINDS)}, "Only these, such as `message.sent`."),
            "since": _SINCE,
        },
        handler=_commits,
    ),
    Operation(
        method="GET",
        path="/deliveries",
        answer=list_of(of(Delivery)),
        summary="List the attempts to deliver webhooks",
        query={"since": _SINCE},
        handler=_deliveries,
    ),
)
