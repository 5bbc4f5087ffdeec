from __future__ import annotations

import gc
import inspect
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, RateLimited, TokenBucket, Unauthorized
from talkjs_async.bulk import (
    Job,
    Progress,
    RecordsFailed,
    StorageError,
    export,
    send_messages,
    upsert_conversations,
    upsert_users,
)
from talkjs_async.emulator import Emulator, Limits, VirtualClock
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

Prepare = Callable[[int], Awaitable[None]]


def users(count: int) -> Iterator[dict[str, Any]]:
    return ({"id": f"u{number}", "name": "x"} for number in range(count))


async def watch(job: Job) -> list[Progress]:
    async with job:
        return [progress async for progress in job]


async def test_progress_is_a_stream_that_ends_with_the_job(talkjs: AsyncTalkJS) -> None:
    job = upsert_users(talkjs, users(1_000), total=1_000)

    seen = await watch(job)

    assert [*sorted(one.done for one in seen)] == [one.done for one in seen]
    last = seen[-1]
    assert (1_000, 10, 0, True) == (last.done, last.requests, last.waiting, last.finished)
    assert not any(one.finished for one in seen[:-1])
    assert 1_000 == job.report.done


async def test_a_slow_watcher_misses_steps_and_does_not_slow_the_job(
    talkjs: AsyncTalkJS,
) -> None:
    job = upsert_users(talkjs, users(5_000))
    seen = []

    async with job:
        async for progress in job:
            seen.append(progress.done)
            await anyio.sleep(0.05)

    assert 5_000 == seen[-1]
    assert len(seen) < 50


async def test_stopping_finishes_what_was_sent_and_takes_up_nothing_new(
    talkjs: AsyncTalkJS, emulator: Emulator, chat: Prepare, journal: Path
) -> None:
    await chat(1)
    source = [{"conversation_id": "c0", "sender": "alice", "text": "x"}] * 1_000
    job = send_messages(talkjs, source, journal=journal)

    async with job:
        async for progress in job:
            if progress.done >= 100:
                job.stop()
    stopped = job.report
    report = await send_messages(talkjs, source, journal=journal)

    assert (False, 0) == (stopped.complete, stopped.unknown)
    assert 100 <= stopped.done < 500
    assert (True, 1_000) == (report.complete, report.done)
    assert 1_000 == len(emulator.commits.of("message.sent"))


def a_list(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from records
    raise OSError("the database went away")


async def an_async_list(records: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for record in records:
        yield record
    raise OSError("the database went away")


@pytest.mark.parametrize("given", [1, 100, 201, 249, 450])
@pytest.mark.parametrize("broken", [a_list, an_async_list])
async def test_what_was_sent_when_a_source_fails_is_not_sent_again(
    talkjs: AsyncTalkJS, emulator: Emulator, journal: Path, broken: Any, given: int
) -> None:
    source = list(users(500))

    with pytest.raises(OSError, match="went away"):
        await upsert_users(talkjs, broken(source[:given]), journal=journal)
    stored = len(await talkjs.users.list().collect(max_items=1_000))
    before = emulator.requests.total
    report = await upsert_users(talkjs, source, journal=journal)

    assert (True, 500) == (report.ok, report.done)
    assert given // 100 * 100 == stored
    assert (500 - stored) // 100 == emulator.requests.total - before


async def test_stopping_does_not_wait_for_what_is_held_up(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, journal: Path
) -> None:
    await chat(5)
    emulator.faults.add("stall-before-commit", on="POST /conversations/c3/messages", nth=1)
    source = [
        {"conversation_id": f"c{n % 5}", "sender": "alice", "text": str(n)} for n in range(100)
    ]
    job = send_messages(make_talkjs(), source, journal=journal)

    async with job:
        async for progress in job:
            if progress.done >= 50:
                job.stop()
    report = await send_messages(make_talkjs(), source, journal=journal)

    assert (False, 10) == (job.report.complete, job.report.unknown)
    assert 5.0 <= job.report.seconds < 10.0
    assert report.ok
    texts = [commit.text for commit in emulator.commits.of("message.sent")]
    assert (100, 100) == (len(texts), len(set(texts)))


async def test_a_job_that_is_stopped_before_it_begins_does_nothing(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    job = upsert_users(talkjs, users(1_000))
    job.stop()

    report = await job

    assert (False, 0, 0) == (report.complete, report.done, len(emulator.requests))


async def test_cancelling_keeps_what_was_answered(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, journal: Path
) -> None:
    await chat(30)
    emulator.limits = Limits.off()
    emulator.latency = lambda _: (0.1, 0.1)
    talkjs = make_talkjs()
    source = [
        {"conversation_id": f"c{n % 30}", "sender": "alice", "text": str(n)} for n in range(3_000)
    ]
    job = send_messages(talkjs, source, journal=journal)

    with anyio.move_on_after(math.inf) as scope:
        async with job:
            async for progress in job:
                if progress.done >= 500:
                    scope.cancel()
    report = await send_messages(talkjs, source, journal=journal)

    assert scope.cancelled_caught
    assert (False, True) == (job.report.complete, report.complete)
    assert 500 <= job.report.done < 3_000
    assert 3_000 == report.done
    texts = [commit.text for commit in emulator.commits.of("message.sent")]
    assert (3_000, 3_000) == (len(texts), len(set(texts)))


async def test_an_error_in_the_block_ends_the_job_and_leaves_as_it_is(
    talkjs: AsyncTalkJS,
) -> None:
    job = upsert_users(talkjs, users(100_000))

    async def fail() -> None:
        async with job:
            async for progress in job:
                if progress.done:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert not job.report.complete


async def test_leaving_the_loop_early_leaves_the_job_running_to_its_end(
    talkjs: AsyncTalkJS,
) -> None:
    job = upsert_users(talkjs, users(1_000))

    async with job:
        async for _ in job:
            break

    gc.collect()
    assert 1_000 == job.report.done


async def test_an_error_that_is_no_record_s_fault_stops_the_job(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-401", on="PUT /users", nth=3)

    with pytest.raises(Unauthorized):
        await upsert_users(make_talkjs(), users(100_000))


async def test_a_watched_job_raises_at_the_end_of_the_block(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-429-retry-after-999", on="PUT /users", nth=3)
    job = upsert_users(make_talkjs(), users(100_000))

    with pytest.raises(RateLimited):
        await watch(job)

    assert job.progress.finished
    assert not job.report.complete


async def test_a_job_runs_once(talkjs: AsyncTalkJS) -> None:
    job = upsert_users(talkjs, [])
    await job

    with pytest.raises(ConfigurationError, match="make a new one"):
        await job


async def test_a_job_that_has_not_begun_has_no_progress_to_wait_for(talkjs: AsyncTalkJS) -> None:
    job = upsert_users(talkjs, [])

    with pytest.raises(ConfigurationError, match="async with"):
        aiter(job)
    with pytest.raises(ConfigurationError, match="no report"):
        _ = job.report
    assert Progress(eta=None) == job.progress
    assert "<Job upsert_users: to be awaited, or a task of job.run()>" == repr(job)


async def test_an_empty_job_id_and_an_unknown_outcome_are_refused(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match="job_id"):
        upsert_users(talkjs, [], job_id="")
    report = await upsert_users(talkjs, [])

    with pytest.raises(ConfigurationError, match="outcome"):
        list(report.records("lost"))  # type: ignore[arg-type]


async def test_a_job_works_on_a_clock_of_its_client(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    assert isinstance(emulator.clock, VirtualClock)
    emulator.latency = lambda _: (1.0, 1.0)

    report = await upsert_users(make_talkjs(), users(100))

    assert 2.0 == report.seconds


async def test_a_journal_that_was_deleted_meanwhile_is_an_error_at_the_end(
    talkjs: AsyncTalkJS, journal: Path
) -> None:
    async def source() -> AsyncIterator[dict[str, Any]]:
        for user in users(300):
            yield user
        await anyio.Path(journal).unlink()

    with pytest.raises(StorageError, match="deleted or replaced while the job was running"):
        await upsert_users(talkjs, source(), journal=journal)


async def test_a_job_runs_as_a_task(talkjs: AsyncTalkJS) -> None:
    jobs = [upsert_users(talkjs, users(100)) for _ in range(2)]

    async with anyio.create_task_group() as tasks:
        for job in jobs:
            tasks.start_soon(job.run)

    assert [100, 100] == [job.report.done for job in jobs]
    assert inspect.iscoroutinefunction(Job.run)


async def test_a_report_can_be_made_an_error(talkjs: AsyncTalkJS) -> None:
    good = await upsert_users(talkjs, users(3))
    bad = await upsert_users(talkjs, [{"id": "a", "name": "A"}, {"id": "b", "nmae": "B"}])
    job = upsert_users(talkjs, users(3))
    job.stop()

    assert good is good.raise_for_failed()
    with pytest.raises(RecordsFailed, match=r"upsert_users: 1 failed; the first: b \(nmae: "):
        bad.raise_for_failed()
    with pytest.raises(RecordsFailed, match="stopped before its end"):
        (await job).raise_for_failed()


@pytest.mark.parametrize("overflow", [False, True])
async def test_requests_are_counted_where_they_are_answered(
    make_talkjs: MakeTalkJS, emulator: Emulator, overflow: bool
) -> None:
    bucket = TokenBucket(rate=9.0, burst=10, background_reserve=0, clock=emulator.clock)
    emulator.faults.add("return-503", on="PUT /conversations/c5", nth=1)
    emulator.faults.add("return-503", on="POST /batch", nth=2)
    talkjs = make_talkjs(limiter=bucket, overflow_to_batch=overflow)
    seen = emulator.requests.total
    chats = ({"id": f"c{number}"} for number in range(200))

    report = await upsert_conversations(talkjs, chats)

    assert report.ok
    assert emulator.requests.total - seen == report.requests


async def test_one_odd_answer_does_not_end_a_job(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, tmp_path: Path
) -> None:
    await chat(3)
    source = [{"conversation_id": "c0", "sender": "alice", "text": str(n)} for n in range(20)]
    await send_messages(make_talkjs(), source)
    empty = OddAnswers(emulator.transport, at={2, 3, 7})

    report = await export(make_talkjs(transport=empty), tmp_path / "export")

    assert (True, 2 + 3 + 20) == (report.ok, report.done)
    assert 3 == empty.given


class OddAnswers(httpx.AsyncBaseTransport):
    """Answers some GETs with nothing."""

    def __init__(self, inner: httpx.AsyncBaseTransport, at: set[int]) -> None:
        self._inner = inner
        self._at = at
        self._count = self.given = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._count += 1
        if self._count in self._at:
            self.given += 1
            return httpx.Response(200)
        return await self._inner.handle_async_request(request)


class RefusesLongData(httpx.AsyncBaseTransport):
    """A TalkJS that takes custom data of some length only, and may say whose is longer."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, names: bool) -> None:
        self._inner = inner
        self._names = names

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and request.url.path.endswith("/users"):
            people = json.loads(await request.aread())
            long = [id_ for id_, user in people.items() if "big" in user.get("custom", {})]
            if long:
                why: Any = ["custom: is too long."]
                reasons = dict.fromkeys(long, why) if self._names else why
                body = {"errorCode": "INVALID_DATA", "reasons": reasons}
                return httpx.Response(400, json=body)
        return await self._inner.handle_async_request(request)


@pytest.mark.parametrize("names", [True, False], ids=["named", "unnamed"])
async def test_one_row_whose_data_is_refused_is_named_and_the_others_are_stored(
    make_talkjs: MakeTalkJS, emulator: Emulator, names: bool
) -> None:
    emulator.limits = Limits.off()
    source = list(users(10_000))
    source[7_777]["custom"] = {"big": "y" * 100_000}
    before = emulator.requests.total

    report = await upsert_users(
        make_talkjs(transport=RefusesLongData(emulator.transport, names=names)), source
    )

    assert (True, 9_999, 1) == (report.complete, report.done, report.failed)
    (failed,) = report.records("failed")
    assert ("u7777", 7_778) == (failed.id, failed.number)
    assert "custom: is too long." in str(failed.reason)
    assert 9_999 == len(emulator.commits.of("user.created"))
    # Those of the clean requests, and the parts of the one that was refused.
    assert emulator.requests.total - before <= 99 + 15


async def test_a_job_that_is_run_twice_at_once_runs_once(talkjs: AsyncTalkJS) -> None:
    job = upsert_users(talkjs, users(300))
    done, refused = [], []

    async def run_it() -> None:
        try:
            done.append(await job)
        except ConfigurationError as error:
            refused.append(str(error))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(run_it)

    assert [300] == [report.done for report in done]
    assert ["job: has been run: make a new one to run it again."] * 2 == refused
