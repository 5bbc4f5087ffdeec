"""Seeds: files, exports, times of their own; and snapshots."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async import AsyncTalkJS, bulk
from talkjs_async.emulator import Emulator
from tests.emulator.inbox import MESSAGES, Inbox, say

Send = Callable[..., Awaitable[httpx.Response]]
HOUR = 3_600_000

SEED = {
    "users": {
        "alice": {"name": "Alice", "email": ["a@example.com"], "at": "-3d"},
        "bob": {"name": "Bob"},
    },
    "conversations": {
        "c1": {
            "subject": "Bikes",
            "at": "-2d",
            "participants": {"alice": {"access": "Read", "readUntil": "-3h"}, "bob": {}},
            "messages": [
                {"id": "first", "sender": "bob", "text": "Hi", "at": "-1d -2h"},
                {"text": "Bob offers *a bike*", "at": "-2h"},
                {"sender": "bob", "text": "Well?", "referencedMessageId": "first"},
            ],
        }
    },
}
TOML = """
[users.alice]
name = "Alice"
email = ["a@example.com"]
at = "-3d"

[users.bob]
name = "Bob"

[conversations.c1]
subject = "Bikes"
at = "-2d"

[conversations.c1.participants]
alice = { access = "Read", readUntil = "-3h" }
bob = {}

[[conversations.c1.messages]]
id = "first"
sender = "bob"
text = "Hi"
at = "-1d -2h"

[[conversations.c1.messages]]
text = "Bob offers *a bike*"
at = "-2h"

[[conversations.c1.messages]]
sender = "bob"
text = "Well?"
referencedMessageId = "first"
"""
YAML = """
users:
  alice: {name: Alice, email: [a@example.com], at: -3d}
  bob: {name: Bob}
conversations:
  c1:
    subject: Bikes
    at: -2d
    participants:
      alice: {access: Read, readUntil: -3h}
      bob: {}
    messages:
      - {id: first, sender: bob, text: Hi, at: -1d -2h}
      - {text: Bob offers *a bike*, at: -2h}
      - {sender: bob, text: "Well?", referencedMessageId: first}
"""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("seed.json", json.dumps(SEED)),
        ("seed.toml", TOML),
        ("seed.yaml", YAML),
        ("seed.yml", YAML),
    ],
)
async def test_a_seed_may_be_written_in_any_of_three_ways(
    emulator: Emulator, send: Send, tmp_path: Path, name: str, text: str
) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox)
    (tmp_path / name).write_text(text)
    now = int(emulator.clock.time() * 1000)

    emulator.load(tmp_path / name)

    alice = (await send("GET", "/users/alice")).json()
    assert (alice["name"], alice["createdAt"]) == ("Alice", now - 72 * HOUR)
    conversation = (await send("GET", "/conversations/c1")).json()
    assert (conversation["subject"], conversation["createdAt"]) == ("Bikes", now - 48 * HOUR)
    assert conversation["participants"]["alice"]["access"] == "Read"
    newest, middle, oldest = (await send("GET", "/conversations/c1/messages")).json()["data"]
    assert [now, now - 2 * HOUR, now - 26 * HOUR] == [
        one["createdAt"] for one in (newest, middle, oldest)
    ]
    assert ["UserMessage", "SystemMessage", "UserMessage"] == [
        one["type"] for one in (newest, middle, oldest)
    ]
    assert newest["referencedMessageId"] == oldest["id"]
    assert "alice" in oldest["readBy"]
    assert "alice" not in newest["readBy"]
    assert [] == await emulator.webhooks.settle()
    assert 600 - 3 == emulator.budget.ordinary.tokens(emulator.clock.monotonic())


@pytest.mark.anyio
async def test_an_export_is_a_seed(emulator: Emulator, tmp_path: Path) -> None:
    emulator.load(SEED)
    emulator.simulate_user("bob").say("c1", "And now?")
    async with client(emulator) as talkjs:
        await talkjs.participants.remove("c1", user_id="bob")
        await bulk.export(talkjs, tmp_path / "one")
    other = Emulator(clock=emulator.clock)

    other.load(str(tmp_path / "one"))

    async with client(other) as talkjs:
        await bulk.export(talkjs, tmp_path / "two")
    for name in ("users", "conversations", "participants", "messages"):
        one, two = (lines(tmp_path / folder / f"{name}.jsonl") for folder in ("one", "two"))
        assert one == two


def client(emulator: Emulator) -> AsyncTalkJS:
    return AsyncTalkJS(**emulator.options)


def lines(path: Path) -> list[dict[str, Any]]:
    """Read an export's lines, without what a new emulator gives new: IDs and origins."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        if "origin" in record:
            record.pop("id")
            record.pop("origin")
            record["referencedMessageId"] = record["referencedMessageId"] is not None
    return sorted(records, key=json.dumps)


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        ({"people": {}}, "A seed has users and conversations, not ['people']."),
        ({"users": ["alice"]}, "users must be an object of ID to user."),
        ({"users": {"alice": "Alice"}}, "users.alice must be an object."),
        ({"users": {"": {"u": {"name": "A"}}}}, "users has a user without an ID."),
        ({"conversations": {"": {}}}, "conversations has a conversation without an ID."),
        ({"users": {"alice": {"name": 5}}}, "users.alice: "),
        ({"users": {"alice": {"name": "A", "at": "soon"}}}, "users.alice.at must be like '-2h'"),
        ({"users": {"alice": {"name": "A", "at": True}}}, "users.alice.at must be like '-2h'"),
        ({"conversations": {"c": {"participants": ["no"]}}}, "conversations.c: "),
        ({"conversations": {"c": {"participants": 5}}}, "conversations.c: participants is a list"),
        ({"conversations": {"c": {"messages": ["hi"]}}}, "conversations.c.messages[0] must be an"),
        ({"conversations": {"c": {"messages": [{}]}}}, "conversations.c.messages[0]: "),
        (
            {"users": {"a": {"name": "A"}}, "conversations": {"c": {"participants": {"a": 1}}}},
            "conversations.c.participants.a must be an object.",
        ),
    ],
)
def test_a_wrong_seed_says_where(emulator: Emulator, seed: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}"):
        emulator.load(seed)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("seed.txt", b"{}", "must end in .json, .toml or .yaml"),
        ("seed.json", b"{", "is not JSON"),
        ("seed.json", b"[]", "must be an object with users and conversations"),
        ("seed.json", b"\xff", "cannot be read"),
        ("seed.toml", b"=", "is not TOML"),
        ("seed.yaml", b"[", "is not YAML"),
    ],
)
def test_a_file_that_is_no_seed_is_refused(
    emulator: Emulator, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ValueError, match=reason):
        emulator.load(tmp_path / name)


def test_an_export_with_a_hole_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    for name in ("conversations", "participants", "messages"):
        (tmp_path / f"{name}.jsonl").write_text("")
    with pytest.raises(ValueError, match="cannot be read"):
        emulator.load(tmp_path)
    (tmp_path / "users.jsonl").write_text("{\n")
    with pytest.raises(ValueError, match="line 1 is not JSON"):
        emulator.load(tmp_path)
    (tmp_path / "users.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match="lacks what it should have"):
        emulator.load(tmp_path)


@pytest.mark.anyio
@pytest.mark.usefixtures("chat")
async def test_a_snapshot_may_be_gone_back_to_as_often_as_wanted(
    emulator: Emulator, send: Send
) -> None:
    snapshot = emulator.snapshot()
    tokens = emulator.budget.ordinary.tokens(emulator.clock.monotonic())
    ids = []

    for _ in range(3):
        ids += [one["id"] for one in (await send("POST", MESSAGES, say())).json()]
        await send("DELETE", "/conversations/chat")
        emulator.restore(snapshot)
        assert (await send("GET", MESSAGES)).json()["data"] == []
        emulator.restore(snapshot)

    assert 1 == len(set(ids))
    assert tokens == emulator.budget.ordinary.tokens(emulator.clock.monotonic())
    assert emulator.requests.total > 9


@pytest.mark.anyio
@pytest.mark.usefixtures("chat")
async def test_what_is_answered_with_success_is_there_though_a_snapshot_came_in_between(
    emulator: Emulator, send: Send
) -> None:
    snapshot = emulator.snapshot()
    emulator.faults.add("latency-2", on="POST /conversations/*/messages")

    async def send_one() -> None:
        await send("POST", MESSAGES, say("late"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send_one)
        await emulator.clock.sleep(1)
        emulator.restore(snapshot)

    (message,) = (await send("GET", MESSAGES)).json()["data"]
    assert [message["id"]] == [one.message_id for one in emulator.commits.of("message.sent")]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.yaml", "users: {1: {name: A}}", "users: 1 must be a text; put it in quotes"),
        ("a.yaml", "users: {a: {name: 2020-01-01}}", "users.a.name is a date, which no request"),
        ("a.yaml", "users: {a: {custom: {x: !!binary aGk=}}}", "users.a.custom.x is a bytes"),
        ("a.yaml", "users: &a {a: *a}", "is nested too deep"),
        ("a.yaml", "1: {}", "A seed has users and conversations, not"),
        ("a.toml", "[users.a]\nname = 2020-01-01", "users.a.name is a date"),
        ("a.json", '{"users": {"a": {"name": "A", "at": 1e30}}}', "users.a.at must be"),
        ("a.json", '{"users": {"a": {"name": "A", "at": "-99999d"}}}', "from 1970 to 9999"),
        ("a.json", '{"users": {"a": {"name": "A", "at": 99999999999999999}}}', "from 1970 to 9999"),
        (
            "a.json",
            '{"conversations": {"c": {"participants": [["a"]]}}}',
            "conversations.c.participants must hold the IDs of users",
        ),
        (
            "a.json",
            '{"conversations": {"c": {"messages": [{"text": "x", "id": ["a"]}]}}}',
            r"conversations.c.messages\[0\].id must be a text",
        ),
        (
            "a.json",
            '{"conversations": {"c": {"messages": [{"text": "x", "sender": ["a"]}]}}}',
            "sender",
        ),
        (
            "a.json",
            '{"conversations": {"c": {"messages": [{"text": "x", "referencedMessageId": []}]}}}',
            "referencedMessageId",
        ),
    ],
)
def test_a_mistake_in_a_seed_is_named(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(ValueError, match=complaint):
        Emulator().load(tmp_path / name)
