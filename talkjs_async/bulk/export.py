"""Everything that an app has, as files."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
from anyio.abc import TaskGroup

from talkjs_async._core.pages import Records
from talkjs_async._core.walk import Walk
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.owner_thread import run_in_thread
from talkjs_async.bulk._engine.raw_lists import RawRecord, raw_walk
from talkjs_async.bulk._engine.step import Step
from talkjs_async.bulk.formats import export_directory as directory
from talkjs_async.bulk.formats.export_directory import JOURNAL, NAMES, Manifest, file_of
from talkjs_async.bulk.formats.json_lines import EMPTY, LinesFile
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import NotFound
from talkjs_async.limits import Lane

__all__ = ["export"]

_BLOCK: Final = 1 << 16
"""Bytes of the list of conversations that are read at a time."""
_AHEAD: Final = 100
"""
Conversations whose first page is read at a time. A batch may wait two seconds for its budget, and
the pages behind it, which come at nine per second, must not wait for it.
"""
_FLUSH: Final = 1_000
"""Messages from which on they are written without waiting for more."""


def export(
    talkjs: AsyncTalkJS,
    target: str | os.PathLike[str],
    *,
    lane: Lane = "background",
    dry_run: bool = False,
) -> Job:
    """
    Write all users, conversations, participants and messages of the app into files.

    *target* gets `users.jsonl`, `conversations.jsonl`, `participants.jsonl` and `messages.jsonl`,
    with a line per record as TalkJS gives it (participants and last message are taken out of the
    conversations), and last of all `export.json`, which says that all is there. Messages stand
    together by conversation, the newest first, conversations in the order of their creation. The
    messages are read through both budgets, that of ordinary and that of batch requests.

    Run it again with the same *target* to go on after an interruption. What changes at TalkJS while
    the export runs may or may not be in it. Files that messages carry are not downloaded.

    Args:
        talkjs: The client.
        target: A directory that is empty or does not exist yet, or one to go on with.
        lane: Which calls of the app go first, those of others ("background") or these.
        dry_run: Write nothing. The lists of users and conversations are read, and the report says
            how many there are ("planned") and how many requests an export takes at least: a
            conversation may have more messages than one answer holds.

    Returns:
        The job; await it. It counts users, conversations and messages as records.

    Raises:
        ConfigurationError: The job raises it when *target* holds something else.
        StorageError: The job raises it when the disk is full.
    """
    path = Path(target)
    step = _PlannedExport() if dry_run else _Export(path)
    journal = None if dry_run else path / JOURNAL
    return Job(step, talkjs, journal=journal, job_id=None, lane=lane, dry_run=dry_run)


class _Export(Step):
    kind = "export"
    has_records = False

    def __init__(self, target: Path) -> None:
        self._target = target

    async def prepare(self) -> None:
        await run_in_thread(partial(directory.prepare, self._target))

    async def run(self, context: JobContext) -> None:
        in_thread = context.journal.in_thread
        place = context.journal.place or {name: dict(EMPTY) for name in NAMES}
        files: dict[str, LinesFile] = {}
        try:
            for name in NAMES:
                path = file_of(self._target, name)
                files[name] = await in_thread(partial(LinesFile, path, place[name]))
            await _Exporting(context, place, files).run()
        finally:
            # Handed over before anything is awaited: it happens even when this is cancelled.
            await in_thread(partial(_close_all, tuple(files.values())))
        if not context.stopping:
            lines = {name: file.lines for name, file in files.items()}
            manifest = Manifest(app_id=context.talkjs.app_id, files=lines)
            await in_thread(partial(directory.write_manifest, self._target, manifest))

    async def conclude(self) -> None:
        await run_in_thread(partial(directory.conclude, self._target), to_the_end=True)


class _PlannedExport(Step):
    kind = "export"
    has_records = False

    async def run(self, context: JobContext) -> None:
        users, conversations = context.talkjs.users.list, context.talkjs.conversations.list
        order = {"order_by": "createdAt", "order_direction": "ASC"}
        await self._count(context, raw_walk(context, None, users))
        # Each has a page of messages at least.
        found = await self._count(context, raw_walk(context, None, conversations, **order))
        context.tally.stage("").plan(0, requests=found)

    async def _count(self, context: JobContext, walk: Walk[RawRecord]) -> int:
        found = 0
        while not walk.done and not context.stopping:
            page = await _next_page(walk)
            found += len(page)
            context.tally.stage("").plan(len(page))
            context.tally.changed()
        return found


def _close_all(files: Iterable[LinesFile]) -> None:
    for file in files:
        file.close()


class _FirstPage:
    """The first page of a conversation's messages, which is read ahead."""

    def __init__(self, walk: Walk[RawRecord], tasks: TaskGroup) -> None:
        self.walk = walk
        self._page: Sequence[RawRecord] = ()
        self._failure: Exception | None = None
        self._ended = anyio.Event()
        tasks.start_soon(self._read)

    async def _read(self) -> None:
        try:
            self._page = await _next_page(self.walk)
        except Exception as error:  # noqa: BLE001 - raised by records()
            self._failure = error
        self._ended.set()

    @property
    def is_there(self) -> bool:
        return self._ended.is_set()

    async def records(self) -> Sequence[RawRecord]:
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure
        return self._page


@attrs.frozen(eq=False)
class _OpenConversation:
    """
    A conversation whose messages are being read.

    Attributes:
        begin, end: Where its line is in the list of conversations.
    """

    id: str
    begin: int
    end: int
    first_page: _FirstPage


class _Exporting:
    """
    One pass of an export.

    Three streams run side by side: users, conversations with their participants, and messages,
    which follows the list of conversations on the disk.
    """

    def __init__(
        self, context: JobContext, place: dict[str, Any], files: Mapping[str, LinesFile]
    ) -> None:
        self._context = context
        self._talkjs = context.talkjs
        self._place = place
        self._files = files
        self._scope = anyio.CancelScope()
        self._failure: Exception | None = None
        self._news = anyio.Event()

    async def run(self) -> None:
        self._count()
        with self._scope:
            async with anyio.create_task_group() as workers:
                self._workers = workers
                workers.start_soon(self._stop_when_told)
                async with anyio.create_task_group() as streams:
                    for stream in (self._users, self._conversations, self._messages):
                        streams.start_soon(self._guarded, stream)
                workers.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _stop_when_told(self) -> None:
        await self._context.on_stop.wait()
        # Whatever is being read is read again by the next pass.
        self._scope.cancel()

    async def _guarded(self, stream: Any) -> None:
        try:
            await stream()
        except Exception as error:  # noqa: BLE001 - raised by run(), out of the groups
            self._failure = self._failure or error
            self._scope.cancel()

    async def _users(self) -> None:
        await self._list("users", self._as_it_is, self._talkjs.users.list)

    async def _as_it_is(self, users: Sequence[RawRecord]) -> None:
        await self._write(users=users)

    async def _conversations(self) -> None:
        # In this order, what is new comes at the end.
        order = {"order_by": "createdAt", "order_direction": "ASC"}
        await self._list(
            "conversations", self._with_participants, self._talkjs.conversations.list, **order
        )

    async def _with_participants(self, conversations: Sequence[RawRecord]) -> None:
        participants = []
        for conversation in conversations:
            conversation.pop("lastMessage", None)
            # Without any it is an empty object, or an empty list (seen in code).
            for user_id, settings in dict(conversation.pop("participants", {})).items():
                key = {"conversationId": conversation["id"], "userId": user_id}
                participants.append({**key, **settings})
        await self._write(conversations=conversations, participants=participants)

    async def _list(
        self,
        name: str,
        write: Callable[[Sequence[RawRecord]], Awaitable[None]],
        method: Callable[..., Records[Any]],
        **arguments: Any,
    ) -> None:
        place = self._place[name]
        walk = raw_walk(self._context, place.get("walk"), method, **arguments)
        while not place.get("complete"):
            await write(await _next_page(walk))
            place.update({"complete": True} if walk.done else {"walk": walk.place})
            await self._note()
            self._news.set()
            self._news = anyio.Event()

    async def _messages(self) -> None:
        place = self._place["messages"]
        listed = self._place["conversations"]
        ids = _Ids(self._context, self._files["conversations"].path, place.get("read_to", 0))
        begun = place.get("walk")
        reading: deque[_OpenConversation] = deque()
        while True:
            news = self._news
            while len(reading) < _AHEAD and (found := await ids.next(listed["bytes"])):
                conversation_id, begin, end = found
                method = self._talkjs.messages.list
                walk = raw_walk(self._context, begun, method, conversation_id)
                first_page = _FirstPage(walk, self._workers)
                reading.append(_OpenConversation(conversation_id, begin, end, first_page))
                begun = None
            if reading:
                await self._take_over(reading)
            elif listed.get("complete"):
                return
            else:
                await news.wait()

    async def _take_over(self, reading: deque[_OpenConversation]) -> None:
        """Write the messages of the first conversation, and of those behind it that are there."""
        place = self._place["messages"]
        records: list[RawRecord] = []
        while True:
            conversation = reading.popleft()
            records += await conversation.first_page.records()
            walk = conversation.first_page.walk
            while not walk.done:
                await self._write(messages=records)
                place["read_to"], place["walk"] = conversation.begin, walk.place
                await self._note()
                records = list(await _next_page(walk))
            if not reading or not reading[0].first_page.is_there or len(records) >= _FLUSH:
                break
        await self._write(messages=records)
        place["read_to"], place["walk"] = conversation.end, None
        await self._note()

    async def _write(self, **records: Sequence[RawRecord]) -> None:
        """
        Write records into their files.

        The places move together and after all of it is written: another stream may note them at
        any time.
        """
        for name, some in records.items():
            await self._context.journal.in_thread(partial(self._files[name].append, some))
        for name in records:
            self._place[name].update(self._files[name].place)

    async def _note(self) -> None:
        await self._context.journal.move(self._place)
        self._count()

    def _count(self) -> None:
        tally = self._context.tally
        tally.stage("").done = sum(
            self._place[name]["lines"] for name in ("users", "conversations", "messages")
        )
        tally.changed()


async def _next_page(walk: Walk[RawRecord]) -> Sequence[RawRecord]:
    try:
        return (await walk.page()).items
    except NotFound:
        # The conversation has been deleted.
        walk.done = True
        return ()


class _Ids:
    """The IDs in the list of conversations, read from the disk while it grows."""

    def __init__(self, context: JobContext, path: Path, place: int) -> None:
        self._in_thread = context.journal.in_thread
        self._path = path
        self._read_to = place
        self._ready: deque[tuple[str, int, int]] = deque()

    async def next(self, length: int) -> tuple[str, int, int] | None:
        """
        Return an ID and where its line begins and ends. None: there are no more for now.

        Args:
            length: Bytes of the list that may be read.
        """
        if not self._ready and self._read_to < length:
            await self._in_thread(partial(self._read, length))
        return self._ready.popleft() if self._ready else None

    def _read(self, length: int) -> None:
        with self._path.open("rb") as file:
            file.seek(self._read_to)
            for line in file.readlines(min(_BLOCK, length - self._read_to)):
                begin, self._read_to = self._read_to, self._read_to + len(line)
                self._ready.append((json.loads(line)["id"], begin, self._read_to))
