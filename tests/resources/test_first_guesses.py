"""What people write first for the ten most common tasks, before they have read anything."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel
import pytest

from talkjs_async import (
    AsyncTalkJS,
    Filter,
    MessageSent,
    RateLimitWaitTimeout,
    SystemMessage,
    Webhooks,
    bulk,
    call_of,
)
from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]


async def test_a_system_message_needs_no_list(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send_system("chat", text="Bob has joined", custom={"a": "b"})

    message = await talkjs.messages.get("chat", message_id=sent.id)
    assert ("SystemMessage", "Bob has joined", None) == (
        message.type,
        message.text,
        message.sender_id,
    )


async def test_a_system_message_is_stored_once_like_any_other(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("reset-after-commit", on="POST /conversations/*/messages", first=2)

    await talkjs.messages.send_system("chat", text="once", idempotency_key="k")
    await talkjs.messages.send_system("chat", text="once", idempotency_key="k")

    assert 1 == len(emulator.commits.of("message.sent"))


async def test_many_users_are_a_dictionary(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert_many({"ann": {"name": "Ann"}, "ben": {"name": "Ben"}})

    assert "Ben" == (await talkjs.users.get("ben")).name


async def test_an_open_file_is_uploaded_and_sent(talkjs: AsyncTalkJS) -> None:
    uploaded = await talkjs.files.upload(io.BytesIO(b"content"), filename="a.txt")
    sent = await talkjs.messages.send("chat", sender="alice", attachment_token=uploaded.token)

    message = await talkjs.messages.get("chat", message_id=sent.id)
    assert message.attachment is not None


async def test_a_conversation_is_got_or_created(talkjs: AsyncTalkJS) -> None:
    for _ in range(2):
        await talkjs.conversations.upsert("order-7", participants=["alice"])

    assert ["alice"] == list((await talkjs.conversations.get("order-7")).participants)


async def test_the_unread_conversations_of_a_user_are_listed(talkjs: AsyncTalkJS) -> None:
    await talkjs.conversations.upsert("quiet", participants=["alice", "bob"])
    await talkjs.messages.send("chat", sender="alice", text="hi")

    unread = await talkjs.users.list_conversations("bob", unreads_only=True).collect()

    assert ["chat"] == [conversation.id for conversation in unread]


async def test_a_filter_is_completed_from_its_class(talkjs: AsyncTalkJS) -> None:
    await talkjs.conversations.upsert("held", participants=["alice"], custom={"state": "held"})

    found = talkjs.conversations.list(filter=Filter(custom={"state": Filter.one_of(["held"])}))

    assert ["held"] == [conversation.id for conversation in await found.collect()]


async def test_one_call_has_a_deadline_of_its_own(emulator: Emulator) -> None:
    client = AsyncTalkJS(**emulator.options)
    refused: list[RateLimitWaitTimeout] = []

    async with anyio.create_task_group() as tasks:
        for _ in range(700):
            tasks.start_soon(client.users.get, "alice")
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        try:
            await client.with_options(total_timeout=1.0).users.get("alice")
        except RateLimitWaitTimeout as error:
            refused.append(error)
        tasks.cancel_scope.cancel()

    assert refused[0].retry_after > 1.0


async def test_a_batch_gives_each_result_its_own_type(talkjs: AsyncTalkJS) -> None:
    user, conversation = await talkjs.batch(
        call_of(talkjs.users.get, "alice"), call_of(talkjs.conversations.get, "chat")
    )

    assert ("alice", "chat") == (user.id, conversation.id)


async def test_a_job_runs_in_a_task(talkjs: AsyncTalkJS) -> None:
    job = bulk.upsert_users(talkjs, [{"id": "ann", "name": "Ann"}])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(job.run)

    assert job.report is not None
    assert job.report.ok


async def test_a_webhook_is_verified_body_first(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator(inbox_limit=10)
    monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)
    async with AsyncTalkJS(**emulator.options) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.conversations.upsert("chat", participants=["alice"])
        await talkjs.messages.send("chat", sender="alice", text="hi")
    body = json.dumps(emulator.webhooks.inbox[-1]).encode()
    webhooks = Webhooks(clock=emulator.clock)

    event = webhooks.verify(body, webhooks.sign(body))

    assert isinstance(event, MessageSent)
    assert "hi" == event.message.text


async def test_messages_of_the_last_day_are_asked_for_with_a_datetime(talkjs: AsyncTalkJS) -> None:
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")
    now = (await talkjs.messages.get("chat", message_id=sent.id)).created_at

    recent = talkjs.conversations.list(last_message_after=now - timedelta(days=1))
    older = talkjs.conversations.list(last_message_after=datetime.max.replace(tzinfo=UTC))

    assert ["chat"] == [conversation.id for conversation in await recent.collect()]
    assert [] == await older.collect()


def test_a_message_of_the_system_may_also_be_one_of_many() -> None:
    assert "hi" == SystemMessage(text="hi").text
