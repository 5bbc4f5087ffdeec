"""One app, copied into another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from talkjs_async._core.call import Lane
from talkjs_async._core.wire import checked_flag, is_real, is_whole
from talkjs_async.bulk._copying.alone import alone
from talkjs_async.bulk._copying.present import PresentConversations
from talkjs_async.bulk._copying.writing import AppWriter
from talkjs_async.bulk._downloads import Downloads
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.named_paths import named_path
from talkjs_async.bulk._engine.private_files import make_private_directory
from talkjs_async.bulk._engine.scratch import Scratch
from talkjs_async.bulk._engine.step import Step
from talkjs_async.bulk._engine.tally import Tally
from talkjs_async.bulk._exporting import Exporting
from talkjs_async.bulk._record_types.copies import NotedConversationRecordType
from talkjs_async.bulk._record_types.files import FileRecordType
from talkjs_async.bulk._record_types.imports import SETTLE, checked_settle
from talkjs_async.bulk._transferring import FILES, Transferring
from talkjs_async.bulk.formats.export_directory import file_of, has
from talkjs_async.bulk.formats.json_lines import EMPTY, LinesFile, disk_error
from talkjs_async.bulk.formats.sorted_export import SortedExport
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, shown

__all__ = ["transfer"]

MOST_FILE_BYTES: Final = 500_000_000
FILE_SECONDS: Final = 600.0


def transfer(
    source: AsyncTalkJS,
    target: AsyncTalkJS,
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    settle: float = SETTLE,
    max_file_bytes: int = MOST_FILE_BYTES,
    file_timeout: float = FILE_SECONDS,
    allow_loopback_files: bool = False,
    dry_run: bool = False,
) -> Job:
    """
    Copy an app into another one: users, conversations, messages, files, reactions, read marks.

    Both are worked on side by side, through both budgets of each (of the target's second one if its
    client overflows). IDs of users and conversations stay; participants keep access, notification
    and read marks, messages their sender, time, content and custom data, reactions their people.
    Files are downloaded, and uploaded once for each URL. Nothing is stored in a conversation that
    was in the target before. What cannot be stored is a failed record, and what is lost of a stored
    one is its `reason`: the message that it answers, that it was edited. TalkJS gives new IDs to
    messages and new times to users, conversations and participations; participants whom it does not
    list (access "None") and marks as unread cannot be read.

    Run one at a time into a target: of two that begin together, each would store what the other
    does (two of one process are refused). Run it again with the same *journal* to go on after an
    interruption, and after its end to copy what is new since; fields of users and conversations
    that were cleared since, and participants who have left, are so in the copy, too, while messages
    and reactions that were deleted stay. While it runs, what was read lies beside the journal, in
    `<journal>-copy`.

    Args:
        source, target: A client of each app.
        journal: A file to note in what was done, needed to go on after an interruption: without it
            a second run finds all conversations there and stores nothing. None: a temporary one.
        job_id, lane: As in `upsert_users`.
        settle: As in `import_messages`.
        max_file_bytes: The largest file that is copied.
        file_timeout: Seconds for the download of one.
        allow_loopback_files: Whether files may be on this machine, by http: for tests. Otherwise
            they come by https from public addresses only.
        dry_run: Store nothing. The source is read, and the report says what would be stored.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: *source* and *target* are one app, or an argument breaks its rule. The
            job raises it when *journal* is that of another source.
    """
    if not is_whole(max_file_bytes, least=1):
        raise ConfigurationError("max_file_bytes", f"must be above 0, not {shown(max_file_bytes)}.")
    if not is_real(file_timeout) or file_timeout <= 0:
        raise ConfigurationError("file_timeout", f"must be above 0 s, not {shown(file_timeout)}.")
    checked_flag("allow_loopback_files", allow_loopback_files)
    downloads = Downloads(
        most_bytes=max_file_bytes, seconds=file_timeout, allow_loopback=allow_loopback_files
    )
    path = None if journal is None else named_path("journal", journal)
    reader = JobClient(source, lane)
    if reader.root == JobClient(target, lane).root:
        raise ConfigurationError("target", "is the same app as source.")
    step = TransferStep(reader, path, checked_settle(settle), downloads)
    return Job(step, target, journal=path, job_id=job_id, lane=lane, dry_run=dry_run)


class TransferStep(Step):
    """The step of a transfer."""

    kind = "transfer"

    def __init__(
        self, source: JobClient, journal: Path | None, settle: float, downloads: Downloads
    ) -> None:
        self._source = source
        # That of a link: what was read lies beside it whatever name it is given.
        self._journal = None if journal is None else Path(os.path.realpath(journal))
        self._settle = settle
        self._downloads = downloads
        self._scratch = Scratch()
        self._folder: Path | None = None

    @property
    def requests_elsewhere(self) -> int:
        return self._source.requests

    async def run(self, context: JobContext) -> None:
        """Copy everything, or what is left."""
        try:
            with alone("target", self._source.root, context):
                await self._run(context)
        finally:
            await self._source.aclose()

    async def _run(self, context: JobContext) -> None:
        journal = context.journal
        app_id = self._source.talkjs.app_id
        known: dict[str, Any] | None = journal.place
        if known is not None and known["source"] != app_id:
            raise ConfigurationError(
                "journal", f"belongs to a transfer of the app {known['source']!r}, not {app_id!r}."
            )
        self._folder = folder = self._scratch.path / "copy"
        if self._journal is not None and not context.dry_run:
            self._folder = folder = self._journal.with_name(f"{self._journal.name}-copy")
        is_new = journal.number_of_pass == journal.first_pass
        if known is None or is_new or not await journal.in_thread(partial(has, folder, known)):
            # Also where what was read is gone: the journal knows what of it is stored.
            known = {"source": app_id, **{name: dict(EMPTY) for name in FILES}}
            await journal.move(known)
        place = known
        files: dict[str, LinesFile] = {}
        try:
            await journal.in_thread(partial(_make_folder, folder))
            for name in FILES:
                files[name] = await journal.in_thread(
                    partial(LinesFile, file_of(folder, name), place[name])
                )
            export = SortedExport.growing(app_id, folder, self._scratch.path / "sorted")
            reading = attrs.evolve(context, client=self._source, tally=Tally())
            there = PresentConversations(context, self._scratch.path / "present")
            await Transferring(
                context=context,
                reading=reading,
                exporting=Exporting(reading, place, files),
                place=place,
                export=export,
                there=there,
                writer=self._writer(context, export, there),
            ).run()
        finally:
            await journal.in_thread(partial(_close_all, tuple(files.values())))

    def conclude(self) -> None:
        """Remove what was read: only now can no other pass need it."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _writer(
        self, context: JobContext, export: SortedExport, there: PresentConversations
    ) -> AppWriter:
        return AppWriter(
            context,
            export,
            settle=self._settle,
            conversations=NotedConversationRecordType(),
            files=FileRecordType(self._downloads),
            there=there.has,
        )


def _make_folder(folder: Path) -> None:
    try:
        make_private_directory(folder)
    except OSError as error:
        raise disk_error(folder, error) from error


def _close_all(files: Iterable[LinesFile]) -> None:
    for file in files:
        file.close()
