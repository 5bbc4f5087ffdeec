"""A transfer where files vanish, records are odd, apps fail, and the job is cancelled."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, TalkJSError
from talkjs_async.bulk import transfer as public_transfer
from talkjs_async.bulk._copying.stored_forms import file_name
from talkjs_async.bulk._downloads import Downloads
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.bulk.transfer import TransferStep
from talkjs_async.emulator import Emulator
from tests.bulk.test_transfer import (
    Transfer,
    contents,
    emulator,
    failures,
    fill,
    other,
    target,
    transfer,
    without_form,
)

__all__ = ["emulator", "other", "target", "transfer"]

pytestmark = pytest.mark.anyio

LONG_AGO = 1_600_000_000_000


async def test_a_file_that_cannot_be_had_fails_with_its_messages_alone(
    talkjs: AsyncTalkJS, target: AsyncTalkJS, transfer: Transfer, other: Emulator
) -> None:
    await fill(talkjs)
    gone = httpx.MockTransport(lambda _: httpx.Response(404))

    report = await transfer(files=gone)

    failed = {
        (record.id.split(":")[0], record.reason)
        for record in report.records("failed")
        if record.reason in failures(report)
    }
    reason = "its file cannot be read: its host answers 404"
    lost = {("file", reason), ("message", reason)}
    if other.switches.reactions_shape != "absent":
        lost.add(("reaction", "its message was not stored."))
    assert lost == failed
    assert 4 - without_form(other) == len([one async for one in target.messages.list("c1")])


@pytest.mark.parametrize("body", [b"", b"123456", b"12345678", b"<html>Sign in</html>"])
async def test_what_is_not_the_size_of_the_file_is_not_stored_for_it(
    talkjs: AsyncTalkJS,
    target: AsyncTalkJS,
    transfer: Transfer,
    other: Emulator,
    journal: Path,
    tmp_path: Path,
    body: bytes,
) -> None:
    await fill(talkjs)
    wrong = httpx.MockTransport(lambda _: httpx.Response(200, content=body))

    reasons = set(failures(await transfer(journal=journal, files=wrong)))
    none = len(other.commits.of("file.uploaded"))
    again = await transfer(journal=journal)

    reason = f"its file cannot be read: its host gives {len(body)} bytes, and TalkJS says 7"
    assert reason in reasons
    assert reasons <= {reason, "its message was not stored."}
    assert (0, []) == (none, failures(again))
    wanted = await contents(talkjs, tmp_path / "a", target=other)
    assert wanted == await contents(target, tmp_path / "b")


async def test_files_of_one_path_are_told_apart_by_their_queries() -> None:
    urls = [f"https://files.example/download?token={number}" for number in range(200_000)]

    names = {*map(file_name, urls)}

    assert len(urls) == len(names)


async def test_a_file_is_copied_once_for_each_url(
    talkjs: AsyncTalkJS, transfer: Transfer, other: Emulator
) -> None:
    await fill(talkjs)

    await transfer()

    assert 1 == len(other.commits.of("file.uploaded"))
    assert 1 == len(other.apps["into"].files)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "PollMessage"),
        ("sender_id", None),
        ("sender_id", "nowhere"),
        ("created_at", -1),
        ("text", ""),
        ("custom", {"a": 1}),
        ("nodes", [{"type": "hologram", "text": "?"}]),
        ("text", "half \ud83d"),
    ],
)
async def test_an_odd_message_sinks_no_other(
    talkjs: AsyncTalkJS,
    target: AsyncTalkJS,
    transfer: Transfer,
    emulator: Emulator,
    other: Emulator,
    field: str,
    value: object,
) -> None:
    await fill(talkjs)
    (odd,) = emulator.apps["from"].conversations["c2"].messages.walk(descending=True)
    setattr(odd, field, value)
    if field in {"text", "nodes", "created_at"}:
        odd.file = None
        odd.text = odd.text or "?"

    report = await transfer()

    assert report.complete
    assert report.failed <= 1 + without_form(other)
    assert 5 - without_form(other) == len([one async for one in target.messages.list("c1")])


async def test_who_wrote_after_the_users_were_listed_is_asked_for(
    talkjs: AsyncTalkJS,
    target: AsyncTalkJS,
    transfer: Transfer,
    emulator: Emulator,
    other: Emulator,
) -> None:
    await fill(talkjs)
    users = emulator.apps["from"].users
    late = users.pop("eve")

    class Later(dict[str, Any]):
        """Has a user who is not in the list."""

        def get(self, key: str, default: Any = None) -> Any:
            return late if key == "eve" else super().get(key, default)

    emulator.apps["from"].users = Later(users)

    report = await transfer()

    assert (without_form(other), []) == (report.failed, failures(report))
    assert "Eve" == (await target.users.get("eve")).name


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_failures_changes_nothing(
    talkjs: AsyncTalkJS,
    target: AsyncTalkJS,
    transfer: Transfer,
    emulator: Emulator,
    other: Emulator,
    tmp_path: Path,
    seed: int,
) -> None:
    await fill(talkjs)
    chances = random.Random(seed)
    for app in (emulator, other):
        for fault in ("return-503", "return-503-after-commit", "drop-after-commit", "return-429"):
            app.faults.add(fault, p=chances.uniform(0.02, 0.08))

    report = await transfer()

    for app in (emulator, other):
        app.faults.clear()
    assert (without_form(other), []) == (report.failed, failures(report))
    wanted = await contents(talkjs, tmp_path / "a", target=other)
    assert wanted == await contents(target, tmp_path / "b")


class _Cancelling(httpx.AsyncBaseTransport):
    """Cancels a scope after so many requests, at the moment when one of them is answered."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.left = 0
        self.scope = anyio.CancelScope()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()
            await anyio.lowlevel.checkpoint()
        return answer


@pytest.mark.parametrize("seed", range(3))
async def test_a_transfer_that_is_cancelled_goes_on_where_it_was(
    talkjs: AsyncTalkJS,
    target: AsyncTalkJS,
    emulator: Emulator,
    other: Emulator,
    journal: Path,
    tmp_path: Path,
    seed: int,
) -> None:
    await fill(talkjs)
    chances = random.Random(seed)
    transport = _Cancelling(other.transport)
    downloads = Downloads(most_bytes=1_000_000, seconds=10.0, transport=emulator.transport)
    async with AsyncTalkJS(
        "into", "sk_test_emulator", transport=transport, clock=other.clock
    ) as into:
        complete = False
        while not complete:
            transport.left, transport.scope = chances.randint(1, 12), anyio.CancelScope()
            step = TransferStep(JobClient(talkjs, "background"), journal, 0.5, downloads)
            job = Job(step, into, journal=journal, job_id=None, lane="background")
            with transport.scope:
                complete = (await job).complete

    wanted = await contents(talkjs, tmp_path / "a", target=other)
    assert wanted == await contents(target, tmp_path / "b")


@pytest.mark.parametrize("form", ["participant", "read_by", "user_conversation"])
@pytest.mark.parametrize("unknown", ["ignore", "reject"])
@pytest.mark.parametrize("missing", ["not_found", "not_implemented"])
async def test_a_read_mark_is_stored_in_any_form_that_names_a_moment_or_reported(
    talkjs: AsyncTalkJS,
    transfer: Transfer,
    emulator: Emulator,
    other: Emulator,
    form: Any,
    unknown: Any,
    missing: Any,
) -> None:
    await fill(talkjs)
    emulator.switches.mark_as_read = "all"
    for user_id in ("ann", "bob"):
        await talkjs.participants.update("c1", user_id=user_id, read_until=LONG_AGO)
    emulator.switches.read_marks = other.switches.read_marks = "present"
    other.switches.mark_as_read, other.switches.unknown_fields = form, unknown
    other.switches.unknown_path = missing

    report = await transfer()

    stored = other.apps["into"].conversations["c1"].participants
    marks = [(stored[user_id].read_until or [None])[0] for user_id in ("ann", "bob")]
    reasons = failures(report)
    if form != "read_by":
        assert ([LONG_AGO] * 2, []) == (marks, reasons)
    elif unknown == "ignore":
        assert ["TalkJS did not keep the read mark; all else was stored."] * 2 == reasons
    else:
        assert ["readUntil" in reason for reason in reasons] == [True, True]
    assert "Read" == stored["bob"].access


@pytest.mark.parametrize("damage", ["gone", "changed", "shorter"])
@pytest.mark.parametrize("name", ["users", "conversations", "messages"])
async def test_what_was_read_is_read_again_where_it_has_changed(
    talkjs: AsyncTalkJS,
    target: AsyncTalkJS,
    other: Emulator,
    transfer: Transfer,
    journal: Path,
    tmp_path: Path,
    damage: str,
    name: str,
) -> None:
    await fill(talkjs)
    job = transfer(journal=journal)
    other.faults.add("return-401", on="POST /import/conversations/*/messages", nth=1)
    with pytest.raises(TalkJSError):
        await job
    file = journal.with_name("journal-copy") / f"{name}.jsonl"
    was = file.read_bytes()
    file.unlink()
    if damage != "gone":
        file.write_bytes(was[:-9] if damage == "shorter" else was.replace(b"e", b"a", 1))

    report = await transfer(journal=journal)

    assert report.complete
    wanted = await contents(talkjs, tmp_path / "a", target=other)
    assert wanted == await contents(target, tmp_path / "b")


async def test_a_journal_that_can_be_no_path_is_refused(
    talkjs: AsyncTalkJS, target: AsyncTalkJS
) -> None:
    for path in (5, b"x", "a\0b"):
        with pytest.raises(ConfigurationError, match="journal: must be a path"):
            public_transfer(talkjs, target, journal=path)  # type: ignore[arg-type]
