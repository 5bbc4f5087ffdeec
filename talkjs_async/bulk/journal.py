"""
What a job remembers on disk: which record was sent, and how it ended.

One SQLite file per job. Knows records as IDs and digests, nothing of TalkJS. A change is one small
transaction, made in a worker thread; when the call returns, it survives the end of the process.
Jobs call it.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast

import anyio
import anyio.to_thread
import attrs

from talkjs_async.bulk.storage import StorageError
from talkjs_async.errors import ConfigurationError, TalkJSError

T = TypeVar("T")

SCHEMA: Final = 1
_APPLICATION: Final = 0x746A6B62
"""SQLite's `application_id` of a journal: "tjkb". Tells it from any other SQLite file."""

_TABLES: Final = """
CREATE TABLE job (
    kind TEXT NOT NULL, app_id TEXT NOT NULL, job_id TEXT NOT NULL,
    pass INTEGER NOT NULL, first_pass INTEGER NOT NULL, complete INTEGER NOT NULL,
    place TEXT NOT NULL
);
CREATE TABLE record (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL, seen INTEGER NOT NULL, pass INTEGER NOT NULL,
    state INTEGER NOT NULL, digest BLOB, sent_at REAL, sent_to TEXT, mark BLOB, result TEXT,
    reason TEXT
) WITHOUT ROWID;
CREATE INDEX record_mark ON record (sent_to, mark) WHERE mark IS NOT NULL;
"""


class State(IntEnum):
    """How far a record has come."""

    SENT = 0
    """It was sent, and no answer was noted. It may or may not be stored."""
    DONE = 1
    FAILED = 2
    PLANNED = 3
    """A dry run found that it would be changed."""
    CHANGED = 4
    """It was stored, and the source has another content for it by now."""


@attrs.frozen
class Row:
    """
    What the journal knows of a record.

    Attributes:
        number: Its place in the source, from 1.
        seen: The pass in which the source last had it.
        made_in: The pass in which it came to its state.
        digest: Of the content that was sent.
        sent_at: Unix time in seconds of the first request that carried it.
        result: What TalkJS made of it: the ID of a message.
        reason: Why it failed.
    """

    id: str
    number: int
    seen: int
    made_in: int
    state: State
    digest: bytes | None
    sent_at: float | None
    result: str | None
    reason: str | None


@attrs.frozen
class Sending:
    """
    A record that is about to be sent.

    Attributes:
        mark: By what it can be found again among the messages of its conversation. None when
            repeating it is harmless.
    """

    id: str
    number: int
    digest: bytes
    mark: bytes | None = None


@attrs.frozen
class Ending:
    """A state to note; the attributes are those of `Row`."""

    id: str
    number: int
    state: State
    digest: bytes | None = None
    result: str | None = None
    reason: str | None = None


@attrs.frozen(kw_only=True)
class Identity:
    """
    Whose journal it is.

    Attributes:
        kind: Name of the job, such as "upsert_users".
        app_id: The TalkJS app.
        job_id: None: whatever the journal says, or a random one when it is new.
    """

    kind: str
    app_id: str
    job_id: str | None = None


class Scratch:
    """A directory that goes away with the last one who holds this object."""

    def __init__(self) -> None:
        self.path: Path = Path(tempfile.mkdtemp(prefix="talkjs-job-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class Journal:
    """
    The open journal of one running job. Nobody else can open it meanwhile.

    A run goes through the whole source once; when it is interrupted, it takes several passes. The
    run after a complete one sends only what has changed.

    Attributes:
        path: Where it is.
        scratch: Keeps a temporary journal alive. None for one that stays.
        job_id: Of the job that it belongs to.
        number_of_pass: Of this opening; the first is 1.
        first_pass: The first pass of the present run.
        place: What the job left there to find its place again; anything JSON can hold.
    """

    def __init__(
        self, path: Path, scratch: Scratch | None, database: sqlite3.Connection, facts: _Facts
    ) -> None:
        self.path = path
        self.scratch = scratch
        self.job_id: str = facts.job_id
        self.number_of_pass: int = facts.pass_
        self.first_pass: int = facts.first
        self.place: Any = json.loads(facts.place)
        self._database = database
        self._lock = anyio.Lock()
        self._next = _Group()

    @classmethod
    async def open(cls, path: Path | None, identity: Identity) -> Journal:
        """
        Open a journal, or make a new one.

        Args:
            path: The file. None: a temporary one.
            identity: What an existing journal has to be for.

        Raises:
            ConfigurationError: It is the journal of another job, of a newer version of this
                library, in use, or no journal at all.
            StorageError: It cannot be read or written.
        """
        scratch = None
        if path is None:
            scratch = Scratch()
            path = scratch.path / "journal"
        database, facts = await anyio.to_thread.run_sync(_open, path, identity)
        return cls(path, scratch, database, facts)

    async def look(self, ids: Sequence[str]) -> dict[str, Row]:
        """Return what is known of the records, and note that the source has them."""

        def work(database: sqlite3.Connection) -> dict[str, Row]:
            rows = {}
            for id_ in ids:
                row = database.execute(f"{_SELECT} WHERE id = ?", (id_,)).fetchone()
                if row is not None:
                    rows[id_] = _row(row)
            database.executemany(
                "UPDATE record SET seen = ? WHERE id = ?",
                ((self.number_of_pass, id_) for id_ in rows),
            )
            return rows

        return await self._change(work)

    async def sent(self, records: Iterable[Sending], *, at: float, to: str) -> None:
        """
        Note that records are about to be sent.

        Args:
            at: Unix time in seconds. If a record was sent before and never answered, its own stays.
            to: The conversation.
        """
        here = self.number_of_pass
        rows = [(s.id, s.number, here, here, State.SENT, s.digest, at, to, s.mark) for s in records]
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
        text = json.dumps(place)
        await self._change(_writing("UPDATE job SET place = ?", [(text,)]))
        self.place = place

    async def finish(self) -> None:
        """Note that the run is complete."""
        await self._change(_writing("UPDATE job SET complete = 1", [()]))

    async def unanswered(self) -> int:
        """Count the records of this run of which nobody knows whether they are stored."""

        def work(database: sqlite3.Connection) -> int:
            query = "SELECT count(*) FROM record WHERE state = ? AND seen >= ?"
            (count,) = database.execute(query, (State.SENT, self.first_pass)).fetchone()
            return int(count)

        return await self._change(work)

    async def stored(self, conversation_id: str, marks: Iterable[bytes]) -> dict[bytes, int]:
        """Count the records of a conversation that are known to be stored, for each mark."""

        def work(database: sqlite3.Connection) -> dict[bytes, int]:
            counts: dict[bytes, int] = {}
            for mark in set(marks):
                arguments = (conversation_id, mark, State.DONE, State.CHANGED)
                (counts[mark],) = database.execute(_STORED, arguments).fetchone()
            return counts

        return await self._change(work)

    async def results(self, conversation_id: str) -> set[str]:
        """Return the results of all records of a conversation. A full scan: for rare use."""

        def work(database: sqlite3.Connection) -> set[str]:
            found = database.execute(
                "SELECT result FROM record WHERE sent_to = ? AND result IS NOT NULL",
                (conversation_id,),
            )
            return {result for (result,) in found}

        return await self._change(work)

    async def close(self) -> None:
        """Give the file free. What was noted stays."""
        with anyio.CancelScope(shield=True):
            async with self._lock:
                await anyio.to_thread.run_sync(self._database.close)

    async def _change(self, work: Callable[[sqlite3.Connection], T], *, flush: bool = False) -> T:
        """
        Change the database, together with all other changes that wait at this moment.

        Args:
            flush: Whether it must survive a power cut, and not only the end of the process. An
                answer need not: if it is forgotten, the record is asked about or sent again.
        """
        change: _Change[T] = _Change(work)
        group = self._next
        group.changes.append(change)
        group.flush = group.flush or (flush and self.scratch is None)
        # Shielded: what the server has acknowledged must not be forgotten because the job is being
        # cancelled. A transaction takes some milliseconds at most.
        with anyio.CancelScope(shield=True):
            if change is group.changes[0]:
                await self._carry_out(group)
            else:
                await group.ended.wait()
        if group.failure is not None:
            raise group.failure
        return change.result

    async def _carry_out(self, group: _Group) -> None:
        """Make a transaction of the changes, and wake all who wait for them at the same moment."""
        async with self._lock:
            # Whoever comes from now on is too late for this one.
            self._next = _Group()
            try:
                await anyio.to_thread.run_sync(_transaction, self.path, self._database, group)
            finally:
                group.ended.set()


@attrs.define
class _Change(Generic[T]):
    """A change of the database, and what *work* returned once it is made."""

    work: Callable[[sqlite3.Connection], T]
    _result: T | None = None

    def make(self, database: sqlite3.Connection) -> None:
        self._result = self.work(database)

    @property
    def result(self) -> T:
        return cast("T", self._result)


@attrs.define
class _Group:
    """
    Changes that are made with one transaction. The first one's task does it.

    Attributes:
        flush: Whether any of them asks for it; see `Journal._change`.
        failure: What went wrong.
    """

    changes: list[_Change[Any]] = attrs.field(factory=list["_Change[Any]"])
    flush: bool = False
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    failure: Exception | None = None


def read_records(path: Path, wanted: str, arguments: Sequence[Any]) -> Iterator[Row]:
    """
    Read a journal that no job has open, in the order of the source.

    Args:
        path: The journal.
        wanted: An SQL condition on the table of records.
        arguments: For its question marks.
    """
    query = f"{_SELECT} WHERE {wanted} ORDER BY number"
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
        try:
            for row in database.execute(query, arguments):
                yield _row(row)
        finally:
            database.close()
    except sqlite3.Error as error:
        raise _journal_error(path, error) from error


_SELECT: Final = "SELECT id, number, seen, pass, state, digest, sent_at, result, reason FROM record"
_STORED: Final = "SELECT count(*) FROM record WHERE sent_to = ? AND mark = ? AND state IN (?, ?)"
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


@attrs.frozen
class _Facts:
    """The one row of the table `job`, as far as a running job needs it."""

    job_id: str
    pass_: int
    first: int
    place: str


def _writing(statement: str, rows: list[tuple[Any, ...]]) -> Callable[[sqlite3.Connection], None]:
    def work(database: sqlite3.Connection) -> None:
        # The cursor must not leave the worker thread: whoever drops it resets its statement, which
        # another thread may be using by then.
        database.executemany(statement, rows)

    return work


def _row(row: tuple[Any, ...]) -> Row:
    id_, number, seen, made_in, state, *others = row
    return Row(id_, number, seen, made_in, State(state), *others)


def _transaction(path: Path, database: sqlite3.Connection, group: _Group) -> None:
    try:
        database.execute(f"PRAGMA synchronous = {'FULL' if group.flush else 'NORMAL'}")
        database.execute("BEGIN IMMEDIATE")
        try:
            for change in group.changes:
                change.make(database)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        group.failure = _journal_error(path, error)
        group.failure.__cause__ = error


def _open(path: Path, identity: Identity) -> tuple[sqlite3.Connection, _Facts]:
    if path.is_dir():
        raise ConfigurationError("journal", f"{path} is a directory: name a file in it.")
    if not path.parent.is_dir():
        raise ConfigurationError("journal", f"the directory {path.parent} does not exist.")
    if path.exists() and path.stat().st_size and not _is_sqlite(path):
        # SQLite would take a short file for an empty one.
        raise ConfigurationError("journal", f"{path} is not a journal.")
    try:
        # Autocommit; one thread at a time, see Journal._lock. Nobody waits for a lock here: the
        # one who has it keeps it until the job ends.
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    except sqlite3.Error as error:
        raise _journal_error(path, error) from error
    try:
        return database, _prepare(path, database, identity)
    except BaseException as error:
        database.close()
        if isinstance(error, sqlite3.Error):
            raise _journal_error(path, error) from error
        raise


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _prepare(path: Path, database: sqlite3.Connection, identity: Identity) -> _Facts:
    # Looked at before anything is written: it may be somebody else's database.
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (schema,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != _APPLICATION:
        raise ConfigurationError("journal", f"{path} is an SQLite file of another program.")
    if schema > SCHEMA:
        raise ConfigurationError(
            "journal",
            f"{path} was written by a newer talkjs-async (journal schema {schema}, this version "
            f"knows {SCHEMA}): upgrade the library.",
        )
    # Held until it is closed or the process is gone, so that two processes never share a job.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN IMMEDIATE")
    if tables:
        _check_identity(path, database, identity)
    else:
        _create(database, identity)
    # The run after a complete one begins with this pass; an interrupted one goes on.
    database.execute(
        "UPDATE job SET pass = pass + 1, complete = 0, "
        "first_pass = CASE complete WHEN 1 THEN pass + 1 ELSE first_pass END"
    )
    row = database.execute("SELECT job_id, pass, first_pass, place FROM job").fetchone()
    database.execute("COMMIT")
    return _Facts(*row)


def _create(database: sqlite3.Connection, identity: Identity) -> None:
    for statement in _TABLES.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {_APPLICATION}")
    database.execute(f"PRAGMA user_version = {SCHEMA}")
    job_id = identity.job_id or secrets.token_urlsafe(12)
    database.execute(
        "INSERT INTO job VALUES (?, ?, ?, 0, 1, 0, 'null')",
        (identity.kind, identity.app_id, job_id),
    )


def _check_identity(path: Path, database: sqlite3.Connection, identity: Identity) -> None:
    row = database.execute("SELECT kind, app_id, job_id FROM job").fetchone()
    wanted = (identity.kind, identity.app_id, identity.job_id or row[2])
    for word, has, needs in zip(("job", "app", "job ID"), row, wanted, strict=True):
        if has != needs:
            raise ConfigurationError(
                "journal",
                f"{path} belongs to the {word} {has!r}, not {needs!r}: use another file for this.",
            )


def _journal_error(path: Path, error: sqlite3.Error) -> TalkJSError:
    # Extended result codes begin with the name of the plain one.
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ConfigurationError("journal", f"{path} is in use by another job.")
    damaged = code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
    return StorageError(path=str(path), reason=str(error), damaged=damaged)
