"""Runs a bulk job in front of a person or a machine: progress, Ctrl-C, report, exit code."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Final

import anyio
import attrs

from talkjs_async._core.retry import RetryPolicy
from talkjs_async.bulk import BulkReport, Job, StorageError
from talkjs_async.cli._exit_codes import STOPPED
from talkjs_async.cli._global_options import GlobalOptions
from talkjs_async.cli._job_report import write_for_machines, write_for_people
from talkjs_async.cli._output import PROGRAM, say
from talkjs_async.cli._progress_display import ProgressDisplay, ProgressLines
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, RateLimited, TalkJSError
from talkjs_async.telemetry import RetryScheduled, TelemetryEvent

_FRAME: Final = 0.1
"""Seconds between two looks at the progress."""
_OUTAGE_EVERY: Final = 10.0
"""Seconds between two sentences about an outage."""


def run_job(
    options: GlobalOptions,
    title: str,
    make: Callable[..., Job],
    *,
    overflow: bool,
    has_journal: bool = True,
    source: GlobalOptions | None = None,
) -> int:
    """
    Run a job, and show its progress and report.

    Args:
        title: Names the job to a person.
        make: Makes the job from the client of *source*, if given, and the client of the app.
        overflow: Whether requests that wait for the ordinary budget may go in batches.
        has_journal: Whether the command takes the path of a journal.
        source: Another app, which is copied into that of *options*.

    Returns:
        The exit code.

    Raises:
        TalkJSError, OSError: What has stopped the job.
    """
    running = _Running(options, title, make, overflow, has_journal, source)
    try:
        anyio.run(running.run)
    except KeyboardInterrupt:
        # Where signals cannot be received, it comes as an exception.
        running.stopped = True
    return running.conclude()


@attrs.define
class _Running:
    options: GlobalOptions
    title: str
    make: Callable[..., Job]
    overflow: bool
    has_journal: bool
    source: GlobalOptions | None = None
    stopped: bool = False
    job: Job | None = None
    failure: TalkJSError | OSError | None = None
    display: ProgressDisplay | None = None
    told_of_outage: float = float("-inf")

    async def run(self) -> None:
        apps = [self.options] if self.source is None else [self.source, self.options]
        async with AsyncExitStack() as opened:
            clients: list[AsyncTalkJS] = []
            for app in apps:
                client = app.client(overflow_to_batch=self.overflow, hooks=[self._on_event])
                clients.append(await opened.enter_async_context(client))
            for talkjs in clients:
                # A job waits out an outage; a wrong key or address should be reported at once.
                await talkjs.with_options(retry=RetryPolicy(attempts=2), timeout=10.0).app.get()
            self.job = job = self.make(*clients)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._stop_on_signal, job, tasks.cancel_scope)
                with display_for(self.title, machine=self.options.json) as self.display:
                    try:
                        await self._watch(job, self.display)
                    except (TalkJSError, OSError) as error:
                        # Raised by conclude(), out of the task group.
                        self.failure = error
                tasks.cancel_scope.cancel()

    async def _watch(self, job: Job, display: ProgressDisplay) -> None:
        async with job:
            async for progress in job:
                display.show(progress)
                if not progress.finished:
                    await anyio.sleep(_FRAME)

    async def _stop_on_signal(self, job: Job, scope: anyio.CancelScope) -> None:
        try:
            with anyio.open_signal_receiver(*_signals()) as signals:
                async for _ in signals:
                    if self.stopped:
                        scope.cancel()
                        return
                    self.stopped = True
                    job.stop()
                    self._tell("Stopping: what was sent is being finished. Again ends it at once.")
        except NotImplementedError:
            # Windows cannot receive them; Ctrl-C raises KeyboardInterrupt there.
            return

    def _on_event(self, event: TelemetryEvent) -> None:
        """Report an outage, now and then. A 429 is not an outage."""
        now = time.monotonic()
        if (
            isinstance(event, RetryScheduled)
            and event.error != RateLimited.__name__
            and now > self.told_of_outage + _OUTAGE_EVERY
        ):
            self.told_of_outage = now
            self._tell(f"{event.method} {event.path or '/'}: {event.error}, trying again.")

    def _tell(self, words: str) -> None:
        if self.display is None:
            say(words)
        else:
            self.display.say(words)

    def conclude(self) -> int:
        """Tell how it ended; return the exit code."""
        report: BulkReport | None = None
        if self.job is not None:
            with suppress(ConfigurationError):
                # It has none if it never came to open its journal.
                report = self.job.report
        # A job that was refused before it did anything has only that to tell.
        came_to_something = report is not None and (report.done or report.failed or report.unknown)
        if report is not None and (self.failure is None or came_to_something):
            if self.options.json:
                write_for_machines(report)
            else:
                write_for_people(self.title, report)
            if not report.came_to_its_end:
                command = shlex.join([PROGRAM, *sys.argv[1:]])
                say("To go on where it was, run the same command again:")
                say(f"  {command}")
            elif report.failed and self.has_journal and not self.options.json:
                say("Mend what failed and run the same command again: it sends only that.")
        if report is None and isinstance(self.failure, StorageError) and not self.failure.damaged:
            # It never came to open its files: that is a wrong argument, and nothing to go on with.
            raise ConfigurationError(
                "journal" if self.has_journal else "directory",
                f"{self.failure.path} cannot be used: {self.failure.reason}. Name a place where "
                f"files can be written{', with --journal' if self.has_journal else ''}.",
            )
        if self.failure is not None:
            raise self.failure
        if self.stopped and (report is None or not report.came_to_its_end):
            return STOPPED
        if report is None or not report.came_to_its_end:
            return 1
        return 1 if report.failed or report.unknown else 0


def _signals() -> Iterator[signal.Signals]:
    """Yield the signals that stop a job."""
    yield signal.SIGINT
    yield signal.SIGTERM
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)
    # Of a terminal that closes. `nohup` has it ignored.
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        yield hangup


def display_for(title: str, *, machine: bool) -> ProgressDisplay:
    """
    Choose how to draw.

    Args:
        title: What is being done.
        machine: Whether the output is read by a program.
    """
    if machine:
        return ProgressDisplay()
    if not sys.stderr.isatty():
        return ProgressLines(title)
    # Loaded where it is drawn with, and nowhere else.
    from talkjs_async.cli._progress_bar import ProgressBar  # noqa: PLC0415

    return ProgressBar(title)
