from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import product
from pathlib import Path
from typing import Any

import anyio
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
from talkjs_async.bulk.formats.export_directory import Manifest, write_manifest
from talkjs_async.bulk.formats.json_lines import EMPTY, LinesFile
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
    await talkjs.participants.update("c1", user_id="bob", access="Read", notify="MentionsOnly")
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
    await talkjs.participants.remove("c1", user_id="eve")


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
    token = (await talkjs.files.upload(b"bytes", filename="x.txt")).token
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

    assert (4, 1) == (report.done, report.failed)
    assert ["it carries a file, and files are not in an export."] == [
        record.reason for record in report.records("failed")
    ]


@pytest.mark.parametrize("reactions", [False, True])
async def test_no_reaction_and_no_file_is_left_out_without_a_word(
    make_talkjs: MakeTalkJS, other: Emulator, tmp_path: Path, reactions: bool
) -> None:
    talkjs = make_talkjs()
    await upsert_users(talkjs, [{"id": "a", "name": "A"}])
    await upsert_conversations(talkjs, [{"id": "c", "participants": ["a"]}])
    token = (await talkjs.files.upload(b"bytes", filename="x.txt")).token
    carries_a_file = await talkjs.messages.send("c", sender="a", attachment_token=token)
    plain, liked, undone = [
        await talkjs.messages.send("c", sender="a", text=text)
        for text in ("plain", "liked", "undone")
    ]
    for message in (carries_a_file, liked, undone):
        await talkjs.reactions.add("c", message_id=message.id, emoji="👍", user_id="a")
    await talkjs.reactions.remove("c", message_id=undone.id, emoji="👍", user_id="a")

    exported = await export(talkjs, tmp_path / "before", reactions=reactions)
    async with AsyncTalkJS("emulator", "sk_test_emulator", transport=other.transport,
                           clock=other.clock) as target:  # fmt: skip
        restored = await restore(target, tmp_path / "before")

    assert (True, 1 if reactions else 2) == (exported.ok, exported.with_losses)
    lost = {record.id: record.reason for record in restored.records("done") if record.reason}
    assert lost == (
        {}
        if reactions
        else {f"message:{liked.id}": "lost: who has reacted to it, which is not in the export"}
    )
    assert len(lost) == restored.with_losses
    assert f"message:{carries_a_file.id}" in {one.id for one in restored.records("failed")}
    assert plain.id


async def one_of_two_is_refused(
    argument: str, copy: Callable[[Path], Awaitable[object]], directory: Path
) -> None:
    """Begin the same copy twice, each with a journal of its own."""
    refused: list[str] = []

    async def run(journal: Path) -> None:
        try:
            await copy(journal)
        except ConfigurationError as error:
            refused.append(str(error))

    async with anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(run, directory / f"journal-{number}")

    sentence = f"{argument}: is of an app that another job copies to now: wait for its end."
    assert [sentence] == refused


async def test_two_restores_at_once_double_nothing(
    make_talkjs: MakeTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.limits = Limits.off()
    export_of(
        tmp_path / "backup",
        users=[{"id": "ann", "name": "Ann"}],
        conversations=[{"id": "c1"}],
        participants=[{"conversationId": "c1", "userId": "ann"}],
        messages=[message("m1", "c1", "ann")],
        reactions=[],
    )
    talkjs = make_talkjs()

    # Neither ends before the other begins.
    emulator.faults.add("latency-0.5")
    await one_of_two_is_refused(
        "talkjs", lambda journal: restore(talkjs, tmp_path / "backup", journal=journal), tmp_path
    )

    assert 1 == len(emulator.commits.of("message.imported"))


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
        ('{"format": "talkjs-async export", "version": 1}', "is of format version 1"),
        ('{"format": "talkjs-async export", "version": 4}', "export.json is damaged"),
        (
            '{"format": "talkjs-async export", "version": 4, "appId": "a", "files": {"users": 7}}',
            "export.json is damaged",
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


@pytest.fixture
async def backup(make_talkjs: MakeTalkJS, emulator: Emulator, tmp_path: Path) -> Path:
    """An export of users, conversations and messages."""
    emulator.limits = Limits.off()
    talkjs = make_talkjs()
    await fill(talkjs)
    await export(talkjs, tmp_path / "before")
    return tmp_path / "before"


@pytest.fixture
async def empty_app(other: Emulator, anyio_backend: str) -> AsyncIterator[AsyncTalkJS]:
    async with AsyncTalkJS(
        "emulator", "sk_test_emulator", transport=other.transport, clock=other.clock
    ) as talkjs:
        yield talkjs


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("messages", lambda lines: lines[:5], "602 lines were written, and 5 are there"),
        ("conversations", lambda lines: lines[1:], "53 lines were written, and 52 are there"),
        ("participants", lambda _: [], "53 lines were written, and 0 are there"),
        ("users", lambda lines: [*lines[1:], lines[-1]], "its lines are not those"),
        ("users", lambda lines: [lines[0].replace("User", "Usor"), *lines[1:]], "not those"),
        ("users", lambda lines: [lines[0][:-3], *lines[1:]], "line 1 is no JSON object"),
        ("messages", None, "messages.jsonl is missing"),
    ],
)
async def test_an_export_that_is_not_whole_is_refused_before_anything_is_sent(
    backup: Path,
    empty_app: AsyncTalkJS,
    other: Emulator,
    name: str,
    damage: Callable[[list[str]], list[str]] | None,
    sentence: str,
) -> None:
    change(backup / f"{name}.jsonl", damage)

    with pytest.raises(ConfigurationError, match=sentence):
        await restore(empty_app, backup)

    assert 0 == other.requests.total


def change(path: Path, how: Callable[[list[str]], list[str]] | None) -> None:
    if how is None:
        path.unlink()
    else:
        path.write_text("".join(f"{line}\n" for line in how(path.read_text().splitlines())))


async def test_the_order_of_lines_does_not_matter(
    backup: Path, empty_app: AsyncTalkJS, tmp_path: Path
) -> None:
    for name in NEW:
        change(backup / name, lambda lines: random.Random(0).sample(lines, len(lines)))

    report = await restore(empty_app, backup)
    await export(empty_app, tmp_path / "after")

    assert report.ok
    for name in NEW:
        assert as_a_set(old(backup / name)) == as_a_set(old(tmp_path / "after" / name))


def as_a_set(records: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True) for record in records)


@pytest.mark.parametrize("there", ["users", "conversations"])
async def test_an_app_that_is_not_empty_is_refused_unless_told_otherwise(
    backup: Path, empty_app: AsyncTalkJS, other: Emulator, journal: Path, there: str
) -> None:
    if there == "users":
        await empty_app.users.upsert("someone", name="Someone")
    else:
        await empty_app.conversations.upsert("some")
    before = len(other.commits)

    with pytest.raises(ConfigurationError, match=f"has {there} already") as caught:
        await restore(empty_app, backup, journal=journal)
    refused = len(other.commits)
    report = await restore(empty_app, backup, journal=journal, into_existing=True)

    assert before == refused
    assert "into_existing=True" in str(caught.value)
    assert report.ok


async def test_a_journal_opens_no_app_to_the_export_of_another_one(
    talkjs: AsyncTalkJS, backup: Path, empty_app: AsyncTalkJS, journal: Path, tmp_path: Path
) -> None:
    third = Emulator(app_id="third", limits=Limits.off())
    async with AsyncTalkJS("third", third.secret_key, transport=third.transport) as another:
        await another.users.upsert("zoe", name="Zoe")
        await export(another, tmp_path / "other")
    assert (await restore(empty_app, backup, journal=journal)).ok

    with pytest.raises(ConfigurationError, match="journal: belongs to a restore of the app"):
        await restore(empty_app, tmp_path / "other", journal=journal)

    # A later export of the same app brings what is new.
    await talkjs.users.upsert("new", name="New")
    await export(talkjs, tmp_path / "later")
    report = await restore(empty_app, tmp_path / "later", journal=journal)
    assert 1 == report.done


async def test_the_app_that_was_exported_is_named(talkjs: AsyncTalkJS, backup: Path) -> None:
    with pytest.raises(ConfigurationError, match="it is the one that was exported"):
        await restore(talkjs, backup)


async def test_what_belongs_to_nothing_is_an_error(
    empty_app: AsyncTalkJS, other: Emulator, tmp_path: Path
) -> None:
    export_of(
        tmp_path / "odd",
        users=[{"id": "a", "name": "A"}],
        conversations=[{"id": "c"}],
        participants=[
            {"conversationId": "c", "userId": "a"},
            {"conversationId": "c", "userId": "nowhere"},
            {"conversationId": "gone", "userId": "a"},
        ],
        messages=[
            message("m1", "c", "a"),
            message("m2", "c", "nowhere"),
            message("m3", "gone", "a"),
        ],
    )

    report = await restore(empty_app, tmp_path / "odd")

    assert (False, 3, 4) == (report.ok, report.done, report.failed)
    assert {
        ("message:m2", "its sender is no user of the app, or could not be stored."),
        ("message:m3", "its conversation is not in the export, or could not be stored."),
        (
            'participant:["c", "nowhere"]',
            "its conversation or user is not in the export, or could not be stored.",
        ),
        (
            'participant:["gone", "a"]',
            "its conversation or user is not in the export, or could not be stored.",
        ),
    } == {(record.id, record.reason) for record in report.records("failed")}
    assert 1 == len(other.commits.of("message.imported"))


def message(id_: str, conversation: str, sender: str) -> dict[str, Any]:
    return {
        "id": id_,
        "type": "UserMessage",
        "conversationId": conversation,
        "senderId": sender,
        "text": id_,
        "createdAt": 1_700_000_000_000,
    }


def export_of(target: Path, **files: list[dict[str, Any]]) -> None:
    target.mkdir()
    lines = {}
    for name, records in files.items():
        file = LinesFile(target / f"{name}.jsonl", EMPTY)
        file.append(records)
        file.close()
        lines[name] = file.lines
    write_manifest(target, Manifest(app_id="another", complete=True, activity=None, files=lines))


@pytest.mark.parametrize(
    ("name", "record", "field"),
    [
        ("users", {"name": "x"}, "id"),
        ("users", {"id": 5, "name": "x"}, "id"),
        ("conversations", {"id": "", "subject": "x"}, "id"),
        ("participants", {"conversationId": "c1"}, "userId"),
        ("participants", {"userId": "ann"}, "conversationId"),
        ("messages", {"conversationId": "c1", "text": "x"}, "id"),
        ("messages", {"id": "m", "conversationId": None}, "conversationId"),
    ],
    ids=["none", "number", "empty", "no user", "of nothing", "message", "null"],
)
async def test_an_export_whose_counts_are_right_may_still_be_damaged(
    talkjs: AsyncTalkJS,
    emulator: Emulator,
    tmp_path: Path,
    name: str,
    record: dict[str, Any],
    field: str,
) -> None:
    """As a program leaves it that changes files and counts alike."""
    files: dict[str, list[dict[str, Any]]] = {
        "users": [{"id": "ann", "name": "Ann"}],
        "conversations": [{"id": "c1"}],
        "participants": [{"conversationId": "c1", "userId": "ann"}],
        "messages": [message("m1", "c1", "ann")],
    }
    files[name].append(record)
    export_of(tmp_path / "export", **files)

    with pytest.raises(ConfigurationError, match=f"is damaged: line 2 has no {field}"):
        await restore(talkjs, tmp_path / "export")

    assert not emulator.commits


ODD: list[Any] = [None, 5, "", [], {}, "x\ud83d", True, 1e300, -1, "\0", ...]
FIELDS = {
    "users": ("id", "name", "email", "custom", "role", "locale", "pushTokens", "photoUrl"),
    "conversations": ("id", "subject", "custom", "welcomeMessages", "photoUrl"),
    "participants": ("conversationId", "userId", "access", "notify", "readUntil"),
    "messages": (
        "id", "conversationId", "senderId", "type", "text", "content", "createdAt", "custom",
        "readBy", "editedAt", "referencedMessageId", "attachment", "location",
    ),
    "reactions": ("conversationId", "messageId", "emoji", "userId", "missing"),
}  # fmt: skip


@pytest.mark.harness
@pytest.mark.parametrize("engine", ["httpx"])
@pytest.mark.parametrize(
    # Without IDs the messages of reactions are read back.
    ("name", "answer"),
    [*((name, "ids") for name in FIELDS), ("reactions", "empty")],
)
async def test_whatever_a_field_holds_the_record_is_stored_or_fails_or_the_export_is_refused(
    make_talkjs: MakeTalkJS, tmp_path: Path, name: str, answer: Any
) -> None:
    files: dict[str, list[dict[str, Any]]] = {
        "users": [{"id": "ann", "name": "Ann"}, {"id": "bob", "name": "Bob"}],
        "conversations": [{"id": "c1"}, {"id": "c2"}],
        "participants": [{"conversationId": f"c{n}", "userId": "ann"} for n in (1, 2)],
        "messages": [message("m1", "c1", "ann"), message("m2", "c2", "ann")],
        "reactions": [
            {"conversationId": f"c{n}", "messageId": f"m{n}", "emoji": "👍", "userId": "ann"}
            for n in (1, 2)
        ],
    }
    for number, (field, value) in enumerate(product(FIELDS[name], ODD)):
        odd = {**files[name][0], field: value}
        if value is ...:
            del odd[field]
        target = tmp_path / str(number)
        export_of(target, **{**files, name: [odd, *files[name][1:]]})
        emulator = Emulator(limits=Limits.off())
        emulator.switches.import_answer = answer

        try:
            report = await restore(make_talkjs(transport=emulator.transport), target, settle=0.0)
        except ConfigurationError:
            assert not emulator.commits
        else:
            counted = report.done + report.failed
            assert report.complete
            assert counted == report.unchanged + len(list(report.records()))
