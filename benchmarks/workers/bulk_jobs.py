"""
Worker: one bulk job, or what one would do without it, against the emulator in the same process.

    python -m benchmarks.workers.bulk_jobs JOB COUNT SCALE

JOB is a name in `JOBS`; COUNT are its users or messages; both bursts are divided by SCALE, so that
a short run has the shape of a long one. Time is the emulator's and costs nothing to wait for,
except in the jobs that measure CPU and memory.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
import httpx

from benchmarks.measure import Result, stay_on
from benchmarks.workers.memory import resident
from talkjs_async import AsyncTalkJS, OwnBudgets, TokenBucket, UserInput, bulk
from talkjs_async.emulator import Emulator, Limits, RealClock

BURST: Final = 600
BATCH_BURST: Final = 500
RATE: Final = 9.0
BATCH_RATE: Final = 1.0
OPERATIONS: Final = 10
"""In a batch."""

PAUSE: Final = 0.25
"""Seconds that TalkJS's own export script sleeps after each request."""


class Scene:
    """
    An emulator with its limits, and clients that know them.

    Args:
        scale: What to divide both bursts by.
    """

    def __init__(self, scale: int) -> None:
        self.burst = BURST // scale
        self.batch_burst = BATCH_BURST // scale
        self.emulator = Emulator(limits=Limits.off())
        self.clock = self.emulator.clock

    def client(self, **options: Any) -> AsyncTalkJS:
        """A client with full budgets of its own."""
        return AsyncTalkJS(
            self.emulator.app_id,
            self.emulator.secret_key,
            transport=self.emulator.transport,
            clock=self.clock,
            budgets=OwnBudgets(
                TokenBucket(RATE, self.burst, clock=self.clock),
                TokenBucket(BATCH_RATE, self.batch_burst, clock=self.clock),
            ),
            **options,
        )

    async def fill(self, conversations: int, messages: int = 0, people: int = 0) -> None:
        """Put something into the emulator, without limits."""
        limitless = TokenBucket(1e6, 10**6, clock=self.clock)
        async with AsyncTalkJS(
            self.emulator.app_id,
            self.emulator.secret_key,
            transport=self.emulator.transport,
            clock=self.clock,
            budgets=OwnBudgets(limitless),
        ) as talkjs:
            await bulk.upsert_users(talkjs, users(people))
            await talkjs.users.upsert("u0", name="x")
            chats = ({"id": f"c{n}", "participants": ["u0"]} for n in range(conversations))
            await bulk.upsert_conversations(talkjs, chats)
            if messages:
                await bulk.send_messages(talkjs, texts(messages, conversations))

    @asynccontextmanager
    async def measured(self, **options: Any) -> AsyncIterator[tuple[AsyncTalkJS, Result]]:
        """Switch the limits on; when the block has ended, note what it took."""
        self.emulator.limits = Limits(burst=self.burst, batch_burst=self.batch_burst)
        requests = self.emulator.requests
        before = requests.total
        figures: Result = {}
        began, cpu = self.clock.monotonic(), time.process_time()
        async with self.client(**options) as talkjs:
            yield talkjs, figures
            figures["seconds"] = self.clock.monotonic() - began
            figures["cpu_s"] = time.process_time() - cpu
        figures["requests"] = requests.total - before
        figures["refused"] = sum(
            1 for exchange in list(requests)[-figures["requests"] :] if exchange.status == 429
        )

    def allowed(self, requests: int, *, reserve: int = 0) -> float:
        """Seconds that the ordinary budget takes for so many requests."""
        return max(0.0, (requests - self.burst + reserve) / RATE)

    def allowed_by_both(self, requests: int) -> float:
        """Seconds that both budgets take, when all of them may go into batches."""
        burst = self.burst + OPERATIONS * self.batch_burst
        return max(0.0, (requests - burst) / (RATE + OPERATIONS * BATCH_RATE))


def users(count: int) -> Iterator[dict[str, Any]]:
    """Users as a program has them."""
    for number in range(count):
        yield {
            "id": f"u{number}",
            "name": f"User {number}",
            "email": [f"u{number}@example.com"],
            "custom": {"plan": "gold"},
        }


def texts(count: int, conversations: int) -> Iterator[dict[str, Any]]:
    """Messages that come conversation by conversation in turn, the hardest order for a job."""
    for number in range(count):
        yield {"conversation_id": f"c{number % conversations}", "sender": "u0", "text": f"{number}"}


def old_texts(count: int, conversations: int) -> Iterator[dict[str, Any]]:
    """Old messages, conversation by conversation."""
    for number in range(count):
        conversation, sent_at = number * conversations // count, 1_600_000_000_000 + number
        yield {
            "conversation_id": f"c{conversation}",
            "sender": "u0",
            "text": f"{number}",
            "sent_at": sent_at,
        }


async def sync_users(count: int, scale: int) -> Result:
    """A hundred users per request, with the whole budget."""
    scene = Scene(scale)
    async with scene.measured() as (talkjs, figures):
        report = await bulk.upsert_users(talkjs, users(count), lane="interactive")
    return {**figures, "done": report.done, "allowed": scene.allowed(math.ceil(count / 100))}


async def sync_users_in_background(count: int, scale: int) -> Result:
    """The same in the default lane, which leaves a reserve to other callers."""
    scene = Scene(scale)
    reserve = scene.burst // 20
    async with scene.measured() as (talkjs, figures):
        report = await bulk.upsert_users(talkjs, users(count))
    allowed = scene.allowed(math.ceil(count / 100), reserve=reserve)
    return {**figures, "done": report.done, "allowed": allowed}


async def users_one_by_one(count: int, scale: int) -> Result:
    """Today's way: a user per request, though never waiting for longer than the budget asks."""
    scene = Scene(scale)
    async with scene.measured() as (talkjs, figures):

        async def upsert(user: dict[str, Any]) -> None:
            await talkjs.users.upsert(user.pop("id"), **user)

        await _side_by_side(upsert, users(count))
    stored = len(scene.emulator.commits.of("user.created"))
    return {**figures, "done": stored, "allowed": scene.allowed(count)}


async def send_messages(count: int, scale: int) -> Result:
    """Ten messages per request."""
    scene = Scene(scale)
    await scene.fill(count // 100)
    async with scene.measured() as (talkjs, figures):
        source = texts(count, count // 100)
        report = await bulk.send_messages(talkjs, source, lane="interactive")
    return {**figures, "done": report.done, "allowed": scene.allowed(count // 10)}


async def send_messages_with_overflow(count: int, scale: int) -> Result:
    """The same, and batches take along what waits."""
    scene = Scene(scale)
    await scene.fill(count // 100)
    async with scene.measured(overflow_to_batch=True) as (talkjs, figures):
        source = texts(count, count // 100)
        report = await bulk.send_messages(talkjs, source, lane="interactive")
    return {**figures, "done": report.done, "allowed": scene.allowed_by_both(count // 10)}


async def messages_one_by_one(count: int, scale: int) -> Result:
    """Today's way: a message per request."""
    scene = Scene(scale)
    await scene.fill(count // 100)
    async with scene.measured() as (talkjs, figures):

        async def send(message: dict[str, Any]) -> None:
            await talkjs.messages.send(message.pop("conversation_id"), **message)

        await _side_by_side(send, texts(count, count // 100))
    stored = len(scene.emulator.commits.of("message.sent"))
    return {**figures, "done": stored, "allowed": scene.allowed(count)}


async def import_messages(count: int, scale: int) -> Result:
    """A hundred old messages per request, conversation by conversation."""
    scene = Scene(scale)
    conversations = count // 100
    await scene.fill(conversations)
    async with scene.measured() as (talkjs, figures):
        source = old_texts(count, conversations)
        report = await bulk.import_messages(talkjs, source, lane="interactive")
    return {**figures, "done": report.done, "allowed": scene.allowed(count // 100)}


async def imports_with_pauses(count: int, scale: int) -> Result:
    """As TalkJS's own program does it: a request of a hundred, and a pause."""
    scene = Scene(scale)
    conversations = count // 100
    await scene.fill(conversations)
    done = 0
    async with scene.measured() as (talkjs, figures):
        messages = list(old_texts(count, conversations))
        for begin in range(0, count, 100):
            some = messages[begin : begin + 100]
            (conversation,) = {one.pop("conversation_id") for one in some}
            for one in some:
                one["sent_at"] = datetime.fromtimestamp(one["sent_at"] / 1000, UTC)
            await talkjs.messages.import_many(conversation, some)
            done += len(some)
            await scene.clock.sleep(PAUSE)
    return {**figures, "done": done, "allowed": figures["seconds"]}


async def export(count: int, scale: int) -> Result:
    """Everything, through both budgets; ten messages in each conversation."""
    scene = Scene(scale)
    conversations, people = count // 10, count // 100
    await scene.fill(conversations, count, people)
    with TemporaryDirectory() as folder:
        async with scene.measured() as (talkjs, figures):
            report = await bulk.export(talkjs, Path(folder) / "export", lane="interactive")
    pages = _pages(conversations, people)
    return {**figures, "done": report.done, "allowed": scene.allowed_by_both(pages)}


async def export_with_pauses(count: int, scale: int) -> Result:
    """Today's way: a list after the other, with TalkJS's script's pause after each."""
    scene = Scene(scale)
    conversations, people = count // 10, count // 100
    await scene.fill(conversations, count, people)
    done = 0
    async with scene.measured() as (talkjs, figures):
        async for some in talkjs.users.list().pages():
            done += len(some)
            await scene.clock.sleep(PAUSE)
        async for chats in talkjs.conversations.list().pages():
            done += len(chats)
            await scene.clock.sleep(PAUSE)
            for conversation in chats:
                async for page in talkjs.messages.list(conversation.id).pages():
                    done += len(page)
                    await scene.clock.sleep(PAUSE)
    return {**figures, "done": done, "allowed": PAUSE * _pages(conversations, people)}


def _pages(conversations: int, people: int) -> int:
    """Requests for all lists: users, conversations, and the messages of each conversation."""
    return math.ceil(people / 100) + math.ceil(conversations / 30) + conversations


async def bad_users(count: int, scale: int) -> Result:
    """Three bad users, whom the answer names, as TalkJS documents it."""
    return await _with_bad_users(count, scale, "reasons")


async def nameless_bad_users(count: int, scale: int) -> Result:
    """Three bad users in an answer that does not say which."""
    return await _with_bad_users(count, scale, "unnamed")


async def _with_bad_users(count: int, scale: int, naming: Any) -> Result:
    scene = Scene(scale)
    scene.emulator.switches.users_batch_errors = naming
    source = list(users(count))
    for number in (0, count // 2, count - 1):
        del source[number]["name"]
    async with scene.measured() as (talkjs, figures):
        report = await bulk.upsert_users(talkjs, source)
    named = sum(1 for record in report.records("failed") if record.reason)
    clean = math.ceil(count / 100)
    return {**figures, "done": report.done, "named": named, "clean": clean}


async def cpu(count: int, _scale: int) -> Result:
    """What users cost from the source to the emulator's store, both included."""
    return await _cpu(lambda talkjs: bulk.upsert_users(talkjs, users(count)), count)


async def cpu_one_by_one(count: int, _scale: int) -> Result:
    """The same with a request for each."""

    async def all_of_them(talkjs: AsyncTalkJS) -> None:
        for number in range(count):
            await talkjs.users.upsert(f"u{number}", name=f"User {number}")

    return await _cpu(all_of_them, count)


async def _cpu(job: Callable[[AsyncTalkJS], Awaitable[object]], count: int) -> Result:
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    async with AsyncTalkJS(
        emulator.app_id,
        emulator.secret_key,
        transport=emulator.transport,
        budgets=OwnBudgets(TokenBucket(1e6, 10**6)),
    ) as talkjs:
        # Everything is loaded and warm before it counts.
        await talkjs.users.upsert_many({"warm": UserInput(name="up")})
        began = time.process_time()
        await job(talkjs)
        spent = time.process_time() - began
    return {"done": count, "cpu_us": spent / count * 1e6}


async def memory_of_users(count: int, _scale: int) -> Result:
    """How much the process grows while a generator of users goes through a job."""
    return await _memory(bulk.upsert_users, users(count), count)


async def memory_of_messages(count: int, _scale: int) -> Result:
    """The same with old messages, of which a job reads far ahead."""
    old = ({**text, "sent_at": 1_600_000_000_000 + n} for n, text in enumerate(texts(count, 1_000)))
    return await _memory(bulk.import_messages, old, count)


async def _memory(job: Callable[..., bulk.Job], records: Iterator[Any], count: int) -> Result:
    first = most = 0.0

    def source() -> Iterator[Any]:
        nonlocal first, most
        for number, record in enumerate(records):
            if number % (count // 100) == 0:
                first = first or resident()
                most = max(most, resident())
            yield record

    # Answers like TalkJS and keeps nothing, so that only the job can grow.
    nobody = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    async with AsyncTalkJS(
        "app",
        "sk_test_of_a_length_that_nobody_minds",
        transport=nobody,
        budgets=OwnBudgets(TokenBucket(1e6, 10**6)),
    ) as talkjs:
        report = await job(talkjs, source())
    return {"done": report.done, "first_mb": first, "growth_mb": max(most, resident()) - first}


async def memory_of_a_list(count: int, _scale: int) -> Result:
    """Today's way: all records are read before the first is sent."""
    first = resident()
    everything = list(users(count))
    return {"done": len(everything), "first_mb": first, "growth_mb": resident() - first}


async def _side_by_side(
    do: Callable[[dict[str, Any]], Awaitable[None]], records: Iterator[dict[str, Any]]
) -> None:
    async def worker() -> None:
        for record in records:
            await do(record)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(worker)


JOBS: Final[dict[str, Callable[..., Awaitable[Result]]]] = {
    job.__name__: job
    for job in (
        sync_users,
        sync_users_in_background,
        users_one_by_one,
        send_messages,
        send_messages_with_overflow,
        messages_one_by_one,
        import_messages,
        imports_with_pauses,
        export,
        export_with_pauses,
        bad_users,
        nameless_bad_users,
        cpu,
        cpu_one_by_one,
        memory_of_users,
        memory_of_messages,
        memory_of_a_list,
    )
}


if __name__ == "__main__":
    stay_on(0)
    name, *numbers = sys.argv[1:]
    print(json.dumps(anyio.run(JOBS[name], *map(int, numbers))))
