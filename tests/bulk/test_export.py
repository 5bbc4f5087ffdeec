from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkjs_async import (
    AsyncTalkJS,
    ConfigurationError,
    DecodeError,
    OutcomeUnknown,
    RetryPolicy,
    TokenBucket,
)
from talkjs_async.bulk import (
    StorageError,
    export,
    restore,
    send_messages,
    upsert_conversations,
    upsert_users,
)
from talkjs_async.emulator import Emulator, Limits
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


FILES = ("users.jsonl", "conversations.jsonl", "participants.jsonl", "messages.jsonl")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "export"


async def fill(talkjs: AsyncTalkJS, conversations: int, messages: int, users: int = 3) -> None:
    """A chat where the first conversation has most of the messages, and some have none."""
    await upsert_users(talkjs, ({"id": f"u{n}", "name": f"Ü {n}"} for n in range(users)))
    await upsert_conversations(
        talkjs,
        ({"id": f"c {n}", "participants": [f"u{n % users}"]} for n in range(conversations)),
    )
    places = [min(n % (2 * conversations), conversations - 1) for n in range(messages)]
    await send_messages(
        talkjs,
        (
            {
                "conversation_id": f"c {conversations - 1 - n}",
                "sender": f"u{(conversations - 1 - n) % users}",
                "text": f"{k}",
            }
            for k, n in enumerate(places)
        ),
    )


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def put(path: Path, content: bytes = b"something") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def content(target: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(target.iterdir())}


async def test_an_export_has_all_there_is(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path
) -> None:
    emulator.limits = Limits.off()
    talkjs = make_talkjs(limiter=TokenBucket(rate=1e5, burst=10_000, clock=emulator.clock))
    await fill(talkjs, conversations=70, messages=1_000, users=230)

    report = await export(talkjs, target)

    assert (True, 230 + 70 + 1_000) == (report.ok, report.done)
    assert [*FILES, "export.json"] == sorted(content(target), key=[*FILES, "export.json"].index)
    users = await talkjs.users.list().collect()
    assert [user.id for user in users] == [user["id"] for user in lines(target / "users.jsonl")]
    chats = lines(target / "conversations.jsonl")
    # They were made side by side, in no order.
    assert sorted(f"c {n}" for n in range(70)) == sorted(chat["id"] for chat in chats)
    participants = lines(target / "participants.jsonl")
    assert ("c 3", "u3") in {(line["conversationId"], line["userId"]) for line in participants}
    messages = []
    for chat in chats:
        messages += [message.id for message in await talkjs.messages.list(chat["id"]).collect()]
    assert messages == [message["id"] for message in lines(target / "messages.jsonl")]
    manifest = json.loads((target / "export.json").read_bytes())
    counts = {name: file.pop("lines") for name, file in manifest["files"].items()}
    digests = {len(bytes.fromhex(file["digest"])) for file in manifest.pop("files").values()}
    assert isinstance(manifest.pop("activity"), int | float)
    assert 32 == len(manifest.pop("digest"))
    assert {
        "format": "talkjs-async export",
        "version": 4,
        "appId": "emulator",
        "complete": True,
    } == manifest
    assert {"users": 230, "conversations": 70, "participants": 70, "messages": 1_000} == counts
    assert {16} == digests
    assert [] == list(report.records())


async def test_fields_that_nobody_knows_are_kept(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path
) -> None:
    talkjs = make_talkjs()
    await fill(talkjs, conversations=1, messages=1)

    await export(talkjs, target)

    (message,) = lines(target / "messages.jsonl")
    assert await talkjs.request("GET", f"/conversations/c%200/messages/{message['id']}") == message


async def test_conversations_are_read_through_both_budgets(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path
) -> None:
    emulator.limits = Limits.off()
    await fill(make_talkjs(), conversations=1_500, messages=0)
    emulator.limits = Limits(burst=100, initial_tokens=100, batch_burst=20, initial_batch_tokens=20)
    clock = emulator.clock
    talkjs = make_talkjs(
        limiter=TokenBucket(burst=100, background_reserve=0, clock=clock),
        batch_limiter=TokenBucket(1.0, 20, background_reserve=0, clock=clock),
    )
    before = emulator.requests.total

    report = await export(talkjs, target)

    batches = emulator.requests.find("POST /batch")
    assert {10} == {len(batch.operations) for batch in batches}
    assert {200} == {exchange.status for exchange in list(emulator.requests)[before:]}
    # 1 page of users, 53 of conversations, 1,500 of messages: 100 + 9 t + 10 (20 + t).
    assert pytest.approx((1_554 - 300) / 19, rel=0.05) == report.seconds
    assert emulator.requests.total - before == report.requests


async def test_an_interrupted_export_goes_on_and_ends_byte_for_byte_the_same(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path, tmp_path: Path
) -> None:
    emulator.limits = Limits.off()
    bucket = TokenBucket(rate=1e5, burst=10_000, clock=emulator.clock)
    await fill(make_talkjs(limiter=bucket), conversations=95, messages=900, users=230)
    await export(make_talkjs(limiter=bucket), tmp_path / "whole")
    passes, complete = 0, False
    for number in range(1, 200, 9):
        emulator.faults.clear()
        emulator.faults.add("reset-before-commit", on="GET", nth=number)
        talkjs = make_talkjs(limiter=bucket, retry=RetryPolicy(attempts=1))
        try:
            complete = (await export(talkjs, target)).ok
        except OutcomeUnknown:
            passes += 1
        else:
            break

    assert passes >= 3
    assert complete
    assert content(tmp_path / "whole") == content(target)


async def test_stopping_an_export_leaves_something_to_go_on_with(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path, tmp_path: Path
) -> None:
    emulator.limits = Limits.off()
    talkjs = make_talkjs(limiter=TokenBucket(rate=1e5, burst=10_000, clock=emulator.clock))
    await fill(talkjs, conversations=200, messages=500)
    messages = await talkjs.messages.list("c 0").collect()
    for message in messages:
        await talkjs.reactions.add("c 0", message_id=message.id, emoji="👍", user_id="u0")
    whole = await export(talkjs, tmp_path / "whole")
    job = export(talkjs, target)

    async with job:
        async for progress in job:
            if progress.done > 50:
                job.stop()
    stopped = job.report
    between = content(target)
    report = await export(talkjs, target)

    assert (False, True) == (stopped.complete, report.complete)
    assert len(messages) == whole.with_losses == report.with_losses > 0
    assert {"export.journal", *FILES} == between.keys()
    assert all(text.endswith(b"\n") or not text for name, text in between.items() if name in FILES)
    assert content(tmp_path / "whole") == content(target)


async def test_what_was_written_behind_the_noted_place_is_cut_off(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path, tmp_path: Path
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    await fill(talkjs, conversations=40, messages=100)
    await export(talkjs, tmp_path / "whole")
    emulator.faults.add("reset-before-commit", on="GET /conversations", nth=3)
    with pytest.raises(OutcomeUnknown):
        await export(talkjs, target)
    with (target / "messages.jsonl").open("ab") as file:
        file.write(b'{"id": "half a li')

    await export(talkjs, target)

    assert content(tmp_path / "whole") == content(target)


async def test_a_file_that_has_shrunk_is_an_error(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path
) -> None:
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    await fill(talkjs, conversations=40, messages=100)
    emulator.faults.add("reset-before-commit", on="GET /conversations", nth=3)
    with pytest.raises(OutcomeUnknown):
        await export(talkjs, target)
    put(target / "users.jsonl", b"{")

    with pytest.raises(StorageError, match="cannot be used: it is shorter"):
        await export(talkjs, target)


async def test_a_directory_with_anything_else_in_it_is_refused_and_left_alone(
    talkjs: AsyncTalkJS, target: Path
) -> None:
    put(target / "holiday.jpg")

    with pytest.raises(ConfigurationError, match="is not empty"):
        await export(talkjs, target)

    assert {"holiday.jpg": b"something"} == content(target)


async def test_a_target_that_is_a_file_or_nowhere_is_refused(
    talkjs: AsyncTalkJS, tmp_path: Path
) -> None:
    put(tmp_path / "file")

    with pytest.raises(ConfigurationError, match="is a file"):
        await export(talkjs, tmp_path / "file")
    with pytest.raises(ConfigurationError, match="does not exist"):
        await export(talkjs, tmp_path / "no" / "where")


async def test_a_conversation_that_is_deleted_meanwhile_has_no_messages(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path
) -> None:
    talkjs = make_talkjs()
    await fill(talkjs, conversations=3, messages=30)
    emulator.faults.add("return-404", on="GET /conversations/c%201/messages")

    report = await export(talkjs, target)

    assert report.ok
    assert "c 1" not in {message["conversationId"] for message in lines(target / "messages.jsonl")}


async def test_participants_may_come_as_an_empty_list(
    make_talkjs: MakeTalkJS, emulator: Emulator, target: Path
) -> None:
    emulator.switches.empty_participants = "list"
    talkjs = make_talkjs()
    await talkjs.conversations.upsert("c")

    report = await export(talkjs, target)

    assert (1, []) == (report.done, lines(target / "participants.jsonl"))


@pytest.mark.parametrize("body", [[], {"data": {}}, {"data": [{"name": "x"}]}, {"data": [7]}])
async def test_an_answer_that_is_no_list_is_an_error(
    make_talkjs: MakeTalkJS, target: Path, body: Any
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))

    with pytest.raises(DecodeError):
        await export(make_talkjs(transport=transport), target)


def _flip(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content))
    return (
        content[:place] + bytes([content[place] ^ chance.randrange(1, 256)]) + content[place + 1 :]
    )


def _swap(content: bytes, chance: random.Random) -> bytes:
    return b"".join(reversed(content.splitlines(keepends=True)))


def _double(content: bytes, chance: random.Random) -> bytes:
    whole = content.splitlines(keepends=True)
    return chance.choice(whole) + content


CHANGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "a byte": _flip,
    "the order": _swap,
    "a line twice": _double,
    "line breaks of Windows": lambda content, _: content.replace(b"\n", b"\r\n"),
    "nothing": lambda content, _: content,
}


@pytest.mark.parametrize("engine", ["httpx"])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", CHANGES)
async def test_an_export_does_not_go_on_with_files_that_have_changed(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    target: Path,
    tmp_path: Path,
    name: str,
    change: str,
) -> None:
    emulator.limits = Limits.off()
    bucket = TokenBucket(rate=1e5, burst=10_000, clock=emulator.clock)
    talkjs = make_talkjs(limiter=bucket)
    await fill(talkjs, conversations=95, messages=300)
    await export(talkjs, tmp_path / "whole")
    job = export(talkjs, target)
    async with job:
        async for progress in job:
            if progress.done > 200:
                job.stop()
    before = (target / name).read_bytes()
    changed = CHANGES[change](before, random.Random(name))
    put(target / name, changed)

    refused = ""
    try:
        assert (await export(talkjs, target)).complete
    except ConfigurationError as error:
        refused = str(error)

    if change == "a byte" and not refused:
        # It lies behind what the journal has noted, which is read again.
        assert content(tmp_path / "whole") == content(target)
    elif before == changed:
        assert ("", content(tmp_path / "whole")) == (refused, content(target))
    else:
        assert "was changed since it was written" in refused


@pytest.mark.parametrize("name", FILES)
async def test_a_pipe_among_the_files_of_an_export_is_not_waited_for(
    make_talkjs: MakeTalkJS, talkjs: AsyncTalkJS, emulator: Emulator, target: Path, name: str
) -> None:
    await fill(talkjs, conversations=2, messages=4)
    await export(talkjs, target)
    (target / name).unlink()
    os.mkfifo(target / name)

    with pytest.raises(ConfigurationError, match="is damaged: it is no file"):
        await restore(talkjs, target, into_existing=True)
