"""
A bulk job from the outside: start it, watch it, stop it, read its report.

Knows nothing of what the job does: that is a `Step`. Users get a `Job` from the functions of
`talkjs_async.bulk`; steps get a `Work`.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import attrs
from anyio.abc import TaskGroup

from talkjs_async._core.clock import Clock
from talkjs_async._core.limits.waiting import Lane
from talkjs_async._core.retry import RetryPolicy
from talkjs_async.batch import MOST_OPERATIONS
from talkjs_async.bulk.journal import Identity, Journal
from talkjs_async.bulk.report import BulkReport, Progress
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError
from talkjs_async.resources.users import MOST_USERS_PER_PUT


@attrs.define
class Tally:
    """
    Counts what happens and tells whoever watches.

    Attributes:
        answered: Records that TalkJS has answered for and that are not noted yet.
        per_request: How many records go into a request, for the estimate of what is left.
    """

    done: int = 0
    unchanged: int = 0
    failed: int = 0
    planned: int = 0
    waiting: int = 0
    answered: int = 0
    requests: int = 0
    total: int | None = None
    per_request: int = 1
    version: int = 0
    finished: bool = False
    _news: anyio.Event | None = None

    def changed(self) -> None:
        """Wake those who watch."""
        self.version += 1
        if self._news is not None:
            self._news.set()
            self._news = None

    async def news(self) -> None:
        """Wait for the next change."""
        if self._news is None:
            self._news = anyio.Event()
        await self._news.wait()

    @property
    def through(self) -> int:
        """Records that need no more work."""
        return self.done + self.unchanged + self.failed + self.planned


@attrs.define
class Work:
    """
    What a step has at hand.

    Attributes:
        talkjs: The client, with the job's lane.
        retry: The client's, for steps that decide themselves when to repeat.
        stopping: Whether to take up nothing new.
    """

    talkjs: AsyncTalkJS
    clock: Clock
    retry: RetryPolicy
    lane: Lane
    journal: Journal
    tally: Tally
    stopping: bool = False
    on_stop: anyio.Event = attrs.field(factory=anyio.Event)

    @property
    def overflows(self) -> bool:
        """Whether the next requests of the present kind wait for batches to take them along."""
        return self.budget_wait() > 0 and may_overflow(self.talkjs, self.tally.per_request)

    def could_leave(self, seconds: float) -> float:
        """How many requests of the present kind can leave from now on within some seconds."""
        tokens, rate = pace(self.talkjs, self.tally.per_request)
        return tokens + rate * seconds

    def budget_wait(self) -> float:
        """Seconds until the budget would let one more request of the job go."""
        budget = self.talkjs.budget
        if self.lane == "interactive":
            return budget.estimated_wait
        return budget.estimated_wait_background


def pace(talkjs: AsyncTalkJS, per_request: int) -> tuple[float, float]:
    """
    Return how many requests have left or could leave at once, and how many per second after that.

    Args:
        per_request: How many records go into one, which tells what may be taken along by batches.
    """
    ordinary = talkjs.budget
    tokens, rate = max(0.0, ordinary.tokens) + ordinary.in_flight, ordinary.effective_rate
    if may_overflow(talkjs, per_request):
        batch = talkjs._pipeline.limiters["batch"].statistics()  # noqa: SLF001
        tokens += MOST_OPERATIONS * (max(0.0, batch.tokens) + batch.in_flight)
        rate += MOST_OPERATIONS * batch.effective_rate
    return tokens, rate


def may_overflow(talkjs: AsyncTalkJS, per_request: int) -> bool:
    """Whether batches take along requests of so many records: not those of `PUT /users`."""
    # The client has no public face for this.
    dispatcher = talkjs._dispatcher  # noqa: SLF001
    return dispatcher is not None and dispatcher.active and per_request < MOST_USERS_PER_PUT


class Step(ABC):
    """
    The work of a job.

    Attributes:
        kind: Name of the job, kept in its journal.
        has_records: Whether the journal has a row for each record, to be read from the report.
    """

    kind: str
    has_records: bool = True

    async def prepare(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what comes before the journal is opened."""

    @abstractmethod
    async def run(self, work: Work) -> None:
        """Do it all, or return early when `work.stopping`. Errors raised here stop the job."""

    async def conclude(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what comes after the journal of a complete run is closed."""


class Job:
    """
    A bulk job: nothing happens before you start it, in one of two ways.

        report = await job

        async with job:
            async for progress in job:
                print(progress)
        report = job.report

    A slow watcher misses some steps of the progress and never slows the job down. Leaving the block
    waits for the end of the job; an error or a cancellation in it ends the job at once. Whatever
    ends a job, running it again with the same journal goes on where it was.
    """

    def __init__(
        self,
        step: Step,
        talkjs: AsyncTalkJS,
        *,
        journal: str | os.PathLike[str] | None,
        job_id: str | None,
        lane: Lane,
    ) -> None:
        if job_id is not None and not job_id:
            raise ConfigurationError("job_id", "must not be empty.")
        self._step = step
        self._talkjs = talkjs.with_options(lane=lane)
        self._lane: Lane = lane
        # The client has no public face for these two.
        self._clock: Clock = talkjs._pipeline.clock  # noqa: SLF001
        self._retry: RetryPolicy = talkjs._pipeline.retry  # noqa: SLF001
        self._path = None if journal is None else Path(journal)
        self._identity = Identity(kind=step.kind, app_id=talkjs.app_id, job_id=job_id)
        self._tally = Tally()
        self._work: Work | None = None
        self._report: BulkReport | None = None
        self._started = False
        self._stopped = False
        self._began = self._ended = 0.0
        self._tasks: TaskGroup | None = None
        self._failure: Exception | None = None

    def __repr__(self) -> str:
        return f"<Job {self._step.kind}: {self._tally.through} records through>"

    def __await__(self) -> Generator[Any, Any, BulkReport]:
        return self._to_the_end().__await__()

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run_watched)
        # An iteration in the block has something to wait for.
        self._started = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = self._tasks
        if tasks is None:
            return
        if exc is not None:
            tasks.cancel_scope.cancel()
        # Told nothing of the error, so that it leaves the block as it is and in no group.
        await tasks.__aexit__(None, None, None)
        if exc is None and self._failure is not None:
            raise self._failure

    def __aiter__(self) -> ProgressIterator:
        if not self._started:
            raise ConfigurationError("job", "has not begun: iterate inside `async with job:`.")
        return ProgressIterator(self)

    def stop(self) -> None:
        """
        End the job soon: finish what has been sent, and take up nothing new.

        May be called from any task of the job's event loop, also before the job begins.
        """
        self._stopped = True
        if self._work is not None:
            self._work.stopping = True
            self._work.on_stop.set()

    @property
    def progress(self) -> Progress:
        """How far the job is right now."""
        tally = self._tally
        budget = self._talkjs.budget
        now = self._ended if tally.finished else self._clock.monotonic()
        elapsed = now - self._began if self._started else 0.0
        return Progress(
            done=tally.done,
            unchanged=tally.unchanged,
            failed=tally.failed,
            planned=tally.planned,
            waiting=tally.waiting,
            total=tally.total,
            requests=tally.requests,
            rate=tally.through / elapsed if elapsed > 0 else 0.0,
            budget_wait=max(0.0, (1.0 - budget.tokens) / budget.effective_rate),
            elapsed=elapsed,
            eta=self._eta(),
            finished=tally.finished,
        )

    @property
    def report(self) -> BulkReport:
        """
        What the job has done.

        Raises:
            ConfigurationError: The job has not ended, or never got its journal open.
        """
        if self._report is None:
            raise ConfigurationError("job", "has no report before it has ended.")
        return self._report

    @property
    def last_report(self) -> BulkReport | None:
        """The same, or None where there is none."""
        return self._report

    def _eta(self) -> float | None:
        tally = self._tally
        if tally.total is None:
            return None
        records = max(0, tally.total - tally.through - tally.answered)
        requests = math.ceil(records / tally.per_request)
        tokens, rate = pace(self._talkjs, tally.per_request)
        return max(0.0, (requests - tokens) / rate)

    async def _to_the_end(self) -> BulkReport:
        await self._run()
        return self.report

    async def _run_watched(self) -> None:
        try:
            await self._run()
        except Exception as error:  # noqa: BLE001 - raised at the end of the block
            self._failure = error

    async def _run(self) -> None:
        if self._work is not None:
            raise ConfigurationError("job", "has been run: make a new one to run it again.")
        self._started = True
        self._began = self._clock.monotonic()
        try:
            await self._step.prepare()
            journal = await Journal.open(self._path, self._identity)
            self._work = work = Work(
                self._talkjs,
                self._clock,
                self._retry,
                self._lane,
                journal,
                self._tally,
                stopping=self._stopped,
            )
            complete = False
            try:
                await self._step.run(work)
                complete = not work.stopping
                if complete:
                    await journal.finish()
            finally:
                await self._close(journal, complete=complete)
            if complete:
                await self._step.conclude()
        finally:
            self._ended = self._clock.monotonic()
            self._tally.finished = True
            self._tally.changed()

    async def _close(self, journal: Journal, *, complete: bool) -> None:
        try:
            unknown = await journal.unanswered()
        finally:
            await journal.close()
        tally = self._tally
        # From now on it lives as long as the report, whoever still holds the journal.
        scratch, journal.scratch = journal.scratch, None
        self._report = BulkReport(
            kind=self._step.kind,
            job_id=journal.job_id,
            complete=complete,
            done=tally.done,
            unchanged=tally.unchanged,
            failed=tally.failed,
            unknown=unknown,
            planned=tally.planned,
            requests=tally.requests,
            seconds=self._clock.monotonic() - self._began,
            journal=self._path if self._step.has_records else None,
            file=journal.path if self._step.has_records else None,
            first_pass=journal.first_pass,
            scratch=scratch,
        )


class ProgressIterator:
    """Yields the latest progress whenever something has happened since the one before."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._seen = -1

    def __aiter__(self) -> ProgressIterator:
        return self

    async def __anext__(self) -> Progress:
        tally = self._job._tally  # noqa: SLF001 - the other half of the same thing
        while self._seen == tally.version:
            if tally.finished:
                raise StopAsyncIteration
            await tally.news()
        self._seen = tally.version
        return self._job.progress
