"""
What the table of retries is about: one call per kind of operation, and how it is carried out.

The emulator's log of requests, its faults and its commit log are the witnesses.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from talkjs_async import AsyncTalkJS, ImportedMessage, RetryPolicy, TalkJSError
from talkjs_async.emulator import Emulator

TABLE = Path(__file__).with_name("retries.json")

POLICY = RetryPolicy(attempts=4, base_delay=0.001)
TIMEOUT = 1.0
"""Seconds. Over TCP a server that never answers costs that much, per attempt."""

SEED = {
    "users": {"alice": {"name": "Alice", "email": ["a@example.com"]}, "bob": {"name": "Bob"}},
    "conversations": {
        "chat": {
            "participants": ["alice", "bob"],
            "messages": [{"sender": "bob", "text": "Hi"}],
        }
    },
}

Operation = Callable[[AsyncTalkJS, str], Awaitable[object]]

IMPORTED = ImportedMessage(
    text="Old", sender="alice", sent_at=datetime(2020, 1, 1, tzinfo=UTC), read_by=()
)

OPERATIONS: dict[str, Operation] = {
    "users.get": lambda talkjs, _: talkjs.users.get("alice"),
    "users.list": lambda talkjs, _: talkjs.users.list().collect(),
    "users.upsert": lambda talkjs, _: talkjs.users.upsert("alice", name="Alicia"),
    "messages.send": lambda talkjs, _: talkjs.messages.send("chat", sender="alice", text="Hello"),
    "messages.edit": lambda talkjs, id_: talkjs.messages.edit("chat", message_id=id_, text="Hey"),
    "messages.delete": lambda talkjs, id_: talkjs.messages.delete("chat", message_id=id_),
    "notifications.send": lambda talkjs, _: talkjs.notifications.send(
        "chat", channels=["email"], recipients=["alice"]
    ),
    "messages.import_many": lambda talkjs, _: talkjs.messages.import_many("chat", [IMPORTED]),
    "request (POST)": lambda talkjs, _: talkjs.request(
        "POST",
        "/conversations/chat/messages",
        json=[{"type": "SystemMessage", "text": "Without a key"}],
    ),
}


@attrs.frozen
class Outcome:
    """What came of one call."""

    attempts: int
    result: str
    """`ok`, or the class of the error."""
    commits: int
    """How often the work was done."""


@attrs.frozen
class Row:
    """One line of the table."""

    operation: str
    faults: tuple[str, ...]
    outcome: Outcome

    @property
    def over_tcp(self) -> bool:
        """Whether it can be tried there: a connection that is there cannot be refused."""
        return "refuse" not in self.faults


def rows() -> list[Row]:
    """Read the table."""
    table: Any = json.loads(TABLE.read_text())
    return [
        Row(operation, tuple(faults), Outcome(*outcome))
        for operation, lines in table.items()
        for faults, outcome in lines
    ]


async def carry_out(
    talkjs: AsyncTalkJS, emulator: Emulator, operation: str, faults: Sequence[str]
) -> Outcome:
    """Make one call, with a fault for each of its first attempts."""
    emulator.reset()
    emulator.load(SEED)
    (first,) = emulator.main_app.conversations["chat"].message_by_id
    emulator.commits.clear()
    for fault in faults:
        emulator.faults.add(fault, first=1)
    try:
        await OPERATIONS[operation](talkjs, first)
        result = "ok"
    except TalkJSError as error:
        result = type(error).__name__
    attempts = emulator.requests.total
    fired = sum(plan.fired for plan in emulator.faults)
    assert fired == min(attempts, len(faults)), "A fault did not hit the attempt it was for."
    return Outcome(attempts, result, len(emulator.commits))
