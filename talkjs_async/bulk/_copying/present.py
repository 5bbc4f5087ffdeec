"""Which conversations were in the target before a job: nothing may be stored in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.journal_schema import RecordState
from talkjs_async.bulk._engine.raw_lists import raw_walk
from talkjs_async.bulk.errors import StorageError
from talkjs_async.bulk.formats._rows import read_rows

_OURS = (RecordState.SENT, RecordState.DONE, RecordState.CHANGED)


class PresentConversations:
    """
    The conversations of an app that a job has not made itself.

    Whether it has, its journal says: a conversation is noted there before it is sent.
    """

    def __init__(self, context: JobContext, database: Path) -> None:
        self._context = context
        self._database = database

    async def look(self) -> None:
        """List them, before anything is stored."""
        await self._context.journal.in_thread(partial(self._note, ()))
        order = {"order_by": "createdAt", "order_direction": "ASC"}
        walk = raw_walk(self._context, None, self._context.talkjs.conversations.list, **order)
        while not walk.done and not self._context.stopping:
            ids = [conversation["id"] for conversation in (await walk.page()).items]
            rows = await self._context.journal.rows([f"conversation:{id_}" for id_ in ids])
            ours = {name for name, row in rows.items() if row.state in _OURS}
            foreign = [id_ for id_ in ids if f"conversation:{id_}" not in ours]
            await self._context.journal.in_thread(partial(self._note, foreign))

    def _note(self, ids: Sequence[str]) -> None:
        try:
            with closing(sqlite3.connect(self._database)) as connection, connection:
                connection.execute("CREATE TABLE IF NOT EXISTS present (id BLOB PRIMARY KEY)")
                connection.executemany(
                    "INSERT OR IGNORE INTO present VALUES (?)", [(_key(id_),) for id_ in ids]
                )
        except sqlite3.Error as error:
            raise StorageError(path=str(self._database), reason=str(error)) from error

    def has(self, conversation_id: str) -> bool:
        """Whether a conversation was there, and not by this job."""
        query = "SELECT 1 FROM present WHERE id = ?"
        return any(read_rows(self._database, query, (_key(conversation_id),)))


def _key(id_: str) -> bytes:
    return id_.encode(errors="surrogatepass")
