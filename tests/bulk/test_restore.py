from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, OutcomeUnknown, RetryPolicy
from talkjs_async.bulk import (
    export,
    import_messages,
    restore,
    send_messages,
    upsert_conversations,
    upsert_users,
)
from talkjs_async.emulator import Emulator, Limits
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


NEW = {
    "users.jsonl": ("createdAt",),
    "conversations.jsonl": ("createdAt",),
    "participants.jsonl": ("isUnread",),
    "messages.jsonl": ("id", "origin"),
}
"""What TalkJS gives anew."""


@pytest.fixture
def other() -> Emulator:
    """Another app, without anything in it."""
    return Emulator(limits=Limits.off())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def old(path: Path) -> list[dict[str, Any]]:
    """What must come back. Users and conversations are made side by side, in no order."""
    found = [
        {name: value for name, value in line.items() if name not in NEW[path.name]}
        for line in lines(path)
    ]
    return sorted(found, key=lambda line: str(line.get("conversationId") or line["id"]))


async def fill(talkjs: AsyncTalkJS) -> None:
    await upsert_users(
        talkjs,
        [
            {"id": "a/b", "name": "Ann", "email": ["a@x.org"], "custom": {"plan": "gold"}},
            {"id": "bob", "name": "Bob", "role": "buyer", "locale": "nl", "photo_url": "p"},
            {"id": "eve", "name": "Eve", "push_tokens": {"fcm:1": True}},
            *({"id": f"u{n}", "name": f"User {n}"} for n in range(200)),
        ],
    )
    await upsert_conversations(
        talkjs,
        [
            {"id": "c1", "participants": ["a/b", "bob", "eve"], "subject": "Trip"},
            {"id": "c2", "participants": ["bob"], "welcome_messages": ["hi"], "custom": {"k": "v"}},
            {"id": "empty"},
            *({"id": f"d{n}", "participants": [f"u{n}"]} for n in range(50)),
        ],
    )
    await talkjs.participants.patch("c1", "bob", access="Read", notify="MentionsOnly")
    await import_messages(
        talkjs,
        [
            {
                "conversation_id": f"d{n % 50}",
                "sender": f"u{n % 50}",
                "text": f"{n}",
                # Some share their millisecond: their order is that of the import.
                "timestamp": 1_600_000_000_000 + n // 200,
                "read_by": ["eve"] if n % 3 else [],
                **({"custom": {"n": "x"}} if n % 7 else {}),
            }
            for n in range(600)
        ],
    )
    old_messages = [("a/b", "Schöne Grüße"), ("eve", "*bold* <https://x.org|link>")]
    await import_messages(
        talkjs,
        [
            {
                "conversation_id": "c1",
                "sender": sender,
                "text": text,
                "timestamp": 1_500_000_000_000,
            }
            for sender, text in old_messages
        ],
    )
    # Eve has written, and left.
    await talkjs.participants.remove("c1", "eve")


async def test_what_was_exported_comes_back_as_it_was(
    make_talkjs: MakeTalkJS, emulator: Emulator, other: Emulator, tmp_path: Path
) -> None:
    emulator.limits = Limits.off()
    talkjs = make_talkjs()
    await fill(talkjs)
    await export(talkjs, tmp_path / "before")
    async with AsyncTalkJS("emulator", "sk_test_emulator", transport=other.transport,
                           clock=other.clock) as target:  # fmt: skip
        report = await restore(target, tmp_path / "before", journal=tmp_path / "journal")

        await export(target, tmp_path / "after")
    assert (True, []) == (report.ok, list(report.records("failed")))
    for name in NEW:
        assert old(tmp_path / "before" / name) == old(tmp_path / "after" / name)


async def test_what_import_does_not_take_is_reported(
    make_talkjs: MakeTalkJS, emulator: Emulator, other: Emulator, tmp_path: Path
) -> None:
    talkjs = make_talkjs()
    await upsert_users(talkjs, [{"id": "a", "name": "A"}])
    await upsert_conversations(talkjs, [{"id": "c", "participants": ["a"]}])
    token = await talkjs.files.upload(b"bytes", filename="x.txt")
    await send_messages(
        talkjs,
        [
            {"conversation_id": "c", "sender": "a", "text": "hi"},
            {"conversation_id": "c", "type": "SystemMessage", "text": "A said hi"},
            {"conversation_id": "c", "sender": "a", "attachment_token": token},
        ],
    )
    await export(talkjs, tmp_path / "before")
    async with AsyncTalkJS("emulator", "sk_test_emulator", transport=other.transport,
                           clock=other.clock) as target:  # fmt: skip
        report = await restore(target, tmp_path / "before")

    assert (3, 2) == (report.done, report.failed)
    assert {
        "a system message cannot be imported.",
        "only a text can be imported, no file and no place.",
    } == {record.reason for record in report.records("failed")}


async def test_an_interrupted_restore_goes_on(
    make_talkjs: MakeTalkJS, emulator: Emulator, other: Emulator, tmp_path: Path
) -> None:
    emulator.limits = Limits.off()
    talkjs = make_talkjs()
    await fill(talkjs)
    await export(talkjs, tmp_path / "before")
    patterns = ("PUT /users", "PUT /conversations/*", "POST /import/conversations/*/messages")
    async with AsyncTalkJS("emulator", "sk_test_emulator", transport=other.transport,
                           clock=other.clock, retry=RetryPolicy(attempts=1)) as target:  # fmt: skip
        for pattern in patterns:
            other.faults.add("drop-after-commit", on=pattern, nth=2)
            with pytest.raises(OutcomeUnknown):
                await restore(target, tmp_path / "before", journal=tmp_path / "journal")

        report = await restore(target, tmp_path / "before", journal=tmp_path / "journal")

    assert report.ok
    assert 602 == len(other.commits.of("message.imported"))
    assert 203 == len(other.commits.of("user.created"))


async def test_a_directory_without_a_complete_export_is_refused(
    talkjs: AsyncTalkJS, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="holds no complete export"):
        await restore(talkjs, tmp_path)


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ("{}", "is not that of an export"),
        ("nonsense", "is not that of an export"),
        (
            """{"format": "talkjs-async export", "version": 2,
            "users": 0, "conversations": 0, "participants": 0, "messages": 0}""",
            "which this version cannot read",
        ),
    ],
)
async def test_a_manifest_that_is_none_is_refused(
    talkjs: AsyncTalkJS, tmp_path: Path, manifest: str, sentence: str
) -> None:
    put(tmp_path / "export.json", manifest)

    with pytest.raises(ConfigurationError, match=sentence):
        await restore(talkjs, tmp_path)


def put(path: Path, text: str) -> None:
    path.write_text(text)


async def test_an_export_that_was_damaged_since_is_refused(
    make_talkjs: MakeTalkJS, tmp_path: Path
) -> None:
    talkjs = make_talkjs()
    await upsert_users(talkjs, [{"id": "a", "name": "A"}])
    await export(talkjs, tmp_path / "before")
    put(tmp_path / "before" / "users.jsonl", '{"id": "a"}\n{"id": "')

    with pytest.raises(ConfigurationError, match=r"users\.jsonl was damaged: line 2"):
        await restore(talkjs, tmp_path / "before")
