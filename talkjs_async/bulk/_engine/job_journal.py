"""
What a job remembers on disk: which record was sent, and how it ended.

One SQLite file per job. Knows records as IDs and digests, nothing of TalkJS. One thread owns the
file: a change is handed over at once and made even if the task that waits for it is cancelled. When
the call returns, the change survives the end of the process. Jobs call it.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

import attrs

from talkjs_async.bulk._engine.journal_errors import FAILURES, journal_error, typed
from talkjs_async.bulk._engine.journal_file import JobIdentity, JournalFile
from talkjs_async.bulk._engine.journal_on_disk import open_to_read
from talkjs_async.bulk._engine.journal_schema import (
    JobRow,
    RecordRow,
    RecordState,
    is_storable,
    storable,
    written_place,
)
from talkjs_async.bulk._engine.journal_transactions import Change, Transaction
from talkjs_async.bulk._engine.owner_thread import OwnerThread, Work
from talkjs_async.bulk._engine.scratch import Scratch

T = TypeVar("T")


@attrs.frozen
class Sending:
    """
    A record that is about to be sent.

    Attributes:
        mark: Identifies it among the messages of its conversation. None when repeating it is
            harmless.
    """

    id: str
    number: int
    digest: bytes
    mark: bytes | None = None


@attrs.frozen
class Ending:
    """A state to note; the attributes are those of `RecordRow`."""

    id: str
    number: int
    state: RecordState
    digest: bytes | None = None
    result: str | None = None
    reason: str | None = attrs.field(default=None, converter=storable)


@attrs.frozen
class StoredRecord:
    """
    A record that is known to be stored.

    Attributes:
        result: What TalkJS calls it. None: it did not say.
        digest: Of what was sent.
    """

    result: str | None
    digest: bytes


class JobJournal:
    """
    The open journal of one running job. No other job can open it meanwhile.

    A run goes through the whole source once; when it is interrupted, it takes several passes. The
    run after a complete one sends only what has changed.

    Attributes:
        path: Where it is.
        scratch: Keeps a temporary journal alive. None for one that stays.
        job_id: The ID of the job that it belongs to.
        number_of_pass: The pass that began with this opening; the first is 1.
        first_pass: The first pass of the present run.
        place: Where the job goes on after an interruption; anything JSON can hold.
        unanswered: How many records of this run were sent and never answered. None while the
            journal is open.
    """

    def __init__(
        self, file: JournalFile, owner: OwnerThread, scratch: Scratch | None, job: JobRow
    ) -> None:
        self.path: Path = file.path
        self.scratch = scratch
        self.job_id: str = job.job_id
        self.number_of_pass: int = job.pass_
        self.first_pass: int = job.first
        self.place: Any = job.place
        self.unanswered: int | None = None
        self._file = file
        self._owner = owner
        # Guards the next two: changes are collected in them and taken by the thread.
        self._lock = Lock()
        self._next = Transaction()
        self._next_work: Work[None] | None = None
        # A journal that is dropped with the coroutine of its job releases its file, too.
        weakref.finalize(self, owner.finish, file.close)

    @classmethod
    async def open(
        cls, path: Path | None, identity: JobIdentity, *, copy: bool = False
    ) -> JobJournal:
        """
        Open a journal, or make a new one.

        Waits for jobs of this process that have ended and whose threads still work on the file.

        Args:
            path: The file. None: a temporary one.
            identity: What an existing journal has to be for.
            copy: Whether to work on a temporary copy, and to leave the file as it is.

        Raises:
            ConfigurationError: It is the journal of another job, of another version of this
                library, in use, or no journal at all.
            StorageError: It cannot be read or written.
        """
        scratch = None
        original = path if copy else None
        if path is None or copy:
            scratch = Scratch()
            path = scratch.path / "journal"
        file = JournalFile(path, identity, original)
        owner = OwnerThread(f"talkjs journal {path.name}", must_end=True)
        earlier = _take_turn(os.path.realpath(path), owner)  # noqa: ASYNC240 - reads links only
        try:
            job = await owner.run(partial(_open, file, earlier))
        except BaseException:
            owner.finish(file.close)
            raise
        return cls(file, owner, scratch, job)

    async def look(self, ids: Sequence[str]) -> dict[str, RecordRow]:
        """Return what is known of the records, and note that the source has them."""

        def work(database: sqlite3.Connection) -> dict[str, RecordRow]:
            rows = {}
            for id_ in filter(is_storable, ids):
                row = database.execute(f"{_SELECT} WHERE id = ?", (id_,)).fetchone()
                if row is not None:
                    rows[id_] = _row(row)
            database.executemany(
                "UPDATE record SET seen = ? WHERE id = ?",
                ((self.number_of_pass, id_) for id_ in rows),
            )
            return rows

        return await self._change(work)

    async def rows(self, ids: Sequence[str]) -> dict[str, RecordRow]:
        """Return what is known of records, and do not note that the source has them."""

        def work(database: sqlite3.Connection) -> dict[str, RecordRow]:
            there = filter(is_storable, ids)
            found = (
                database.execute(f"{_SELECT} WHERE id = ?", (id_,)).fetchone() for id_ in there
            )
            return {row[0]: _row(row) for row in found if row is not None}

        return await self._change(work)

    async def failed(self, prefix: str, ids: Iterable[str | None]) -> set[str]:
        """Return which of some records, whose names begin with *prefix* here, were not stored."""
        rows = await self.rows(list({prefix + id_ for id_ in ids if id_ is not None}))
        failed = (name for name, row in rows.items() if row.state is RecordState.FAILED)
        return {name.removeprefix(prefix) for name in failed}

    async def sent(self, records: Iterable[Sending], *, at: float, to: str) -> None:
        """
        Note that records are about to be sent.

        Args:
            at: Unix time in seconds. A record that was sent before and never answered keeps its
                earlier time.
            to: The conversation.
        """
        here = self.number_of_pass
        rows = [
            (s.id, s.number, here, here, RecordState.SENT, s.digest, at, to, s.mark)
            for s in records
        ]
        await self._change(_writing(_SENT, rows), flush=True)

    async def note(self, endings: Iterable[Ending]) -> None:
        """Note how records ended."""
        here = self.number_of_pass
        rows = [
            (e.id, e.number, here, here, e.state, e.digest, e.result, e.reason) for e in endings
        ]
        await self._change(_writing(_ENDED, rows))

    async def move(self, place: Any) -> None:
        """Replace `place`."""
        text = written_place(place)
        await self._change(_writing("UPDATE job SET place = ?", [(text,)]))
        self.place = place

    async def finish(self) -> None:
        """Note that the run is complete."""
        await self._change(_writing("UPDATE job SET complete = 1", [()]))

    async def marked(self, marks: Iterable[bytes]) -> dict[bytes, str]:
        """Return which record was sent with each mark, where the marks are unique."""

        def work(database: sqlite3.Connection) -> dict[bytes, str]:
            found = {}
            for mark in marks:
                row = database.execute(_MARKED, (mark,)).fetchone()
                if row is not None:
                    found[mark] = row[0]
            return found

        return await self._change(work)

    async def stored(
        self, conversation_id: str, marks: Iterable[bytes]
    ) -> dict[bytes, list[StoredRecord]]:
        """Return a conversation's records that are known to be stored, by mark."""

        def work(database: sqlite3.Connection) -> dict[bytes, list[StoredRecord]]:
            stored: dict[bytes, list[StoredRecord]] = {}
            for mark in set(marks):
                arguments = (conversation_id, mark, RecordState.DONE, RecordState.CHANGED)
                rows = database.execute(_STORED, arguments)
                stored[mark] = [StoredRecord(*row) for row in rows]
            return stored

        return await self._change(work)

    async def stored_in(self, conversation_id: str) -> list[StoredRecord]:
        """Return all of a conversation that are known to be stored. A full scan: for rare use."""

        def work(database: sqlite3.Connection) -> list[StoredRecord]:
            arguments = (conversation_id, RecordState.DONE, RecordState.CHANGED)
            return [StoredRecord(*row) for row in database.execute(_STORED_IN, arguments)]

        return await self._change(work)

    async def check_present(self) -> None:
        """Check that the file is still where it was. StorageError: it was deleted or replaced."""
        await self._owner.run(self._file.check_present)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """
        Run *function* in the journal's thread, before another run can open the file.

        Cancelling ends the wait, not the function.
        """
        return await self._owner.run(function)

    async def close(self, conclude: Callable[[], None] | None = None) -> None:
        """
        Release the file. A cancellation is delayed until that is done.

        Args:
            conclude: To be run then, in the journal's thread: before another run can open the file.
        """
        closing_work = self._owner.submit(partial(self._count_and_close, conclude))
        self._owner.finish()
        await closing_work.completed()

    def _count_and_close(self, conclude: Callable[[], None] | None) -> None:
        query = "SELECT count(*) FROM record WHERE state = ? AND seen >= ?"
        arguments = (RecordState.SENT, self.first_pass)
        try:
            (self.unanswered,) = self._file.database.execute(query, arguments).fetchone()
        except FAILURES as error:
            raise journal_error(self.path, error) from error
        finally:
            self._file.close()
        if conclude is not None:
            conclude()

    async def _change(self, work: Callable[[sqlite3.Connection], T], *, flush: bool = False) -> T:
        """
        Change the database, together with all other changes that wait at this moment.

        Args:
            flush: Whether it must survive a power cut, and not only the end of the process. An
                answer need not: if it is lost, the record is looked up or sent again.
        """
        change: Change[T] = Change(work)
        # Nothing is awaited before the thread has the change: what the server has acknowledged
        # must not be lost because the job is being cancelled.
        with self._lock:
            transaction = self._next
            transaction.changes.append(change)
            transaction.flush = transaction.flush or (flush and self.scratch is None)
            if self._next_work is None:
                self._next_work = self._owner.submit(self._carry_out)
            waiting = self._next_work
        await waiting.result()
        return change.result

    def _carry_out(self) -> None:
        with self._lock:
            # Later changes go into the next transaction.
            transaction, self._next, self._next_work = self._next, Transaction(), None
        transaction.run(self.path, self._file.database)


_owners: Final[dict[OwnerThread, str]] = {}
"""The threads of the journals of this process that have not ended, with their files."""
_owners_lock: Final = Lock()


def _open(file: JournalFile, earlier: Sequence[OwnerThread]) -> JobRow:
    for owner in earlier:
        # One that is not finishing belongs to a running job; SQLite tells whether it is in use.
        if owner.finishing:
            owner.join()
    return file.open()


def _take_turn(name: str, owner: OwnerThread) -> Sequence[OwnerThread]:
    """Note that *owner* is about to open a file; return those that came to it earlier."""
    with _owners_lock:
        for other in tuple(_owners):
            if other.ended:
                del _owners[other]
        earlier = [other for other, theirs in _owners.items() if theirs == name]
        _owners[owner] = name
    return earlier


def read_records(path: Path, wanted: str, arguments: Sequence[Any]) -> Iterator[RecordRow]:
    """
    Read a journal that no job has open, in the order of the source.

    Args:
        path: The journal.
        wanted: An SQL condition on the table of records.
        arguments: For its question marks.
    """
    query = f"{_SELECT} WHERE {wanted} ORDER BY number"
    try:
        with closing(open_to_read(path)) as database:
            for row in database.execute(query, arguments):
                yield _row(row)
    except FAILURES as error:
        raise journal_error(path, error) from error


def is_latest_run(path: Path, first_pass: int) -> bool:
    """Tell whether a journal's latest run began with a pass, and is complete."""
    try:
        with closing(open_to_read(path)) as database:
            row = database.execute("SELECT first_pass, complete FROM job").fetchone()
    except FAILURES as error:
        raise journal_error(path, error) from error
    return bool(row == (first_pass, 1))


def forget_record(path: Path, id_: str) -> None:
    """Delete a record from a journal that no job has open: if it comes again, it is new."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=0)) as database, database:
            database.execute("DELETE FROM record WHERE id = ?", (id_,))
    except FAILURES as error:
        raise journal_error(path, error) from error


_SELECT: Final = "SELECT id, number, seen, pass, state, digest, sent_at, result, reason FROM record"
_MARKED: Final = "SELECT id FROM record WHERE mark = ? AND state IN (0, 1, 4)"
_STORED_IN: Final = """
SELECT result, digest FROM record WHERE sent_to = ? AND (result IS NOT NULL OR state IN (?, ?))
"""
_STORED: Final = (
    "SELECT result, digest FROM record WHERE sent_to = ? AND mark = ? AND state IN (?, ?)"
)
_SENT: Final = """
INSERT INTO record (id, number, seen, pass, state, digest, sent_at, sent_to, mark)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET number = excluded.number, seen = excluded.seen,
    pass = excluded.pass, digest = excluded.digest, sent_to = excluded.sent_to,
    mark = excluded.mark, reason = NULL, state = excluded.state,
    sent_at = CASE state WHEN 0 THEN coalesce(sent_at, excluded.sent_at) ELSE excluded.sent_at END
"""
_ENDED: Final = """
INSERT INTO record (id, number, seen, pass, state, digest, result, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET number = excluded.number, seen = excluded.seen,
    pass = excluded.pass, state = excluded.state, digest = coalesce(excluded.digest, digest),
    result = coalesce(excluded.result, result), reason = excluded.reason
"""


def _writing(statement: str, rows: list[tuple[Any, ...]]) -> Callable[[sqlite3.Connection], None]:
    def work(database: sqlite3.Connection) -> None:
        # The cursor must not leave the thread: it belongs to the connection.
        database.executemany(statement, rows)

    return work


def _row(row: tuple[Any, ...]) -> RecordRow:
    try:
        id_, number, seen, made_in, state, *others = typed(row, *_TYPES)
        return RecordRow(id_, number, seen, made_in, RecordState(state), *others)
    except ValueError:
        raise sqlite3.DatabaseError("a row has a state that no job has written") from None


_TYPES: Final = (
    str, int, int, int, int, bytes | None, float | None, str | None, str | None,
)  # fmt: skip
