"""
A bulk job from the outside: start it, watch it, stop it, read its report.

Knows nothing of what the job does: that is a `Step`. Users get a `Job` from the functions of
`talkjs_async.bulk`.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from talkjs_async._core.call import Lane
from talkjs_async._core.clock import Clock
from talkjs_async._core.tasks import first_of, stray_cancellation_fails, uninterrupted
from talkjs_async._core.wire import checked_flag, is_text
from talkjs_async.bulk._engine.eta import seconds_for, seconds_planned, time_left
from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.job_journal import JobJournal
from talkjs_async.bulk._engine.journal_file import JobIdentity
from talkjs_async.bulk._engine.named_paths import named_path
from talkjs_async.bulk._engine.progress import Progress
from talkjs_async.bulk._engine.report import BulkReport
from talkjs_async.bulk._engine.step import Step
from talkjs_async.bulk._engine.tally import Tally
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError


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
        dry_run: bool = False,
    ) -> None:
        if job_id is not None and not (is_text(job_id) and job_id):
            raise ConfigurationError("job_id", "must be a non-empty text (str), or None.")
        self._step = step
        self._client = JobClient(talkjs, lane)
        self._clock: Clock = self._client.clock
        self._path = None if journal is None else named_path("journal", journal)
        self._dry_run = checked_flag("dry_run", dry_run)
        self._identity = JobIdentity(kind=step.kind, app_id=talkjs.app_id, job_id=job_id)
        self._tally = Tally()
        self._context: JobContext | None = None
        self._report: BulkReport | None = None
        self._started = self._runs = False
        self._stopped = False
        self._began = self._ended = 0.0
        self._tasks: TaskGroup | None = None
        self._failures: list[Exception] = []

    def __repr__(self) -> str:
        # Also what `asyncio.create_task(job)` quotes when it refuses a job.
        through = f"{self._tally.sum('through')} records through"
        state = through if self._started else "to be awaited, or a task of job.run()"
        return f"<Job {self._step.kind}: {state}>"

    def __await__(self) -> Generator[Any, Any, BulkReport]:
        return self.run().__await__()

    async def run(self) -> BulkReport:
        """
        Run it to its end and return the report; `await job` does the same.

        A coroutine, for what takes no other awaitable: `asyncio.create_task(job.run())`,
        `tasks.start_soon(job.run)`.
        """
        # In a task of its own, which no one cancels but this one. What cancels both comes here, so
        # that a CancelledError there is told from one that only comes out of what the job awaits.
        uninterrupted(self.run)
        failures: list[Exception] = []
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(uninterrupted(self._run_watched), failures)
        except BaseExceptionGroup as several:
            # Ctrl-C on trio, or a hook that exits: it comes out as it does of a single call.
            raise first_of(several) from None
        if failures:
            raise failures[0]
        return self.report

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(uninterrupted(self._run_watched), self._failures)
        # An iteration in the block may wait from now on.
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
        # The task group is not told of the error, which so leaves the block as it is.
        await tasks.__aexit__(None, None, None)
        if exc is None and self._failures:
            raise self._failures[0]

    def __aiter__(self) -> ProgressIterator:
        if not self._started:
            raise ConfigurationError("job", "has not begun: iterate inside `async with job:`.")
        return ProgressIterator(self)

    def stop(self) -> None:
        """
        End the job soon: take up nothing new, and finish what has been sent.

        What is held up for longer than five seconds is left to the next run. May be called from any
        task of the job's event loop, also before the job begins.
        """
        self._stopped = True
        if self._context is not None:
            self._context.on_stop.set()

    @property
    def progress(self) -> Progress:
        """How far the job is right now."""
        tally = self._tally
        ordinary = self._client.ordinary_pace
        now = self._ended if tally.finished else self._clock.monotonic()
        elapsed = now - self._began if self._started else 0.0
        return Progress(
            done=tally.sum("done"),
            unchanged=tally.sum("unchanged"),
            failed=tally.sum("failed"),
            planned=tally.sum("planned"),
            waiting=tally.sum("waiting"),
            total=tally.total,
            requests=self._client.requests + self._step.requests_elsewhere,
            rate=tally.sum("through") / elapsed if elapsed > 0 else 0.0,
            budget_wait=seconds_for(1.0 - ordinary.free, ordinary.rate),
            elapsed=elapsed,
            eta=time_left(self._client, tally),
            finished=tally.finished,
        )

    @property
    def report(self) -> BulkReport:
        """
        What the job has done.

        Raises:
            ConfigurationError: The job has not ended, or could not open its journal.
        """
        if self._report is None:
            raise ConfigurationError("job", "has no report before it has ended.")
        return self._report

    async def _run_watched(self, failures: list[Exception]) -> None:
        try:
            with stray_cancellation_fails("The job"):
                await self._run()
        except Exception as error:  # noqa: BLE001 - raised in the task that waits for the job
            failures.append(error)

    async def _run(self) -> None:
        if self._runs:
            raise ConfigurationError("job", "has been run: make a new one to run it again.")
        self._runs = self._started = True
        self._began = self._clock.monotonic()
        try:
            await self._step.prepare()
            journal = await JobJournal.open(self._path, self._identity, copy=self._dry_run)
            self._context = context = JobContext(
                self._client, journal, self._tally, dry_run=self._dry_run
            )
            if self._stopped:
                context.on_stop.set()
            complete = False
            try:
                await self._step.run(context)
                await journal.check_present()
                complete = not context.stopping
                if complete:
                    await journal.finish()
            finally:
                await self._close(journal, complete=complete)
        finally:
            await self._client.aclose()
            self._ended = self._clock.monotonic()
            self._tally.finished = True
            self._tally.changed()

    async def _close(self, journal: JobJournal, *, complete: bool) -> None:
        try:
            await journal.close(self._step.conclude if complete else None)
        finally:
            # Also when `close` was cancelled: the journal is closed before it raises.
            if journal.unanswered is not None:
                self._report = self._reported(
                    journal, unknown=journal.unanswered, complete=complete
                )

    def _reported(self, journal: JobJournal, *, unknown: int, complete: bool) -> BulkReport:
        tally = self._tally
        # The files live as long as the report, even if the journal is still referred to.
        scratch, journal.scratch = journal.scratch, None
        caveat = self._step.caveat if complete else None
        return BulkReport(
            kind=self._step.kind,
            job_id=journal.job_id,
            complete=complete and caveat is None,
            caveat=caveat,
            done=tally.sum("done"),
            unchanged=tally.sum("unchanged"),
            failed=tally.sum("failed"),
            unknown=unknown,
            with_losses=tally.sum("with_losses"),
            planned=tally.sum("planned"),
            planned_requests=tally.sum("planned_requests"),
            planned_seconds=seconds_planned(self._client, tally),
            requests=self._client.requests + self._step.requests_elsewhere,
            seconds=self._clock.monotonic() - self._began,
            journal=self._path if self._step.has_records and not self._dry_run else None,
            file=journal.path if self._step.has_records else None,
            first_pass=journal.first_pass,
            scratch=scratch,
        )


class ProgressIterator:
    """Yields the latest progress whenever something has happened since the last one."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._seen = 0

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
