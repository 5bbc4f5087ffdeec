"""An export that is run again into the same directory, with what is newer."""

from __future__ import annotations

import json
import random
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, OutcomeUnknown, RetryPolicy
from talkjs_async.bulk import export, restore
from talkjs_async.bulk._engine.job_journal import JobJournal
from talkjs_async.bulk._engine.journal_file import JobIdentity
from talkjs_async.bulk.formats import export_update as update
from talkjs_async.bulk.formats.export_directory import NAMES, read_manifest, write_manifest
from talkjs_async.bulk.formats.json_lines import EMPTY
from talkjs_async.bulk.formats.sorted_export import SortedExport
from talkjs_async.emulator import Emulator
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "export"


async def chat(talkjs: AsyncTalkJS, emulator: Emulator, conversations: Sequence[str]) -> None:
    """A few conversations of alice, each with two messages, seconds apart."""
    await talkjs.users.upsert("alice", name="Alice")
    for id_ in conversations:
        await talkjs.conversations.upsert(id_, participants=["alice"], subject=f"About {id_}")
        for text in ("one", "two"):
            await emulator.clock.sleep(1.0)
            await talkjs.messages.send(id_, text=f"{text} in {id_}", sender="alice")
    await emulator.clock.sleep(1.0)


def records(target: Path, name: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (target / f"{name}.jsonl").read_text().splitlines()]
    return sorted(found, key=lambda record: json.dumps(record, sort_keys=True))


def texts(target: Path, conversation_id: str) -> list[str]:
    found = records(target, "messages")
    mine = [record for record in found if record["conversationId"] == conversation_id]
    return [record["text"] for record in sorted(mine, key=lambda record: record["createdAt"])]


def content(target: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(target.iterdir()) if path.is_file()}


def asked_for_messages(emulator: Emulator, since: int) -> set[str]:
    paths = [exchange.path for exchange in list(emulator.requests)[since:]]
    return {path.split("/")[-2] for path in paths if path.endswith("/messages")}


async def test_only_conversations_with_a_new_message_are_read_again(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path, tmp_path: Path
) -> None:
    await chat(talkjs, emulator, [f"c{number}" for number in range(40)])
    await export(talkjs, target)
    await talkjs.users.upsert("bob", name="Bob")
    await chat(talkjs, emulator, ["c7", "new"])
    before = len(emulator.requests)

    report = await export(talkjs, target)

    # c39 had the latest activity when the first export began: that moment is read again.
    assert {"c7", "new", "c39"} == asked_for_messages(emulator, before)
    assert 2 + 3 + (2 + 2 + 4) == report.done
    await export(talkjs, tmp_path / "anew")
    for name in NAMES:
        assert records(tmp_path / "anew", name) == records(target, name)


async def test_all_pages_of_active_conversations_are_read(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    everything = [f"c{number}" for number in range(70)]
    await chat(talkjs, emulator, everything)
    await export(talkjs, target)
    await chat(talkjs, emulator, everything[:65])
    before = len(emulator.requests)

    await export(talkjs, target)

    assert {*everything[:65], "c69"} == asked_for_messages(emulator, before)


async def test_an_update_says_what_it_cannot_see_and_is_never_complete(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    await chat(talkjs, emulator, ["quiet", "busy", "last"])
    first = await export(talkjs, target)
    quiet, busy = [(await talkjs.messages.list(id_).first()) for id_ in ("quiet", "busy")]
    assert quiet is not None
    assert busy is not None
    for message in (quiet, busy):
        await talkjs.messages.edit(message.conversation_id, message_id=message.id, text="edited")
    await talkjs.conversations.upsert("quiet", subject="Another")
    await chat(talkjs, emulator, ["busy"])

    report = await export(talkjs, target)

    assert (True, True, None) == (first.ok, first.complete, first.caveat)
    assert (False, False) == (report.ok, report.complete)
    assert "edited, deleted or imported there" in str(report.caveat)
    assert report is report.raise_for_failed()
    assert not read_manifest(target).complete
    assert ["one in busy", "edited", "one in busy", "two in busy"] == texts(target, "busy")
    assert ["one in quiet", "two in quiet"] == texts(target, "quiet")


async def test_a_third_run_goes_on_from_the_second(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    before = 0
    for number in range(4):
        await chat(talkjs, emulator, [f"c{number}"])
        before = len(emulator.requests)
        await export(talkjs, target)

    assert {"c2", "c3"} == asked_for_messages(emulator, before)
    assert [f"c{number}" for number in range(4)] == [
        record["id"] for record in records(target, "conversations")
    ]


async def test_an_empty_app_has_no_earlier_activity(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    assert (await export(talkjs, target)).complete
    await chat(talkjs, emulator, ["c"])

    report = await export(talkjs, target)

    assert (4, ["one in c", "two in c"]) == (report.done, texts(target, "c"))


async def test_a_conversation_that_moves_while_the_list_is_read_is_in_it(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    await chat(talkjs, emulator, ["first"])
    await export(talkjs, target)
    await chat(talkjs, emulator, [f"c{number}" for number in range(70)])
    emulator.latency = lambda _: (2.0, 2.0)
    clock = emulator.clock

    async with export(talkjs, target) as job:
        # The first page is there, and the second one on its way, when the oldest of the new ones
        # gets a message.
        await clock.sleep(7.5)
        await talkjs.messages.send("c0", text="moved", sender="alice")

    assert job.report.caveat
    assert "c0" in {record["id"] for record in records(target, "conversations")}
    assert "one in c0" in texts(target, "c0")


@pytest.mark.parametrize("gone", ["newer", "newer/users.jsonl", "newer/messages.jsonl"])
async def test_an_interrupted_update_whose_newer_files_are_gone_reads_them_again(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path, tmp_path: Path, gone: str
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    await interrupted_update(talkjs, emulator, target)
    if gone == "newer":
        shutil.rmtree(target / gone)
    else:
        (target / gone).unlink()

    report = await export(talkjs, target)

    assert report.caveat
    await export(talkjs, tmp_path / "anew")
    for name in NAMES:
        assert records(tmp_path / "anew", name) == records(target, name)


async def test_an_interrupted_update_whose_manifest_is_gone_is_refused(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    await interrupted_update(talkjs, emulator, target)
    manifest = (target / "export.json").read_bytes()
    (target / "export.json").unlink()
    before = content(target)

    with pytest.raises(ConfigurationError, match=r"export\.json is gone.*: put it back, or"):
        await export(talkjs, target)

    before.pop("export.journal")
    assert before.items() <= content(target).items()
    (target / "export.json").write_bytes(manifest)
    assert (await export(talkjs, target)).caveat


async def interrupted_update(talkjs: AsyncTalkJS, emulator: Emulator, target: Path) -> None:
    """Leave an update that has noted some of the newer files."""
    await chat(talkjs, emulator, ["c", "d"])
    await export(talkjs, target)
    await chat(talkjs, emulator, ["d", "e"])
    emulator.faults.add("reset-before-commit", on="GET /conversations/e/messages", first=1)
    with pytest.raises(OutcomeUnknown):
        await export(talkjs, target)
    emulator.faults.clear()
    assert (target / "newer" / "users.jsonl").read_bytes()


async def test_an_interrupted_update_leaves_the_earlier_export_and_ends_the_same(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path, tmp_path: Path
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    await chat(talkjs, emulator, [f"c{number}" for number in range(35)])
    await export(talkjs, target)
    await chat(talkjs, emulator, [f"c{number}" for number in range(0, 35, 2)])
    earlier = content(target)
    interruptions, report = 0, None

    for number in range(1, 100, 3):
        emulator.faults.clear()
        emulator.faults.add("reset-before-commit", on="GET", nth=number)
        try:
            report = await export(talkjs, target)
            break
        except OutcomeUnknown:
            interruptions += 1
            assert earlier == {
                name: data for name, data in content(target).items() if "journal" not in name
            }
            # It can be restored at any time.
            SortedExport.of(target, tmp_path / f"sorted{number}")

    emulator.faults.clear()
    assert interruptions >= 3
    assert report is not None
    assert report.caveat
    assert earlier.keys() == content(target).keys()
    await export(talkjs, tmp_path / "anew")
    for name in NAMES:
        assert records(tmp_path / "anew", name) == records(target, name)


async def test_putting_the_new_files_in_place_can_be_done_again_where_it_stopped(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    await chat(talkjs, emulator, ["c"])
    await export(talkjs, target)
    earlier = read_manifest(target)
    update.make_directory(target)
    for name in NAMES:
        (update.newer_files(target) / f"{name}.jsonl").write_bytes(
            (target / f"{name}.jsonl").read_bytes()
        )
    whole = update.merge(target, earlier, earlier.files)
    before = content(target)
    # As after the end of the process in the middle of it.
    (target / "export.json").unlink()
    (update.newer_files(target) / "users.jsonl").replace(target / "users.jsonl")

    update.check_whole(target, whole)
    update.replace(target)
    update.check_whole(target, whole)
    update.replace(target)

    assert earlier.files == whole
    assert {name: data for name, data in before.items() if name != "export.json"} == content(target)
    assert not update.newer_files(target).exists()


async def test_an_export_of_another_app_is_left_alone(
    make_talkjs: MakeTalkJS, talkjs: AsyncTalkJS, target: Path
) -> None:
    await export(talkjs, target)
    write_manifest(target, attrs.evolve(read_manifest(target), app_id="other"))
    before = content(target)

    for dry_run in (False, True):
        with pytest.raises(ConfigurationError, match="holds an export of the app other, and this"):
            await export(talkjs, target, dry_run=dry_run)

    assert before == content(target)


async def test_a_damaged_export_is_not_brought_up_to_date(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    await chat(talkjs, emulator, ["c1", "c2"])
    await export(talkjs, target)
    lines = (target / "messages.jsonl").read_bytes().splitlines(keepends=True)
    (target / "messages.jsonl").write_bytes(b"".join(lines[:-1]))
    before = content(target)

    with pytest.raises(ConfigurationError, match="is damaged: 4 lines were written, and 3 are"):
        await export(talkjs, target)

    after = content(target)
    assert before == {name: after[name] for name in before}


async def test_a_dry_run_counts_what_an_update_would_read(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    await chat(talkjs, emulator, [f"c{number}" for number in range(5)])
    await export(talkjs, target)
    before = content(target)
    await chat(talkjs, emulator, ["c1"])

    report = await export(talkjs, target, dry_run=True)

    # alice, c1, and c4 with what was the latest activity. The latest activity now, a page of users,
    # one of conversations, that one once more, since what is active may have moved, and one of
    # messages for each of two.
    assert (3, 6) == (report.planned, report.planned_requests)
    assert report.caveat
    assert before == content(target)


async def test_an_export_that_was_brought_up_to_date_can_be_restored(
    make_talkjs: MakeTalkJS, talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    await chat(talkjs, emulator, ["c1", "c2"])
    await export(talkjs, target)
    await chat(talkjs, emulator, ["c2"])
    await export(talkjs, target)
    other = Emulator()
    client = AsyncTalkJS(
        other.app_id, other.secret_key, transport=other.transport, clock=other.clock
    )

    report = await restore(client, target)

    assert (True, 1 + 2 + 6) == (report.ok, report.done)
    restored = [message.text for message in await client.messages.list("c2").collect()]
    assert ["two in c2", "one in c2", "two in c2", "one in c2"] == restored
    await client.aclose()


async def test_others_cannot_read_an_export_nor_a_journal(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    def modes() -> dict[str, int]:
        paths = [target, *target.rglob("*")]
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}

    await chat(talkjs, emulator, ["c1", "c2"])
    seen: dict[str, int] = {}
    for _ in range(2):
        async with export(talkjs, target) as job:
            async for _progress in job:
                seen |= modes()
        seen |= modes()

    assert {"export.journal", "export.json", "messages.jsonl", "newer"} <= seen.keys()
    directories = {"export", "newer"}
    assert {name: 0o700 if name in directories else 0o600 for name in seen} == seen


@pytest.mark.parametrize("left", ["nothing", "something else"])
async def test_an_update_whose_new_files_are_gone_leaves_the_earlier_export(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path, left: str
) -> None:
    talkjs = make_talkjs()
    await chat(talkjs, emulator, ["c"])
    await export(talkjs, target)
    await chat(talkjs, emulator, ["d"])
    before = content(target)
    journal = await JobJournal.open(
        target / "export.journal", JobIdentity(kind="export", app_id=emulator.app_id)
    )
    places = {name: dict(EMPTY) for name in NAMES}
    whole = {name: {"lines": 9, "digest": "99"} for name in NAMES}
    await journal.move({**places, "updates": True, "since": 0.0, "activity": 0, "whole": whole})
    await journal.close()
    if left != "nothing":
        update.make_directory(target)
        (update.newer_files(target) / "messages.whole").write_text("{}\n")

    with pytest.raises(ConfigurationError, match="is damaged"):
        await export(talkjs, target)

    del before["export.json"]
    assert before.items() <= content(target).items()
    assert read_manifest(target).complete


async def test_a_manifest_with_a_changed_byte_is_never_brought_up_to_date(
    talkjs: AsyncTalkJS, emulator: Emulator, target: Path
) -> None:
    await chat(talkjs, emulator, ["c"])
    await export(talkjs, target)
    written = (target / "export.json").read_bytes()
    good = read_manifest(target)
    chance = random.Random(0)

    for _ in range(300):
        changed = bytearray(written)
        changed[chance.randrange(len(changed))] ^= chance.randrange(1, 256)
        (target / "export.json").write_bytes(changed)
        with suppress(ConfigurationError):
            # White space may differ.
            assert good == read_manifest(target)
