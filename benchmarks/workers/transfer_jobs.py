"""
Worker: one app copied into another, by the job and by a model of TalkJS's own program.

    python -m benchmarks.workers.transfer_jobs JOB COUNT SCALE

As `bulk_jobs`; COUNT are the messages. There are a hundredth as many users, conversations of two
people and files, and a tenth as many reactions, two people with one emoji on each message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import anyio
import httpx

from benchmarks.measure import Result, stay_on
from benchmarks.workers.bulk_jobs import BATCH_RATE, OPERATIONS, PAUSE, RATE, Scene
from benchmarks.workers.memory import resident
from talkjs_async import AsyncTalkJS, FileBlock, ImportedMessage, OwnBudgets, TokenBucket, UserInput
from talkjs_async.bulk._downloads import Downloads
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.bulk.transfer import TransferStep
from talkjs_async.emulator import Emulator, Limits

EMOJI: Final = "👍"
BEGIN: Final = 1_600_000_000_000
FILE: Final = b"x" * 1_000_000


def _job(
    source: AsyncTalkJS, target: AsyncTalkJS, files: httpx.AsyncBaseTransport, lane: Any
) -> Job:
    """A transfer without a journal that stays, whose files come without a network."""
    downloads = Downloads(most_bytes=10_000_000, seconds=60.0, transport=files)
    step = TransferStep(JobClient(source, lane), None, 0.1, downloads)
    return Job(step, target, journal=None, job_id=None, lane=lane)


class TwoApps:
    """A full app and an empty one, each with its own limits, and one clock."""

    def __init__(self, count: int, scale: int) -> None:
        self.count = count
        self.source, self.target = Scene(scale), Scene(scale)
        clock = self.source.clock
        self.target.emulator = Emulator(app_id="into", clock=clock, limits=Limits.off())
        self.target.clock = clock

    async def fill(self) -> None:
        """Put everything into the source, without limits."""
        emulator = self.source.emulator
        limitless = OwnBudgets(TokenBucket(1e6, 10**6, clock=emulator.clock))
        async with AsyncTalkJS(
            emulator.app_id,
            emulator.secret_key,
            transport=emulator.transport,
            clock=emulator.clock,
            budgets=limitless,
        ) as talkjs:
            number = self.count // 100
            people = [f"u{n}" for n in range(number)]
            for first in range(0, number, 100):
                some = people[first : first + 100]
                await talkjs.users.upsert_many({id_: UserInput(name=id_) for id_ in some})
            for place in range(number):
                await self._fill_conversation(talkjs, place, people)

    async def _fill_conversation(self, talkjs: AsyncTalkJS, place: int, people: list[str]) -> None:
        id_ = f"c{place}"
        both = [people[place], people[(place + 1) % len(people)]]
        await talkjs.conversations.upsert(id_, participants=both)
        uploaded = await talkjs.files.upload(b"content", filename=f"{place}.txt")
        moments = [BEGIN + 100 * place + n for n in range(100)]
        messages = [
            ImportedMessage(sender=both[n % 2], sent_at=_moment(at), text=f"text {n}")
            for n, at in enumerate(moments[:-1])
        ]
        block = FileBlock(file_token=uploaded.token)
        last = ImportedMessage(sender=both[0], sent_at=_moment(moments[-1]), content=[block])
        await talkjs.messages.import_many(id_, [*messages, last])
        for user_id in both:
            await talkjs.conversations.mark_as_read(id_, user_id=user_id)
        stored = self.source.emulator.apps[self.source.emulator.app_id].conversations[id_]
        for number, message in enumerate(stored.messages.walk(descending=True)):
            if number % 20 == 0:
                message.reactions = {EMOJI: dict.fromkeys(both, BEGIN)}

    @property
    def allowed(self) -> float:
        """Seconds that the budgets take for the necessary requests; see docs/explanation."""
        number = self.count // 100
        pages, lists = -(-number // 100), -(-number // 30)
        reading = pages + lists + 2 * number + self.count // 20
        writing = 1 + pages + 3 * number + self.count // 10 + 2 * number
        return max(self._seconds(reading, 0), self._seconds(writing, pages + number))

    def _seconds(self, requests: int, alone: int) -> float:
        burst = self.source.burst
        both = (requests - burst - OPERATIONS * self.source.batch_burst) / (
            RATE + OPERATIONS * BATCH_RATE
        )
        return max(0.0, (alone - burst) / RATE, both)


def _moment(milliseconds: int) -> Any:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


async def transfer(count: int, scale: int) -> Result:
    """By the job."""
    apps = TwoApps(count, scale)
    await apps.fill()
    files = apps.source.emulator.transport
    async with (
        apps.source.measured() as (source, read),
        apps.target.measured(overflow_to_batch=True) as (target, figures),
    ):
        report = await _job(source, target, files, "interactive")
    figures["refused"] += read["refused"]
    figures["requests"] += read["requests"]
    missing = 0 if report.ok else 1
    return {**figures, "done": report.done, "allowed": apps.allowed, "missing": missing}


async def transfer_with_pauses(count: int, scale: int) -> Result:
    """As TalkJS's own program does it: one request after the other, with a pause after each."""
    apps = TwoApps(count, scale)
    await apps.fill()
    async with (
        apps.source.measured() as (source, _),
        apps.target.measured() as (target, figures),
    ):
        await _copy_with_pauses(source, target, apps.source.clock.sleep)
    return {**figures, "done": count, "allowed": figures["seconds"]}


async def _copy_with_pauses(
    source: AsyncTalkJS, target: AsyncTalkJS, sleep: Callable[[float], Awaitable[None]]
) -> None:
    async for people in source.users.list().pages():
        await sleep(PAUSE)
        await target.users.upsert_many({u.id: UserInput(name=u.name) for u in people.items})
        await sleep(PAUSE)
    async for chats in source.conversations.list().pages():
        await sleep(PAUSE)
        for chat in chats.items:
            await target.conversations.upsert(chat.id, participants=list(chat.participants))
            await sleep(PAUSE)
            await _copy_messages_with_pauses(source, target, chat.id, sleep)
            for user_id, participant in chat.participants.items():
                until = participant.read_until_ms or 0
                await target.participants.update(chat.id, user_id=user_id, read_until=until)
                await sleep(PAUSE)


async def _copy_messages_with_pauses(
    source: AsyncTalkJS,
    target: AsyncTalkJS,
    chat: str,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    async for page in source.messages.list(chat).pages():
        await sleep(PAUSE)
        if not page.items:
            continue
        to_import = []
        for message in page.items:
            body: dict[str, Any] = {"text": message.text}
            if message.attachment is not None:
                uploaded = await target.files.upload(b"content", filename="file")
                await sleep(PAUSE)
                body = {"content": [FileBlock(file_token=uploaded.token)]}
            to_import.append(
                ImportedMessage(sender=str(message.sender_id), sent_at=message.created_at, **body)
            )
        sent = await target.messages.import_many(chat, to_import)
        await sleep(PAUSE)
        for old, new in zip(page.items, sent, strict=True):
            for emoji in old.reactions:
                first = await source.reactions.list(chat, message_id=old.id, emoji=emoji).page()
                await sleep(PAUSE)
                for one in first.items:
                    await target.reactions.add(
                        chat, message_id=new.id, emoji=emoji, user_id=one.user_id
                    )
                    await sleep(PAUSE)


async def memory_of_a_transfer(count: int, _scale: int) -> Result:
    """How much the process grows while messages, and files of a thousandth part, go through."""
    first = most = 0.0
    app = _EndlessApp(count)

    def look() -> None:
        nonlocal first, most
        first = first or resident()
        most = max(most, resident())

    app.look = look
    budgets = OwnBudgets(TokenBucket(1e6, 10**6))
    transport = httpx.MockTransport(app.answer)
    key = "sk_test_of_a_length_that_nobody_minds"
    async with (
        AsyncTalkJS("from", key, transport=transport, budgets=budgets) as source,
        AsyncTalkJS("into", key, transport=transport, budgets=budgets) as target,
    ):
        report = await _job(source, target, httpx.MockTransport(app.file), "interactive")
    assert report.ok, report
    return {
        "done": report.done,
        "first_mb": first,
        "growth_mb": max(most, resident()) - first,
        "file_mb": app.files * len(FILE) / 1e6,
    }


class _EndlessApp:
    """Answers as an app with so many messages, of which it keeps none."""

    PER_CONVERSATION: Final = 1_000

    def __init__(self, count: int) -> None:
        self.conversations = count // self.PER_CONVERSATION
        self.files = 0
        self.look: Callable[[], None] = lambda: None

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.path).split("/")[3:]
        if request.method == "GET":
            return httpx.Response(200, json={"data": list(self._listed(path, request))})
        if path[-1] == "files":
            return httpx.Response(200, json={"fileToken": "tok"})
        if path[0] == "import":
            self.look()
            number = len(json.loads(request.content))
            return httpx.Response(200, json=[{"id": f"new{n}"} for n in range(number)])
        return httpx.Response(200, json={})

    def file(self, _: httpx.Request) -> httpx.Response:
        self.files += 1
        return httpx.Response(200, stream=_Pieces())

    def _listed(self, path: list[str], request: httpx.Request) -> Iterator[dict[str, Any]]:
        if request.url.path.startswith("/v1/into"):
            return
        query = parse_qs(request.url.query.decode())
        # By its number, or by its conversation's and its own.
        after, limit = query.get("startingAfter", [""])[0], int(query.get("limit", ["10"])[0])
        begin = int(after.rpartition("-")[2]) + 1 if after[-1:].isdigit() else 0
        if path == ["users"]:
            if not after:
                yield {"id": "u", "name": "U", "createdAt": BEGIN}
        elif path == ["conversations"]:
            for number in range(begin, min(begin + limit, self.conversations)):
                yield {"id": f"{number}", "createdAt": BEGIN + number, "participants": {"u": {}}}
        else:
            # The newest first, by their place from there.
            for place in range(begin, min(begin + limit, self.PER_CONVERSATION)):
                yield self._message(path[1], place)

    def _message(self, conversation: str, place: int) -> dict[str, Any]:
        message = {
            "id": f"{conversation}-{place}",
            "conversationId": conversation,
            "type": "UserMessage",
            "senderId": "u",
            "text": f"text {place}",
            "createdAt": BEGIN + self.PER_CONVERSATION - place,
        }
        if place == 0:
            url = f"https://files.example.com/{conversation}"
            message["content"] = [{"type": "file", "fileToken": "t", "url": url, "filename": "f"}]
            message["text"] = ""
        return message


class _Pieces(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for begin in range(0, len(FILE), 65_536):
            yield FILE[begin : begin + 65_536]


JOBS: Final[dict[str, Callable[..., Awaitable[Result]]]] = {
    job.__name__: job for job in (transfer, transfer_with_pauses, memory_of_a_transfer)
}


if __name__ == "__main__":
    stay_on(0)
    name, *numbers = sys.argv[1:]
    print(json.dumps(anyio.run(JOBS[name], *map(int, numbers))))
