"""An export, loaded into another app."""

from __future__ import annotations

import os
from pathlib import Path

from talkjs_async._core.call import Lane
from talkjs_async._core.endpoint import call_of
from talkjs_async._core.wire import checked_flag
from talkjs_async.bulk._copying.alone import alone
from talkjs_async.bulk._copying.writing import AppWriter, totals_of
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.named_paths import named_path
from talkjs_async.bulk._engine.owner_thread import run_in_thread
from talkjs_async.bulk._engine.scratch import Scratch
from talkjs_async.bulk._engine.step import Step
from talkjs_async.bulk._record_types.imports import SETTLE, checked_settle
from talkjs_async.bulk.formats.sorted_export import SortedExport
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError

__all__ = ["restore"]


def restore(
    talkjs: AsyncTalkJS,
    directory: str | os.PathLike[str],
    *,
    into_existing: bool = False,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    settle: float = SETTLE,
    dry_run: bool = False,
) -> Job:
    """
    Load what `export` has written into an app, which should be empty.

    The files are compared with what `export.json` says of them before anything is sent; the order
    of their lines does not matter. IDs of users and conversations, participants with their settings
    and read marks, texts, places, times and custom data of messages, system messages, and reactions
    where the export has them come back as they were. Files are not in an export: messages that
    carry one are reported as failed (`transfer` copies them). Under TalkJS's older rules, so are
    places and system messages. Those who wrote and have left take part while their messages are
    imported, and leave again. Message IDs are new, and so are the times of users and conversations;
    which message another one answers, when it was edited and who has reacted, where the export does
    not have that, is lost, and reported.

    Args:
        talkjs: The client of the app that gets it all.
        directory: The directory of a complete export.
        into_existing: Whether the app may have users or conversations already. Messages that are
            there, of the same backup perhaps, are there twice then.
        journal: A file to note in what was done, needed to go on after an interruption. None: a
            temporary one.
        job_id, lane: As in `upsert_users`.
        settle: As in `import_messages`.
        dry_run: As in `upsert_users`.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: The job raises it when *directory* holds no complete export, or a
            damaged one, when the app is not empty, and when *journal* is that of an export of
            another app.
    """
    checked_flag("into_existing", into_existing)
    step = _Restore(named_path("directory", directory), settle, into_existing=into_existing)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane, dry_run=dry_run)


class _Restore(Step):
    kind = "restore"

    def __init__(self, directory: Path, settle: float, *, into_existing: bool) -> None:
        self._directory = directory
        self._into_existing = into_existing
        self._settle = checked_settle(settle)
        self._scratch = Scratch()

    async def prepare(self) -> None:
        self._export = await run_in_thread(self._read)

    def _read(self) -> SortedExport:
        export = SortedExport.of(self._directory, self._scratch.path / "export")
        self._totals = totals_of(export)
        self._place = os.path.realpath(self._directory)
        return export

    async def run(self, context: JobContext) -> None:
        with alone("talkjs", self._place, context):
            await self._run(context)

    async def _run(self, context: JobContext) -> None:
        # Once: what a later pass finds there is what the first one has sent.
        export, begun = self._export, context.journal.place
        if begun is None:
            if not self._into_existing:
                await self._check_empty(context)
            await context.journal.move({"begun": True, "source": export.app_id})
        elif begun.get("source", export.app_id) != export.app_id:
            raise ConfigurationError(
                "journal",
                f"belongs to a restore of the app {begun['source']!r}, not {export.app_id!r}.",
            )
        writer = AppWriter(
            context,
            export,
            settle=self._settle,
            readers=True,
            reactions=export.has_reactions,
        )
        writer.expect(self._totals)
        await writer.users(export.users())
        await writer.conversations(export.everything)
        await writer.messages(export.everything)
        await writer.reactions(export.everything)
        await writer.participants(export.everything)
        await writer.lost()

    async def _check_empty(self, context: JobContext) -> None:
        for name in ("users", "conversations"):
            method = getattr(context.talkjs, name).list
            if (await context.read(call_of(method, page_size=1))).items:
                app_id = context.talkjs.app_id
                own = " (it is the one that was exported)"
                raise ConfigurationError(
                    "into_existing",
                    f"the app {app_id}{own if app_id == self._export.app_id else ''} has "
                    f"{name} already, and messages that it has would be there twice: restore into "
                    "an empty app, or pass into_existing=True (--into-existing).",
                )
