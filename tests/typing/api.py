"""
The inferred type of every public method, for mypy and pyright to prove. Never run.

A coroutine that gives None is stated as such, because checkers refuse to use its value.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeAlias, assert_type

import attrs
import httpx
import httpx2

from talkjs_async import (
    AnonymousProject,
    AnonymousProjects,
    App,
    AsyncTalkJS,
    Budget,
    Budgets,
    Call,
    Conversation,
    ImportedMessage,
    Limiter,
    Message,
    OwnBudgets,
    Page,
    Presence,
    ProcessBudgets,
    Records,
    SendReceipt,
    TalkJSError,
    Theme,
    TokenBucket,
    UploadedFile,
    User,
    UserConversation,
    UserInput,
    UserMessage,
    UserReaction,
    UserSession,
    Webhooks,
    bulk,
    call_of,
    one_on_one_id,
)
from talkjs_async.bulk import BulkReport, Job, Progress, RecordFile, RecordReport
from talkjs_async.identity import Tokens
from talkjs_async.models.events import WebhookEvent
from talkjs_async.redis import RedisBudgets, RedisLimiter

NoResult: TypeAlias = Coroutine[Any, Any, None]


async def client(talkjs: AsyncTalkJS) -> None:
    assert_type(talkjs.with_options(lane="background"), AsyncTalkJS)
    assert_type(await talkjs.request("GET", "/users"), Any)
    assert_type(talkjs.budget, Budget)
    assert_type(talkjs.batch_budget, Budget)
    assert_type(talkjs.tokens, Tokens)
    await talkjs.aclose()
    async with talkjs as entered:
        assert_type(entered, AsyncTalkJS)


async def users(talkjs: AsyncTalkJS) -> None:
    await assert_type(talkjs.users.upsert("a", name="A", email=None), NoResult)
    await assert_type(talkjs.users.upsert_many({"a": UserInput(name="A")}), NoResult)
    assert_type(await talkjs.users.get("a"), User)
    assert_type(talkjs.users.list(limit=10), Records[User])
    assert_type(talkjs.users.list_conversations("a"), Records[UserConversation])
    assert_type(await talkjs.users.list_sessions("a"), tuple[UserSession, ...])


def models(user: User, wire: dict[str, Any]) -> None:
    assert_type(User.from_wire(wire), User)
    assert_type(UserConversation.from_wire(wire).created_at_ms, int)
    assert_type(user.to_wire(), dict[str, Any])
    assert_type(attrs.evolve(user, name="A"), User)
    assert_type(attrs.evolve(UserInput(email=["a@example.com"]), name="A"), UserInput)


async def conversations(talkjs: AsyncTalkJS) -> None:
    await assert_type(talkjs.conversations.upsert("c", subject=None), NoResult)
    assert_type(await talkjs.conversations.get("c"), Conversation)
    assert_type(talkjs.conversations.list(order_by="createdAt"), Records[Conversation])
    await assert_type(talkjs.conversations.delete("c"), NoResult)
    await assert_type(talkjs.conversations.mark_as_read("c", user_id="a", form="read_by"), NoResult)
    await assert_type(talkjs.conversations.mark_as_unread("c", user_id="a", after=0), NoResult)


async def participants(talkjs: AsyncTalkJS) -> None:
    await assert_type(talkjs.participants.add("c", user_id="a", access="Read"), NoResult)
    await assert_type(talkjs.participants.update("c", user_id="a", notify="MentionsOnly"), NoResult)
    await assert_type(talkjs.participants.remove("c", user_id="a"), NoResult)
    assert_type(await talkjs.participants.get_email("c", user_id="a"), str)


async def messages(talkjs: AsyncTalkJS) -> None:
    assert_type(await talkjs.messages.send("c", sender="a", text="hi"), SendReceipt)
    assert_type(await talkjs.messages.send_system("c", text="hi"), SendReceipt)
    assert_type(
        await talkjs.messages.send_many("c", [UserMessage(sender="a", text="hi")]),
        tuple[SendReceipt, ...],
    )
    assert_type(await talkjs.messages.get("c", message_id="m"), Message)
    assert_type(talkjs.messages.list("c"), Records[Message])
    await assert_type(talkjs.messages.edit("c", message_id="m", text="new"), NoResult)
    await assert_type(talkjs.messages.delete("c", message_id="m"), NoResult)


async def reactions(talkjs: AsyncTalkJS) -> None:
    assert_type(talkjs.reactions.list("c", message_id="m", emoji="👍"), Records[UserReaction])
    await assert_type(
        talkjs.reactions.add("c", message_id="m", emoji=":party:", user_id="a"), NoResult
    )
    await assert_type(
        talkjs.reactions.remove("c", message_id="m", emoji=":party:", user_id="a"), NoResult
    )


async def files(talkjs: AsyncTalkJS, stream: AsyncIterator[bytes]) -> None:
    assert_type(await talkjs.files.upload(b"", filename="a"), UploadedFile)
    assert_type(await talkjs.files.upload(memoryview(b""), filename="a"), UploadedFile)
    assert_type(await talkjs.files.upload("a.png", subtype="image"), UploadedFile)
    assert_type(await talkjs.files.upload(Path("a.png")), UploadedFile)
    assert_type(await talkjs.files.upload(stream, filename="a", size=5), UploadedFile)


async def notifications(talkjs: AsyncTalkJS) -> None:
    await assert_type(talkjs.notifications.send("c", channels=["email", "sms"]), NoResult)


async def presences(talkjs: AsyncTalkJS) -> None:
    assert_type(await talkjs.presences.query(selected_conversation_id=None), Mapping[str, Presence])


async def imports(talkjs: AsyncTalkJS, old: ImportedMessage) -> None:
    assert_type(await talkjs.messages.import_many("c", [old]), tuple[SendReceipt, ...])


async def app(talkjs: AsyncTalkJS) -> None:
    assert_type(await talkjs.app.get(), App)
    await assert_type(talkjs.app.update(custom=None), NoResult)


async def themes(talkjs: AsyncTalkJS) -> None:
    assert_type(await talkjs.themes.get(), Mapping[str, Theme])
    await assert_type(talkjs.themes.update({"a": None, "b": Theme()}), NoResult)


async def anonymous_projects() -> None:
    async with AnonymousProjects() as anonymous:
        assert_type(anonymous, AnonymousProjects)
        assert_type(await anonymous.create(), AnonymousProject)
        assert_type(await anonymous.get("token"), AnonymousProject)
    await anonymous.aclose()


async def tokens(talkjs: AsyncTalkJS) -> None:
    assert_type(talkjs.tokens.user("a", expires_in=3600.0), str)
    assert_type(talkjs.tokens.app(), str)
    assert_type(talkjs.tokens.signature("a"), str)
    assert_type(one_on_one_id("a", "b"), str)


def webhooks(webhooks: Webhooks, headers: Mapping[str, str], body: bytes) -> None:
    assert_type(webhooks.verify(body, headers), WebhookEvent)
    assert_type(webhooks.is_repeat(webhooks.verify(body, headers)), bool)
    assert_type(webhooks.sign(body, timestamp=1), dict[str, str])
    assert_type(webhooks.verify(bytearray(body), headers), WebhookEvent)
    assert_type(webhooks.verify(memoryview(body), headers), WebhookEvent)


def budgets(limiter: Limiter, redis: RedisLimiter) -> None:
    every: list[Budgets] = [
        ProcessBudgets(share=0.5),
        OwnBudgets(limiter, redis),
        OwnBudgets(TokenBucket()),
        RedisBudgets("redis://localhost"),
    ]
    for each in every:
        assert_type(AsyncTalkJS(budgets=each), AsyncTalkJS)


async def batch(talkjs: AsyncTalkJS) -> None:
    get = call_of(talkjs.users.get, "a")
    send = call_of(talkjs.messages.send, "c", sender="a", text="hi")
    put = call_of(talkjs.users.upsert, "a", name="A")
    page = call_of(talkjs.users.list)
    assert_type(await talkjs.batch(), tuple[()])
    assert_type(await talkjs.batch(get), tuple[User])
    assert_type(await talkjs.batch(get, send), tuple[User, SendReceipt])
    assert_type(await talkjs.batch(get, put, page), tuple[User, None, Page[User]])
    assert_type(
        await talkjs.batch(get, send, put, page), tuple[User, SendReceipt, None, Page[User]]
    )
    assert_type(
        await talkjs.batch(get, send, put, page, get),
        tuple[User, SendReceipt, None, Page[User], User],
    )
    assert_type(
        await talkjs.batch(get, send, put, page, get, send),
        tuple[User, SendReceipt, None, Page[User], User, SendReceipt],
    )
    assert_type(await talkjs.batch(get, get, get, get, get, get, get), tuple[User, ...])
    assert_type(await talkjs.batch(*[get]), tuple[User, ...])
    assert_type(
        await talkjs.batch(get, send, return_exceptions=True),
        tuple[User | TalkJSError, SendReceipt | TalkJSError],
    )
    assert_type(await talkjs.batch(*[get], return_exceptions=True), tuple[User | TalkJSError, ...])


async def records(records: Records[User]) -> None:
    assert_type([user async for user in records], list[User])
    assert_type([page async for page in records.pages()], list[Page[User]])
    assert_type(await records.first(), User | None)
    assert_type(await records.page(), Page[User])
    await records.aclose()
    assert_type(await records.collect(max_items=5), list[User])
    async for page in records.pages():
        assert_type(page.items, tuple[User, ...])
        assert_type(page.cursor, str | None)
        assert_type(list(page), list[User])


async def requests_as_values(talkjs: AsyncTalkJS) -> None:
    assert_type(call_of(talkjs.users.get, "a"), Call[User])
    assert_type(call_of(talkjs.users.upsert, "a", name="A"), Call[None])
    assert_type(call_of(talkjs.messages.send, "c", sender="a", text="hi"), Call[SendReceipt])
    assert_type(call_of(talkjs.users.list, limit=5), Call[Page[User]])


async def jobs(talkjs: AsyncTalkJS, users: list[dict[str, str]], chats: dict[str, Any]) -> None:
    assert_type(await bulk.upsert_users(talkjs, users), BulkReport)
    assert_type(await bulk.upsert_conversations(talkjs, chats), BulkReport)
    assert_type(await bulk.send_messages(talkjs, [("c", UserMessage(sender="a"))]), BulkReport)
    assert_type(await bulk.import_messages(talkjs, bulk.read_old_messages("old.csv")), BulkReport)
    assert_type(await bulk.export(talkjs, Path("backup")), BulkReport)
    assert_type(await bulk.restore(talkjs, "backup", journal="journal"), BulkReport)
    assert_type(await bulk.transfer(talkjs, talkjs, journal="journal"), BulkReport)
    assert_type(await bulk.anonymise_user(talkjs, "a", dry_run=True), BulkReport)
    assert_type(await bulk.migrate_sendbird(talkjs, "sendbird"), BulkReport)
    async with bulk.upsert_users(talkjs, bulk.read_users("users.csv")) as job:
        assert_type(job, Job)
        assert_type([progress async for progress in job], list[Progress])
    assert_type(job.report, BulkReport)
    assert_type(await bulk.anonymise_vanished(talkjs, job.report), tuple[str, ...])
    assert_type(list(job.report.records("failed")), list[RecordReport])
    assert_type(bulk.read_conversations("chats.csv"), RecordFile)
    assert_type(bulk.read_messages("new.jsonl", format="jsonl"), RecordFile)


def clients_of_either_library() -> None:
    assert_type(AsyncTalkJS(http_client=httpx.AsyncClient()), AsyncTalkJS)
    assert_type(AsyncTalkJS(http_client=httpx2.AsyncClient(), engine="httpx2"), AsyncTalkJS)
    assert_type(AsyncTalkJS(retry=3, timeout=httpx2.Timeout(5.0)), AsyncTalkJS)
