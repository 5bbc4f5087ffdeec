"""
The file of a journal: opened or made, checked whose it is, and what is wrong with it.

Everything here runs in the thread that owns the journal.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import attrs

from talkjs_async.bulk._engine.journal_schema import (
    APPLICATION,
    SCHEMA,
    TABLES,
    JobRow,
    read_place,
    written_place,
)
from talkjs_async.bulk._engine.private_files import create_private
from talkjs_async.bulk.errors import StorageError
from talkjs_async.errors import ConfigurationError, TalkJSError


@attrs.frozen(kw_only=True)
class JobIdentity:
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


class JournalFile:
    """
    A journal's file and the connection to it.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path, identity: JobIdentity, original: Path | None = None) -> None:
        """
        Name the file.

        Args:
            original: What to copy there first, if it exists.
        """
        self.path = path
        self._original = original
        self._identity = identity
        self._database: sqlite3.Connection | None = None
        # Device and inode, by which a file that took its place is told from it.
        self._file: tuple[int, int] | None = None

    @property
    def database(self) -> sqlite3.Connection:
        """The open connection."""
        assert self._database is not None  # noqa: S101 - opened before it is handed out
        return self._database

    def open(self) -> JobRow:
        """Open the file, or make a new one; see `JobJournal.open`."""
        path = self.path
        try:
            _check_path(path)
            if self._original is not None:
                _check_path(self._original)
                if _is_there(self._original):
                    _check_file(self._original)
                    _copy(self._original, path)
            if not _is_there(path):
                _create(path, self._identity)
            _check_file(path)
            self._file = _file_at(path)
            # Autocommit. No wait for a lock: the connection that has it keeps it until its job
            # ends. Never made anew here, which would take a deleted one for one of a new job.
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0
            )
            job = _begin_pass(path, self._database, self._identity)
            try:
                # So that the main file on its own says that it is in use.
                _empty_log(self._database)
            except BaseException:
                self.close()
                raise
            else:
                return job
        except BaseException as error:
            if self._database is not None:
                self._database.close()
                self._database = None
            if isinstance(error, FAILURES):
                raise journal_error(path, error) from error
            raise

    def check_present(self) -> None:
        """
        Check that the file is still there.

        Raises:
            StorageError: It was deleted or replaced, so the next run would know of nothing.
        """
        if self._file != _file_at(self.path):
            raise StorageError(
                path=str(self.path),
                reason="it was deleted or replaced while the job was running",
                damaged=True,
            )

    def close(self) -> None:
        """Give the file free. What was noted stays."""
        database, self._database = self._database, None
        if database is None:
            return
        try:
            with suppress(sqlite3.Error):
                # On a full disk, an emptied log has room for the mark. If the main file cannot
                # grow, the log stays beside it, and so does the mark that asks for it.
                _empty_log(database)
                database.execute("UPDATE job SET in_use = 0")
        finally:
            # The last connection writes all into the main file and removes the other ones.
            database.close()


def _check_path(path: Path) -> None:
    if path.is_dir():
        raise ConfigurationError("journal", f"{path} is a directory: name a file in it.")
    if not path.parent.is_dir():
        raise ConfigurationError("journal", f"the directory {path.parent} does not exist.")


def _is_there(path: Path) -> bool:
    """
    Tell whether there is a journal.

    Raises:
        StorageError: Its log is there alone, so a job has begun that a new journal knows not of.
    """
    if path.exists():
        return True
    if _has_log(path):
        raise StorageError(
            path=str(path),
            reason=f"it is not there, and {_log_of(path).name}, which belongs to it, is: copy, "
            "move or delete both files together",
            damaged=True,
        )
    return False


def _check_file(path: Path) -> None:
    """Look at a file before SQLite does, which would take an empty or short one for its own."""
    if not path.is_file():
        raise ConfigurationError(
            "journal", f"{path} is a pipe or a device: name a file, or a place for a new one."
        )
    with path.open("rb") as file:
        begin = file.read(_HEADER)
        size = file.seek(0, os.SEEK_END)
    if not begin:
        raise ConfigurationError(
            "journal",
            f"{path} is empty, which a journal never is. If no job has used it, delete it.",
        )
    if not begin.startswith(_MAGIC):
        raise ConfigurationError("journal", f"{path} is not a journal.")
    page = _page_size(begin)
    if size < page:
        raise StorageError(path=str(path), reason="it is cut off", damaged=True)
    if _main_file_in_use(path) and not _log_is_there(_log_of(path), page):
        raise StorageError(
            path=str(path),
            reason=f"a job has written to it and to {_log_of(path).name}, which belongs to it and "
            "is not there, or not whole: copy or move both files together",
            damaged=True,
        )


_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
"""Bytes in which an SQLite file says of itself what it is. Source: sqlite.org/fileformat2.html."""
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_LOG_MAGIC: Final = (0x377F0682, 0x377F0683)


def _page_size(header: bytes) -> int:
    size = int.from_bytes(header[16:18])
    # A power of two from 512 on; 1 stands for the one that two bytes cannot hold.
    return 65_536 if size == 1 else max(size, 512)


def _log_is_there(log: Path, page: int) -> bool:
    """
    Whether a log has a first page in it, which that of a run has from the beginning on.

    Where a log ends is not known to SQLite: what was cut off behind that cannot be told.
    """
    try:
        with log.open("rb") as file:
            begin = file.read(_LOG_HEADER + _FRAME_HEADER)
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return False
    is_log = int.from_bytes(begin[:4]) in _LOG_MAGIC and int.from_bytes(begin[8:12]) == page
    return is_log and _has_a_page(begin) and size >= _LOG_HEADER + _FRAME_HEADER + page


def _has_a_page(begin: bytes) -> bool:
    salts, of_page = begin[16:24], begin[_LOG_HEADER + 8 : _LOG_HEADER + 16]
    # A log that is in the main file begins anew: its header first, with the next first salt. A run
    # that was killed just then has left the page of before, which is in the main file.
    next_salt = (int.from_bytes(of_page[:4]) + 1) % 2**32
    return salts == of_page or int.from_bytes(salts[:4]) == next_salt


def _log_of(path: Path) -> Path:
    """SQLite's write-ahead log, which has what is not yet in the main file."""
    return path.with_name(f"{path.name}-wal")


def _has_log(path: Path) -> bool:
    """Whether there is a log with something in it."""
    try:
        return _log_of(path).stat().st_size > 0
    except FileNotFoundError:
        return False


def open_to_read(path: Path) -> sqlite3.Connection:
    """
    Open a journal for reading, and leave no other file beside it.

    The log of a run that was killed is read, too. Where there is none, no run has it open.
    """
    return _opened(path, alone=not _has_log(path))


def _opened(path: Path, *, alone: bool) -> sqlite3.Connection:
    # "immutable" reads the main file alone, and makes no other.
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    return sqlite3.connect(uri, uri=True, timeout=0)


def _main_file_in_use(path: Path) -> bool:
    try:
        with closing(_opened(path, alone=True)) as database:
            row = database.execute("SELECT in_use FROM job").fetchone()
    except FAILURES:
        # Not a journal, or a damaged one: told by what comes next.
        return False
    return row is not None and row[0] != 0


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _begin_pass(path: Path, database: sqlite3.Connection, identity: JobIdentity) -> JobRow:
    # Looked at before anything is written: it may be the database of another program.
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (schema,) = database.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise ConfigurationError("journal", f"{path} is an SQLite file of another program.")
    if schema != SCHEMA:
        age, way_out = ("a newer", "upgrade the library") if schema > SCHEMA else (
            "an older", "end the job with that one"
        )  # fmt: skip
        raise ConfigurationError(
            "journal",
            f"{path} was written by {age} talkjs-async (journal schema {schema}, this version "
            f"knows {SCHEMA}): {way_out}.",
        )
    # Held until it is closed or the process is gone, so that two processes never share a job.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("BEGIN IMMEDIATE")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(str(verdict))
    _check_identity(path, database, identity)
    # The run after a complete one begins with this pass; an interrupted one goes on.
    database.execute(
        "UPDATE job SET pass = pass + 1, complete = 0, in_use = 1, "
        "first_pass = CASE complete WHEN 1 THEN pass + 1 ELSE first_pass END"
    )
    row = database.execute("SELECT job_id, pass, first_pass, place FROM job").fetchone()
    database.execute("COMMIT")
    return _job_row(*row)


def _empty_log(database: sqlite3.Connection) -> None:
    """Write all of it into the main file; its own file keeps its size, to be written over."""
    database.execute("PRAGMA wal_checkpoint(RESTART)")


def _job_row(job_id: str, pass_: int, first: int, place: object) -> JobRow:
    try:
        return JobRow(job_id, pass_, first, read_place(place))
    except ValueError:
        raise sqlite3.DatabaseError(_DAMAGED) from None


def _create(path: Path, identity: JobIdentity) -> None:
    """Make a journal: under its name, it is a whole one from its first moment on."""
    new = path.with_name(f"{path.name}-{secrets.token_hex(4)}.new")
    create_private(new)
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as database:
            # Nothing has been sent yet, and the first checkpoint flushes all of it to the disk.
            database.execute("PRAGMA synchronous = OFF")
            database.execute("BEGIN")
            for statement in TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {SCHEMA}")
            job_id = identity.job_id or secrets.token_urlsafe(12)
            database.execute(
                "INSERT INTO job VALUES (?, ?, ?, 0, 1, 0, ?, 0)",
                (identity.kind, identity.app_id, job_id, written_place(None)),
            )
            database.execute("COMMIT")
        try:
            # Unlike a renamed file, a link does not take the place of a journal that another
            # process has just made.
            path.hardlink_to(new)
        except FileExistsError:
            pass
        except OSError:
            # A file system without links.
            if not path.exists():
                new.rename(path)
    finally:
        new.unlink(missing_ok=True)


def _copy(original: Path, path: Path) -> None:
    """Copy a journal that no job is using."""
    create_private(path)
    source = open_to_read(original)
    try:
        with closing(source), closing(sqlite3.connect(path)) as target:
            # A backup waits for a lock for ever; this fails at once.
            source.execute("SELECT job_id FROM job").fetchone()
            source.backup(target)
            # It is whole: the original's log is in it.
            target.execute("UPDATE job SET in_use = 0")
            target.commit()
    except sqlite3.Error as error:
        path.unlink()
        raise journal_error(original, error) from error


def _check_identity(path: Path, database: sqlite3.Connection, identity: JobIdentity) -> None:
    rows = database.execute(
        "SELECT kind, app_id, job_id, pass, first_pass, complete FROM job"
    ).fetchall()
    if not rows:
        raise sqlite3.DatabaseError("the row of the job is gone")
    kind, app_id, job_id, pass_, first, complete = typed(rows[0], *[str] * 3, *[int] * 3)
    in_order = 0 <= pass_ < _LAST and 1 <= first <= pass_ + 1 and complete in {0, 1}
    if len(rows) > 1 or not in_order:
        raise sqlite3.DatabaseError(_DAMAGED)
    wanted = (identity.kind, identity.app_id, identity.job_id or job_id)
    for word, has, needs in zip(
        ("job", "app", "job ID"), (kind, app_id, job_id), wanted, strict=True
    ):
        if has != needs:
            raise ConfigurationError(
                "journal",
                f"{path} belongs to the {word} {has!r}, not {needs!r}: use another file for this.",
            )


_LAST: Final = 1 << 53
"""No job has so many passes."""
_DAMAGED: Final = "the row of the job is damaged"

FAILURES: Final = (sqlite3.Error, OSError, UnicodeDecodeError)
"""
What a journal's file can raise. The last one comes from Python, when SQLite quotes damaged text.
"""


def journal_error(path: Path, error: Exception) -> TalkJSError:
    """Say what SQLite or the system says in our own words; *error* is one of `FAILURES`."""
    if isinstance(error, OSError):
        return StorageError(path=str(path), reason=error.strerror or type(error).__name__)
    # Extended result codes begin with the name of the plain one.
    code: str = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ConfigurationError("journal", f"{path} is in use by another job.")
    # Our statements are always the same: what else they meet is the fault of the file.
    return StorageError(
        path=str(path), reason=_reason(error), damaged=not code.startswith(_OF_THE_SYSTEM)
    )


_OF_THE_SYSTEM: Final = (
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_PERM",
    "SQLITE_AUTH",
    "SQLITE_NOMEM",
    "SQLITE_NOLFS",
    "SQLITE_TOOBIG",
    "SQLITE_INTERRUPT",
    "SQLITE_PROTOCOL",
)
"""Result codes of a disk or a system that does not do what SQLite asks for; the file is whole."""


def _reason(error: Exception) -> str:
    # Messages about undecodable text quote it, and text of users must not reach a log.
    text = str(error)
    damaged = isinstance(error, UnicodeDecodeError) or text.startswith("Could not decode")
    return "it holds text that is no UTF-8" if damaged else text


def typed(row: tuple[Any, ...], *types: Any) -> tuple[Any, ...]:
    """
    Check the columns of a row: SQLite stores anything anywhere.

    Raises:
        sqlite3.DatabaseError: One of them holds what we have never written.
    """
    if not all(isinstance(value, type_) for value, type_ in zip(row, types, strict=True)):
        raise sqlite3.DatabaseError("a row holds what no job has written")
    return row
