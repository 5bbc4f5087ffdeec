from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from talkjs_async import (
    APIError,
    AsyncTalkJS,
    ConfigurationError,
    LocationBlock,
    OwnBudgets,
    TokenBucket,
)
from talkjs_async.bulk import BulkReport, export
from talkjs_async.bulk import transfer as public_transfer
from talkjs_async.bulk._downloads import Downloads
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.bulk.transfer import TransferStep
from talkjs_async.emulator import Emulator, Limits
from tests.bulk.test_restore import lines, old, one_of_two_is_refused

pytestmark = pytest.mark.anyio

LISTS = ("users", "conversations", "participants", "messages", "reactions")


@pytest.fixture
def emulator() -> Emulator:
    """The app that is copied."""
    return Emulator(app_id="from", limits=Limits.off())


@pytest.fixture
def other(emulator: Emulator) -> Emulator:
    """The app that it is copied into."""
    return Emulator(app_id="into", clock=emulator.clock, limits=Limits.off())


@pytest.fixture
async def target(other: Emulator, anyio_backend: str) -> AsyncIterator[AsyncTalkJS]:
    async with AsyncTalkJS(
        "into", "sk_test_emulator", transport=other.transport, clock=other.clock
    ) as talkjs:
        yield talkjs


Transfer = Callable[..., Job]


@pytest.fixture
def transfer(talkjs: AsyncTalkJS, target: AsyncTalkJS, emulator: Emulator) -> Transfer:
    """A transfer whose files come from the emulator, without a network."""

    def make(
        *, journal: Path | None = None, dry_run: bool = False, files: Any = emulator.transport
    ) -> Job:
        downloads = Downloads(most_bytes=1_000_000, seconds=10.0, transport=files)
        step = TransferStep(JobClient(talkjs, "background"), journal, 0.5, downloads)
        return Job(step, target, journal=journal, job_id=None, lane="background", dry_run=dry_run)

    return make


async def fill(talkjs: AsyncTalkJS) -> None:
    """Put one of everything into an app."""
    for user_id in ("ann", "bob", "eve", "Zoë/1"):
        await talkjs.users.upsert(user_id, name=user_id.title(), custom={"k": "v"})
    await talkjs.conversations.upsert(
        "c1", participants=["ann", "bob", "eve"], subject="Trip", custom={"a": "b"}
    )
    await talkjs.conversations.upsert("c2", participants=["bob", "Zoë/1"], welcome_messages=["hi"])
    await talkjs.conversations.upsert("empty")
    send = talkjs.messages.send
    first = await send("c1", sender="ann", text="Schöne *Grüße*", custom={"n": "1"})
    await talkjs.messages.send_many("c1", [{"type": "SystemMessage", "text": "Ann came"}])
    token = (await talkjs.files.upload(b"1234567", filename="a b.txt")).token
    again = await send("c1", sender="bob", attachment_token=token)
    await send("c2", sender="bob", attachment_token=token)
    await send("c1", sender="eve", content=[LocationBlock(latitude=51.5, longitude=-3.25)])
    await send("c1", sender="eve", text="Yes", referenced_message_id=first.id)
    await talkjs.messages.edit("c1", message_id=first.id, text="Schöne *Grüße*!")
    for emoji, user_id in (("👍", "bob"), ("👍", "eve"), (":party:", "ann")):
        await talkjs.reactions.add("c1", message_id=first.id, emoji=emoji, user_id=user_id)
    await talkjs.reactions.add("c1", message_id=again.id, emoji="❤️", user_id="ann")
    await talkjs.participants.update("c1", user_id="bob", access="Read", notify="MentionsOnly")
    # Not both are in force under all switches; where neither is, nobody has read anything.
    for form in ("participant", "user_conversation"):
        with suppress(APIError):
            await talkjs.conversations.mark_as_read("c1", user_id="bob", form=form)
    # Eve has written, and left.
    await talkjs.participants.remove("c1", user_id="eve")


def without_form(other: Emulator) -> int:
    """How many of the messages of `fill` cannot be imported: see `has_older_form`."""
    return 2 if other.switches.import_rules == "older" else 0  # one of the system, and a place


def failures(report: BulkReport) -> list[str]:
    """Why records failed, but for those that the older rules of imports have no form for."""
    reasons = [record.reason or "" for record in report.records("failed")]
    return [one for one in reasons if "the older rules take texts of users only" not in one]


def has_older_form(message: dict[str, Any]) -> bool:
    """Whether the older rules of imports have a form for a message."""
    return message["type"] == "UserMessage" and message["location"] is None


async def contents(
    talkjs: AsyncTalkJS, folder: Path, *, target: Emulator | None = None
) -> dict[str, list[dict[str, Any]]]:
    """
    What an app has, without what TalkJS gives anew.

    With a *target*, only what it has a form for.
    """
    await export(talkjs, folder, reactions=True)
    names: dict[str, str] = {}
    for message in lines(folder / "messages.jsonl"):
        names[message["id"]] = (
            f"{message['conversationId']} {message['createdAt']} {message['text']}"
        )
    found = {name: old(folder / f"{name}.jsonl") for name in LISTS if name != "reactions"}
    for message in found["messages"]:
        message.pop("reactions", None)
        for name in ("referencedMessageId", "editedAt", "readBy"):
            message.pop(name, None)
        for block in [*(message.get("content") or ()), message.get("attachment") or {}]:
            block.pop("fileToken", None)
            if "url" in block:
                block["url"] = block["url"].rpartition("/")[2]
    for participant in found["participants"]:
        participant.pop("joinedAt", None)
    for conversation in found["conversations"]:
        conversation.pop("everyoneReadUntil", None)
    if target is not None and without_form(target):
        found["messages"] = list(filter(has_older_form, found["messages"]))
    reactions = lines(folder / "reactions.jsonl")
    found["reactions"] = sorted(
        ({**one, "messageId": names[one["messageId"]]} for one in reactions), key=str
    )
    for name in ("messages", "participants"):
        found[name].sort(key=str)
    return found


async def test_a_copy_has_all_that_the_source_has(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, transfer: Transfer, other: Emulator, tmp_path: Path
) -> None:
    await fill(talkjs)

    report = await transfer()

    assert (without_form(other), []) == (report.failed, failures(report))
    wanted = await contents(talkjs, tmp_path / "a", target=other)
    assert wanted == await contents(target, tmp_path / "b")


async def test_what_is_lost_is_said_of_each_record(talkjs: AsyncTalkJS, transfer: Transfer) -> None:
    await fill(talkjs)

    report = await transfer()

    lost = sorted(record.reason or "" for record in report.records("done") if record.reason)
    assert 2 == report.with_losses
    assert "lost: that it was edited" == lost[1]
    assert lost[0].startswith("lost: that it answers msg_")


async def test_a_second_run_brings_what_is_new_and_nothing_twice(
    talkjs: AsyncTalkJS,
    target: AsyncTalkJS,
    transfer: Transfer,
    other: Emulator,
    journal: Path,
    tmp_path: Path,
) -> None:
    await fill(talkjs)
    await transfer(journal=journal)
    before = other.requests.total
    again = await transfer(journal=journal)
    writes = [one for one in list(other.requests)[before:] if one.method != "GET"]
    stored = [one for one in writes if one.status == 200]
    await talkjs.users.upsert("new", name="New")
    await talkjs.conversations.upsert("c3", participants=["new"])
    sent = await talkjs.messages.send("c3", sender="new", text="hello")
    await talkjs.messages.send("c1", sender="ann", text="later")
    await talkjs.reactions.add("c3", message_id=sent.id, emoji="👍", user_id="ann")

    report = await transfer(journal=journal)

    assert (0, []) == (again.done, stored)
    # What was refused is tried once more.
    assert (again.failed == 0) == (not writes)
    assert [without_form(other)] * 2 == [again.failed, report.failed]
    # A user, a conversation, two messages, and a reaction where the source shows them.
    new = 4 if other.switches.reactions_shape == "absent" else 5
    assert (new, []) == (report.done, failures(report))
    wanted = await contents(talkjs, tmp_path / "a", target=other)
    assert wanted == await contents(target, tmp_path / "b")
    assert not journal.with_name("journal-copy").exists()


async def test_nothing_is_stored_in_a_conversation_that_was_there(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, transfer: Transfer, journal: Path
) -> None:
    await fill(talkjs)
    await target.users.upsert("mia", name="Mia")
    await target.conversations.upsert("c1", participants=["mia"])
    await target.messages.send("c1", sender="mia", text="mine")

    report = await transfer(journal=journal)
    again = await transfer(journal=journal)

    texts = [message.text async for message in target.messages.list("c1")]
    assert (["mine"], ["mia"]) == (texts, [*(await target.conversations.get("c1")).participants])
    assert (False, False) == (report.ok, again.ok)
    assert "conversation:c1" in {record.id for record in again.records("failed")}
    # Its five messages, its reactions and participants are reported, and the rest is there.
    assert 1 == len([message async for message in target.messages.list("c2")])


async def test_one_app_is_not_copied_into_itself(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match="target"):
        public_transfer(talkjs, talkjs.with_options(lane="background"))


async def test_two_transfers_at_once_double_nothing(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, transfer: Transfer, other: Emulator, tmp_path: Path
) -> None:
    await fill(talkjs)

    # Neither ends before the other begins.
    other.faults.add("latency-0.5")
    await one_of_two_is_refused("target", lambda journal: transfer(journal=journal), tmp_path)

    wanted = await contents(talkjs, tmp_path / "a", target=other)
    assert wanted == await contents(target, tmp_path / "b")
    # Neither an end nor an error keeps the next one out.
    assert (await transfer(dry_run=True)).complete
    assert (await transfer()).complete


async def test_two_sources_at_once_never_meet_in_a_conversation(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, transfer: Transfer
) -> None:
    third = Emulator(app_id="third", limits=Limits.off())
    async with AsyncTalkJS("third", third.secret_key, transport=third.transport) as another:
        for source in (talkjs, another):
            await source.users.upsert("ann", name="Ann")
            await source.conversations.upsert("c", participants=["ann"])
            await source.messages.send("c", text=source.app_id, sender="ann")
        jobs = [transfer(), public_transfer(another, target)]
        refused: list[str] = []

        async def run(job: Job) -> None:
            try:
                await job
            except ConfigurationError as error:
                refused.append(str(error))

        async with anyio.create_task_group() as tasks:
            for job in jobs:
                tasks.start_soon(run, job)

    assert ["target: is of an app that another job copies to now: wait for its end."] == refused
    assert 1 == len(await target.messages.list("c").collect())


async def test_a_journal_belongs_to_one_source(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, emulator: Emulator, journal: Path
) -> None:
    await public_transfer(talkjs, target, journal=journal)
    third = AsyncTalkJS("third", "sk_test_emulator", transport=emulator.transport)

    with pytest.raises(ConfigurationError, match="belongs to a transfer of the app 'from'"):
        await public_transfer(third, target, journal=journal)


async def test_a_dry_run_stores_nothing_and_says_what_would_be(
    talkjs: AsyncTalkJS, transfer: Transfer, other: Emulator
) -> None:
    await fill(talkjs)

    plan = await transfer(dry_run=True)
    nothing = list(other.commits)
    done = await transfer()

    assert [] == nothing
    assert plan.planned == done.done + without_form(other)
    assert plan.planned_requests <= done.requests


@pytest.mark.parametrize("rules", ["current", "older"])
@pytest.mark.parametrize("answer", ["ids", "empty"])
async def test_reactions_find_their_messages_also_where_an_import_tells_no_ids(
    talkjs: AsyncTalkJS,
    target: AsyncTalkJS,
    transfer: Transfer,
    other: Emulator,
    rules: Any,
    answer: Any,
) -> None:
    other.switches.import_rules, other.switches.import_answer = rules, answer
    await fill(talkjs)

    report = await transfer()

    emoji = [
        sorted(message.reactions)
        async for message in target.messages.list("c1")
        if message.reactions
    ]
    assert [[":party:", "👍"], ["❤️"]] == sorted(emoji)
    # The older rules have neither system messages nor places.
    failed = [record.id for record in report.records("failed")]
    assert (0 if rules == "current" else 2) == len(failed)


async def test_batches_are_full_where_the_budgets_are_the_limit(
    talkjs: AsyncTalkJS, emulator: Emulator, other: Emulator
) -> None:
    people = [f"u{number}" for number in range(40)]
    await talkjs.users.upsert_many({user_id: {"name": "x"} for user_id in people})
    for number, user_id in enumerate(people):
        chat = f"c{number}"
        await talkjs.conversations.upsert(chat, participants=people[:10])
        sent = await talkjs.messages.send(chat, sender="u0", text=user_id)
        for reacting in people[:4]:
            await talkjs.reactions.add(chat, message_id=sent.id, emoji="👍", user_id=reacting)
    budgets = OwnBudgets(*(TokenBucket(rate, 12, clock=other.clock) for rate in (9.0, 1.0)))

    async with AsyncTalkJS(
        "into",
        "sk_test_emulator",
        transport=other.transport,
        clock=other.clock,
        budgets=budgets,
        overflow_to_batch=True,
    ) as target:
        report = await public_transfer(talkjs, target, lane="interactive")

    batches = [len(one.operations) for one in other.requests if one.operations]
    assert report.ok
    # One for each kind of record may not be: what follows waits for the last of them.
    assert len([size for size in batches if size < 10]) <= 4, batches
    assert 12 < len(batches), batches
