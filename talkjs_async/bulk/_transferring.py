"""
One pass of a transfer: the source is read into files, and what is whole in these is stored.

Knows what goes side by side and what waits for what; neither how an app is read nor how one is
written.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final

import anyio

from talkjs_async._core.endpoint import call_of
from talkjs_async._core.tasks import stray_cancellation_fails, uninterrupted
from talkjs_async.bulk._copying.present import PresentConversations
from talkjs_async.bulk._copying.writing import AppWriter, totals_of
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._exporting import Exporting
from talkjs_async.bulk.formats.export_directory import NAMES, REACTIONS
from talkjs_async.bulk.formats.sorted_export import Chunk, SortedExport
from talkjs_async.errors import ConfigurationError, DecodeError, NotFound
from talkjs_async.models.users import User

FILES: Final = (*NAMES, REACTIONS)
_TYPES: Final = ("user", "file", "conversation", "message", "reaction", "participant")
_MESSAGES_AT_A_TIME: Final = 20_000
"""Of how many messages the conversations are stored together, at most or a little more."""
_MESSAGES_WITH_FILES: Final = 2_000
"""The same for files."""


class _Front:
    """
    How far something has come, for what follows it.

    Attributes:
        place: The last one that is through.
    """

    def __init__(self) -> None:
        self.place = 0
        self._ended = False
        self._news = anyio.Event()

    def move(self, place: int) -> None:
        """Come to a place."""
        if place > self.place:
            self.place = place
            self._tell()

    def end(self) -> None:
        """Say that it goes no further."""
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def is_behind(self, place: int) -> bool:
        """Wait until it is behind a place. False: it never will be."""
        while self.place <= place and not self._ended:
            await self._news.wait()
        return self.place > place


class Transferring:
    """One pass: the source is read into files, and what is whole in these is stored."""

    def __init__(
        self,
        *,
        context: JobContext,
        reading: JobContext,
        exporting: Exporting,
        place: dict[str, Any],
        export: SortedExport,
        there: PresentConversations,
        writer: AppWriter,
    ) -> None:
        """
        Begin, or go on.

        Args:
            context, reading: The job's, and the same with the client of the source.
            exporting: Reads the source into files.
            place: How far that is.
            export: The files, sorted.
            there: What was in the target before.
            writer: Stores what is in *export*.
        """
        self._context = context
        self._reading = reading
        self._place = place
        self._export = export
        self._exporting = exporting
        self._there = there
        self._writer = writer
        self._scope = anyio.CancelScope()
        self._failure: Exception | None = None
        self._read_all = False
        self._asked_for: set[str] = set()
        self._users_read = anyio.Event()
        # How many conversations are wholly read, have their files, their messages, their reactions.
        self._sorted, self._with_files = _Front(), _Front()
        self._with_messages, self._with_reactions = _Front(), _Front()

    async def run(self) -> None:
        """Copy everything, or stop at the first error."""
        self._writer.expect(dict.fromkeys(_TYPES))
        self._context.client.more_will_come(self, True)
        with self._scope:
            async with anyio.create_task_group() as tasks:
                # Side by side, each behind the one before: so batches always find requests to
                # carry, and uploads, which go alone, hold nothing up.
                for part in (
                    self._sort_in,
                    self._copy_files,
                    self._store_conversations,
                    self._store_reactions,
                    self._store_participants,
                ):
                    tasks.start_soon(uninterrupted(self._guarded), part)
                await self._guarded(self._exporting.run)
                self._read_all = True
                self._reading.tally.changed()
        if self._failure is not None:
            raise self._failure

    async def _guarded(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            with stray_cancellation_fails("A request of the job"):
                await part()
        except Exception as error:  # noqa: BLE001 - raised by run(), out of the group
            self._failure = self._failure or error
            self._scope.cancel()

    async def _sort_in(self) -> None:
        """Sort in what is read: conversations as far as their messages are there."""
        tally, complete = self._reading.tally, False
        while not complete:
            version, complete = tally.version, self._read_all
            users_read = self._place["users"].get("complete") or complete
            lengths = {name: self._place[name]["bytes"] for name in FILES}
            lengths["conversations"] = self._place["messages"].get("read_to", 0)
            await self._in_thread(partial(self._export.take, lengths))
            if users_read:
                self._users_read.set()
            self._sorted.move((await self._in_thread(lambda: self._export.everything))[1])
            if complete:
                await self._expect_all()
            elif tally.version == version:
                await tally.news()
        self._sorted.end()

    async def _copy_files(self) -> None:
        # A few at a time, so that those which have theirs need not wait for the others'.
        async with aclosing(self._chunks(self._sorted, messages=_MESSAGES_WITH_FILES)) as chunks:
            async for chunk in chunks:
                await self._writer.files(chunk)
                self._with_files.move(chunk[1])
        self._with_files.end()

    async def _store_conversations(self) -> None:
        await self._there.look()
        await self._users_read.wait()
        await self._writer.users(self._export.users())
        async with aclosing(self._chunks(self._with_files)) as chunks:
            async for chunk in chunks:
                await self._add_users(chunk)
                await self._writer.conversations(chunk)
                await self._writer.messages(chunk)
                self._with_messages.move(chunk[1])
        self._with_messages.end()

    async def _store_reactions(self) -> None:
        async with aclosing(self._chunks(self._with_messages)) as chunks:
            async for chunk in chunks:
                await self._writer.reactions(chunk)
                self._with_reactions.move(chunk[1])
        self._with_reactions.end()
        self._context.client.more_will_come(self, False)

    async def _store_participants(self) -> None:
        async with aclosing(self._chunks(self._with_reactions)) as chunks:
            async for chunk in chunks:
                await self._writer.participants(chunk)
        await self._writer.lost()

    async def _chunks(
        self, front: _Front, *, messages: int = _MESSAGES_AT_A_TIME
    ) -> AsyncGenerator[Chunk, None]:
        """Go through the conversations in the order of the source, as they come."""
        after = 0
        while await front.is_behind(after) and not self._context.stopping:
            chunk: Chunk = await self._in_thread(
                partial(self._export.chunk, after, front.place, messages=messages)
            )
            yield chunk
            after = chunk[1]

    async def _expect_all(self) -> None:
        self._writer.expect(await self._in_thread(partial(totals_of, self._export)))

    async def _add_users(self, chunk: Chunk) -> None:
        """Read the users who came after the list of users was read."""
        found: list[dict[str, Any]] = []
        unknown = await self._in_thread(partial(self._export.unknown_users, chunk))
        for user_id in unknown:
            if user_id in self._asked_for:
                continue
            self._asked_for.add(user_id)
            with suppress(NotFound, ConfigurationError, DecodeError):
                user: User = await self._reading.read(
                    call_of(self._reading.talkjs.users.get, user_id)
                )
                found.append(user.to_wire())
        if found:
            await self._in_thread(partial(self._export.add_users, found))
            await self._writer.users(found)

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        return await self._context.journal.in_thread(function)
