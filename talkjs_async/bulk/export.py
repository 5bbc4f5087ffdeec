"""Everything that an app has, as files."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Final

from talkjs_async._core.call import Lane
from talkjs_async._core.walk import Walk
from talkjs_async._core.wire import checked_flag
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.named_paths import named_path
from talkjs_async.bulk._engine.owner_thread import run_in_thread
from talkjs_async.bulk._engine.raw_lists import RawRecord, activity_of, raw_walk
from talkjs_async.bulk._engine.step import Step
from talkjs_async.bulk._exporting import (
    CONVERSATIONS,
    Exporting,
    active_conversations,
    next_page,
)
from talkjs_async.bulk.formats import export_directory
from talkjs_async.bulk.formats import export_update as update
from talkjs_async.bulk.formats.export_directory import (
    JOURNAL,
    MANIFEST,
    NAMES,
    REACTIONS,
    Manifest,
    file_of,
)
from talkjs_async.bulk.formats.json_lines import EMPTY, Lines, LinesFile
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError

__all__ = ["export"]

_CAVEAT: Final = (
    "Conversations without a new message were not read again: what was edited, deleted or imported "
    "there since they were is not in the export."
)


def export(
    talkjs: AsyncTalkJS,
    directory: str | os.PathLike[str],
    *,
    reactions: bool = False,
    lane: Lane = "background",
    dry_run: bool = False,
) -> Job:
    """
    Write all users, conversations, participants and messages of the app into files.

    In *directory* come `users.jsonl`, `conversations.jsonl`, `participants.jsonl` and
    `messages.jsonl`, with a line per record as TalkJS gives it (participants and last message are
    taken out of the conversations), and last of all `export.json`, which says that all is there.
    Messages stand together by conversation, the newest first, conversations in the order of their
    creation. The messages are read through both budgets, that of ordinary and that of batch
    requests. Read marks are in the participants.

    Run it again with the same *directory* to go on after an interruption. What changes at TalkJS
    while the export runs may or may not be in it. Files that messages carry are not downloaded.
    `report.with_losses` counts the messages with such a file, or with reactions that were not asked
    for.

    With the *directory* of an export that came to its end, it is brought up to date: all users are
    read, and the conversations that have had a new message since, each as a whole. Edits, deletions
    and imports in the others cannot be seen that way, so the report says so in `caveat`, and is
    never `complete`; for all there is, take a new directory. Until the new files are whole, the old
    ones stay as they are.

    Args:
        talkjs: The client.
        directory: A directory that is empty or does not exist yet, or one to go on with.
        reactions: Whether to read who has reacted, too, into `reactions.jsonl`: a request for each
            emoji on each message, where the message does not say it by itself.
        lane: Which calls of the app go first, those of others ("background") or these.
        dry_run: Write nothing. The lists of users and conversations are read, and the report says
            how many there are ("planned") and how many requests an export takes at least: a
            conversation may have more messages than one answer holds.

    Returns:
        The job; await it. It counts users, conversations and messages as records.

    Raises:
        ConfigurationError: The job raises it when *directory* holds something else: other files,
            the export of another app, or a damaged one.
        StorageError: The job raises it when the disk is full.
    """
    path = named_path("directory", directory)
    checked_flag("reactions", reactions)
    checked_flag("dry_run", dry_run)
    step = _PlannedExport(path, talkjs) if dry_run else _Export(path, talkjs, reactions)
    journal = None if dry_run else path / JOURNAL
    return Job(step, talkjs, journal=journal, job_id=None, lane=lane, dry_run=dry_run)


class _Export(Step):
    kind = "export"
    has_records = False

    def __init__(self, directory: Path, talkjs: AsyncTalkJS, reactions: bool) -> None:
        self._directory = directory
        self._names = (*NAMES, REACTIONS) if reactions else NAMES
        self._app_id = talkjs.app_id
        self._earlier: Manifest | None = None

    async def prepare(self) -> None:
        find = partial(export_directory.prepare, self._directory, self._app_id)
        self._earlier = await run_in_thread(find)

    async def run(self, context: JobContext) -> None:
        began: Mapping[str, Any] | None = context.journal.place
        if began is None and self._earlier is not None:
            began = self._earlier.files
        if began is not None and (REACTIONS in began) != (REACTIONS in self._names):
            raise ConfigurationError(
                "reactions", f"must be as it was when the export into {self._directory} began."
            )
        place = context.journal.place or await _begin(context, self._earlier, self._names)
        if place["updates"]:
            await self._update(context, place)
            self.caveat = _CAVEAT
        else:
            lines = await self._read(context, place, self._directory)
            await self._conclude(context, place, lines)

    async def _update(self, context: JobContext, place: dict[str, Any]) -> None:
        """Read what is newer, make whole files of it, and put them in place of those there are."""
        in_thread = context.journal.in_thread
        if "whole" not in place:
            if self._earlier is None:
                raise ConfigurationError(
                    "directory",
                    f"{self._directory / MANIFEST} is gone, which says what the files have that are"
                    " being brought up to date: put it back, or begin again with a new directory.",
                )
            newer_files = update.newer_files(self._directory)
            if not await in_thread(partial(export_directory.has, newer_files, place)):
                # The earlier ones are whole, and the newer ones can be read once more.
                place |= {name: dict(EMPTY) for name in self._names}
            elif not place["conversations"].get("complete"):
                # The order of this list changes while it is read: there is no place to go on at.
                place |= {name: dict(EMPTY) for name in self._names if name != "users"}
            await in_thread(partial(update.make_directory, self._directory))
            newer = await self._read(context, place, newer_files)
            if context.stopping:
                return
            whole = await in_thread(partial(update.merge, self._directory, self._earlier, newer))
            place["whole"] = {name: lines.noted for name, lines in whole.items()}
            await context.journal.move(place)
        else:
            whole = {name: Lines.of(noted) for name, noted in place["whole"].items()}
            await in_thread(partial(update.check_whole, self._directory, whole))
        await in_thread(partial(update.replace, self._directory))
        await self._conclude(context, place, whole)

    async def _read(
        self, context: JobContext, place: dict[str, Any], into: Path
    ) -> dict[str, Lines]:
        in_thread = context.journal.in_thread
        files: dict[str, LinesFile] = {}
        since = place["since"] if place["updates"] else None
        try:
            for name in self._names:
                path = file_of(into, name)
                files[name] = await in_thread(partial(LinesFile, path, place[name]))
            await Exporting(context, place, files, since=since).run()
        finally:
            # Handed over before anything is awaited: it happens even when this is cancelled.
            await in_thread(partial(_close_all, tuple(files.values())))
        return {name: file.lines for name, file in files.items()}

    async def _conclude(
        self, context: JobContext, place: dict[str, Any], lines: dict[str, Lines]
    ) -> None:
        if context.stopping:
            return
        manifest = Manifest(
            app_id=self._app_id,
            complete=not place["updates"],
            activity=place["activity"],
            files=lines,
        )
        write = partial(export_directory.write_manifest, self._directory, manifest)
        await context.journal.in_thread(write)

    def conclude(self) -> None:
        export_directory.conclude(self._directory)


async def _begin(
    context: JobContext, earlier: Manifest | None, names: Sequence[str]
) -> dict[str, Any]:
    """
    Return the place at which an export begins, and note it before anything is read.

    The latest activity by then is where another run takes up: by the server's clock, and not later
    than whatever this one may miss.
    """
    latest = await next_page(
        raw_walk(context, None, context.talkjs.conversations.list, page_size=1)
    )
    place: dict[str, Any] = {name: dict(EMPTY) for name in names}
    place["activity"] = activity_of(latest[0]) if latest else None
    place["updates"] = earlier is not None
    place["since"] = _since(earlier)
    await context.journal.move(place)
    return place


def _since(earlier: Manifest | None) -> float:
    return 0.0 if earlier is None or earlier.activity is None else earlier.activity


class _PlannedExport(Step):
    kind = "export"
    has_records = False

    def __init__(self, directory: Path, talkjs: AsyncTalkJS) -> None:
        self._directory = directory
        self._app_id = talkjs.app_id
        self._earlier: Manifest | None = None

    async def prepare(self) -> None:
        find = partial(export_directory.find, self._directory, self._app_id)
        self._earlier = await run_in_thread(find)

    async def run(self, context: JobContext) -> None:
        users, conversations = context.talkjs.users.list, context.talkjs.conversations.list
        await _count(context, _pages(context, raw_walk(context, None, users)))
        if self._earlier is None:
            whole = raw_walk(context, None, conversations, **CONVERSATIONS)
            found = await _count(context, _pages(context, whole))
        else:
            found = await _count(context, active_conversations(context, _since(self._earlier)))
            self.caveat = _CAVEAT
        # Each has a page of messages at least. One request more asks for the latest activity.
        context.tally.stage("").plan(0, requests=found + 1)


async def _pages(
    context: JobContext, walk: Walk[RawRecord]
) -> AsyncGenerator[Sequence[RawRecord], None]:
    while not walk.done and not context.stopping:
        yield await next_page(walk)


async def _count(context: JobContext, pages: AsyncGenerator[Sequence[RawRecord], None]) -> int:
    found = 0
    async with aclosing(pages) as some:
        async for page in some:
            found += len(page)
            context.tally.stage("").plan(len(page))
            context.tally.changed()
    return found


def _close_all(files: Iterable[LinesFile]) -> None:
    for file in files:
        file.close()
