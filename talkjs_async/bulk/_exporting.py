"""
One pass of an export: reads the lists of an app into files, and notes how far it is.

Knows how the lists hang together, and files as lines; not which directory they are in.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio

from talkjs_async._core.tasks import stray_cancellation_fails, uninterrupted
from talkjs_async._core.walk import Walk
from talkjs_async.bulk._copying.reactors import Reactors
from talkjs_async.bulk._copying.read_ahead import (
    OpenConversation,
    PageOfMessages,
    RecordsByFile,
)
from talkjs_async.bulk._copying.stored_forms import has_reactions, urls_of
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.raw_lists import RawRecord, activity_of, raw_walk
from talkjs_async.bulk.formats.export_directory import REACTIONS
from talkjs_async.bulk.formats.json_lines import LinesFile
from talkjs_async.errors import NotFound

_BLOCK: Final = 1 << 16
"""Bytes of the list of conversations that are read at a time."""
_AHEAD: Final = 100
"""
Conversations that are read at a time. A batch may wait two seconds for its budget, and
the pages behind it, which come at nine per second, must not wait for it.
"""
_SOON: Final = 1.0
"""
Seconds. What cannot leave by then does not yet queue for the budget: the list of conversations,
without which there is nothing more to read, would come behind it.
"""
_HELD: Final = 10_000
"""Messages that are read and not written, from which on only what is written next is read."""
_FLUSH: Final = 1_000
"""Messages from which on they are written without waiting for more."""

CONVERSATIONS: Final[Mapping[str, Any]] = {"order_by": "createdAt", "order_direction": "ASC"}
"""The order of a whole list of conversations: what is new comes at the end."""


async def next_page(walk: Walk[RawRecord]) -> Sequence[RawRecord]:
    """Return the next records of a list, none of one that has been deleted."""
    try:
        return (await walk.page()).items
    except NotFound:
        walk.done = True
        return ()


async def active_conversations(
    context: JobContext, since: float
) -> AsyncGenerator[Sequence[RawRecord], None]:
    """
    Go through the conversations with activity since a moment, each once.

    Args:
        since: In the server's milliseconds; that one is included.
    """
    known: set[str] = set()
    while True:
        # Latest activity first. What moved there meanwhile is found by reading that end again.
        walk = raw_walk(context, None, context.talkjs.conversations.list)
        latest, found, caught_up = since, False, False
        while not walk.done and not caught_up:
            page = await next_page(walk)
            latest = max([latest, *map(activity_of, page)])
            active = [record for record in page if activity_of(record) >= since]
            # Now: what is yielded may be changed there.
            caught_up = len(active) < len(page)
            fresh = [record for record in active if record["id"] not in known]
            known.update(record["id"] for record in fresh)
            found = found or bool(fresh)
            yield fresh
        if not found:
            return
        since = latest


def _add(records: dict[str, list[RawRecord]], more: RecordsByFile) -> None:
    for name, some in more.items():
        records.setdefault(name, []).extend(some)


class Exporting:
    """
    One pass of an export.

    Streams run side by side: users, conversations with their participants, and messages, which
    follow the list of conversations on the disk.
    """

    def __init__(
        self,
        context: JobContext,
        place: dict[str, Any],
        files: Mapping[str, LinesFile],
        *,
        since: float | None = None,
    ) -> None:
        """
        Begin, or go on.

        Args:
            place: Where to go on, by the names of the files. It is kept in the journal.
            since: Read only conversations with activity since then, in the server's milliseconds.
                None: all.
        """
        self._context = context
        self._talkjs = context.talkjs
        self._place = place
        self._files = files
        self._since = since
        self._reactors = Reactors(context) if REACTIONS in files else None
        self._scope = anyio.CancelScope()
        self._failure: Exception | None = None
        self._news = anyio.Event()
        # Read ahead, in the order of the list.
        self._held = 0
        self._reading: deque[OpenConversation] = deque()
        self._begun = anyio.Event()
        self._all_begun = False

    async def run(self) -> None:
        """Read all that is missing, or stop at the first error."""
        self._count()
        streams = self._users, self._conversations, self._first_pages, self._messages
        with self._scope:
            async with anyio.create_task_group() as workers:
                self._workers = workers
                workers.start_soon(uninterrupted(self._stop_when_told))
                async with anyio.create_task_group() as tasks:
                    for stream in streams:
                        tasks.start_soon(uninterrupted(self._guarded), stream)
                workers.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _stop_when_told(self) -> None:
        await self._context.on_stop.wait()
        # Whatever is being read is read again by the next pass.
        self._scope.cancel()

    async def _guarded(self, stream: Callable[[], Awaitable[None]]) -> None:
        try:
            with stray_cancellation_fails("A request of the job"):
                await stream()
        except Exception as error:  # noqa: BLE001 - raised by run(), out of the groups
            self._failure = self._failure or error
            self._scope.cancel()

    async def _users(self) -> None:
        walk = self._walk("users", self._talkjs.users.list)
        await self._list("users", walk, self._as_it_is)

    async def _as_it_is(self, users: Sequence[RawRecord]) -> None:
        await self._write(users=users)

    async def _conversations(self) -> None:
        if self._since is not None:
            await self._active_conversations(self._since)
            return
        walk = self._walk("conversations", self._talkjs.conversations.list, **CONVERSATIONS)
        await self._list("conversations", walk, self._with_participants)

    async def _active_conversations(self, since: float) -> None:
        place = self._place["conversations"]
        if place.get("complete"):
            return
        async with aclosing(active_conversations(self._context, since)) as pages:
            async for page in pages:
                await self._with_participants(page)
                await self._note()
                self._tell()
        place["complete"] = True
        await self._note()
        self._tell()

    async def _with_participants(self, conversations: Sequence[RawRecord]) -> None:
        participants = []
        for conversation in conversations:
            conversation.pop("lastMessage", None)
            # Without any it is an empty object, or an empty list (seen in code).
            people = conversation.pop("participants", None)
            for user_id, settings in people.items() if isinstance(people, dict) else ():
                key = {"conversationId": conversation["id"], "userId": user_id}
                participants.append({**key, **(settings if isinstance(settings, dict) else {})})
        await self._write(conversations=conversations, participants=participants)

    def _walk(self, name: str, method: Any, **arguments: Any) -> Walk[RawRecord]:
        return raw_walk(self._context, self._place[name].get("walk"), method, **arguments)

    async def _list(
        self,
        name: str,
        walk: Walk[RawRecord],
        write: Callable[[Sequence[RawRecord]], Awaitable[None]],
    ) -> None:
        place = self._place[name]
        while not place.get("complete"):
            await write(await next_page(walk))
            place.update({"complete": True} if walk.done else {"walk": walk.place})
            await self._note()
            # The next page is asked for before the messages of this one: what queues for the
            # budget behind it fills the batch that takes it along.
            self._tell()

    def _tell(self) -> None:
        """Wake the streams that wait for something of the others."""
        self._news.set()
        self._news = anyio.Event()

    async def _first_pages(self) -> None:
        place = self._place["messages"]
        listed = self._place["conversations"]
        ids = _Ids(self._context, self._files["conversations"].path, place.get("read_to", 0))
        begun = place.get("walk")
        while True:
            news, complete = self._news, listed.get("complete")
            while self._may_begin:
                found = await ids.next(listed["bytes"])
                if found is None:
                    self._all_begun = bool(complete)
                    break
                conversation_id, begin, end = found
                method = self._talkjs.messages.list
                walk = raw_walk(self._context, begun, method, conversation_id)
                conversation = OpenConversation(begin, end, walk)
                self._reading.append(conversation)
                self._workers.start_soon(
                    uninterrupted(conversation.read),
                    partial(self._next_messages, conversation_id),
                    self._room,
                    self._on_page,
                )
                begun = None
                self._begun.set()
            if self._all_begun:
                self._begun.set()
                return
            await news.wait()

    @property
    def _may_begin(self) -> bool:
        asked = sum(one.asks for one in self._reading)
        soon = 1 + self._context.client.reading_pace.within(_SOON)
        return len(self._reading) < _AHEAD and self._held < _HELD and asked < soon

    async def _room(self, conversation: OpenConversation) -> None:
        """Wait until more of a conversation may be read: the first one is waited for."""
        while self._held >= _HELD and self._reading[0] is not conversation:
            await self._news.wait()

    def _on_page(self, page: PageOfMessages | None) -> None:
        self._held += 0 if page is None else page.size
        self._tell()

    async def _messages(self) -> None:
        while self._reading or not self._all_begun:
            self._begun = anyio.Event()
            if self._reading:
                await self._take_over()
            else:
                await self._begun.wait()

    async def _take_over(self) -> None:
        """Write the messages of the first conversation, and of those behind it that are there."""
        place = self._place["messages"]
        records: dict[str, list[RawRecord]] = {}
        while True:
            # It stays there until it is written, so that no more than so many are read ahead.
            conversation = self._reading[0]
            page = await conversation.next_page()
            self._held -= page.size
            _add(records, page.records)
            if not page.is_last:
                await self._write(**records)
                place["read_to"], place["walk"] = conversation.begin, page.place
                await self._note()
                records = {}
                self._tell()
                continue
            self._reading.popleft()
            self._tell()
            found = len(records["messages"])
            behind = self._reading[0] if self._reading else None
            if behind is None or not behind.is_there or found >= _FLUSH:
                break
        await self._write(**records)
        place["read_to"], place["walk"] = conversation.end, None
        await self._note()

    async def _next_messages(self, conversation_id: str, walk: Walk[RawRecord]) -> RecordsByFile:
        """Return the next messages of a conversation, and the reactions to them if asked for."""
        messages = await next_page(walk)
        for message in messages:
            message.setdefault("conversationId", conversation_id)
        if self._reactors is None:
            return {"messages": messages}
        return {"messages": messages, REACTIONS: await self._reactors.of(messages)}

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
        partial_ones = sum(map(self._is_partial, records.get("messages", ())))
        if partial_ones:
            place = self._place["messages"]
            place["partial"] = place.get("partial", 0) + partial_ones

    def _is_partial(self, message: RawRecord) -> bool:
        """Whether something of a message is in no file: what it carries, or who has reacted."""
        carries = next(urls_of(message), None) is not None
        return carries or (self._reactors is None and has_reactions(message))

    async def _note(self) -> None:
        await self._context.journal.move(self._place)
        self._count()

    def _count(self) -> None:
        tally = self._context.tally
        tally.stage("").done = sum(
            self._place[name]["lines"] for name in ("users", "conversations", "messages")
        )
        tally.stage("").with_losses = self._place["messages"].get("partial", 0)
        tally.changed()


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
