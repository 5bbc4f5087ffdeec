"""
Opens or creates the file of a journal, and checks which job it belongs to.

Everything here runs in the thread that owns the journal.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import attrs

from talkjs_async.bulk._engine.journal_errors import FAILURES, journal_error, typed
from talkjs_async.bulk._engine.journal_on_disk import check_database, is_there, open_to_read
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
from talkjs_async.errors import ConfigurationError


@attrs.frozen(kw_only=True)
class JobIdentity:
    """
    The job that a journal belongs to.

    Attributes:
        kind: Name of the job, such as "upsert_users".
        app_id: The TalkJS app.
        job_id: None: that of the journal, or a random one when it is new.
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
            original: A journal to copy to *path* first, if it exists.
        """
        self.path = path
        self._original = original
        self._identity = identity
        self._database: sqlite3.Connection | None = None
        # Device and inode: they show whether another file has taken its place.
        self._file: tuple[int, int] | None = None

    @property
    def database(self) -> sqlite3.Connection:
        """The open connection."""
        assert self._database is not None  # noqa: S101 - opened before it is handed out
        return self._database

    def open(self) -> JobRow:
        """Open the file, or make a new one; see `JobJournal.open`."""
        path = self.path
        named = path if self._original is None else self._original
        try:
            _check_path(path)
            if self._original is not None:
                _check_path(self._original)
                if is_there(self._original):
                    check_database(self._original)
                    _copy(self._original, path)
            if not is_there(path):
                _create(path, self._identity)
            check_database(path)
            self._file = _file_at(path)
            # Autocommit. No wait for a lock: the connection that has it keeps it until its job
            # ends. Never created here: a deleted journal would look like that of a new job.
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0
            )
            job = _begin_pass(named, self._database, self._identity)
            try:
                # So that `in_use` is in the main file, not only in the log.
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
                failure = journal_error(path, error)
                is_of_the_original = isinstance(failure, StorageError) and failure.damaged
                raise (journal_error(named, error) if is_of_the_original else failure) from error
            raise

    def check_present(self) -> None:
        """
        Check that the file is still there.

        Raises:
            StorageError: It was deleted or replaced: the next run would know of nothing.
        """
        if self._file != _file_at(self.path):
            raise StorageError(
                path=str(self.path),
                reason="it was deleted or replaced while the job was running",
                damaged=True,
            )

    def close(self) -> None:
        """Release the file."""
        database, self._database = self._database, None
        if database is None:
            return
        try:
            with suppress(sqlite3.Error):
                # An emptied log has space for the update even on a full disk. If the main file
                # cannot grow, the log stays beside it, and `in_use` stays 1, which asks for it.
                _empty_log(database)
                database.execute("UPDATE job SET in_use = 0")
        finally:
            # The last connection writes all into the main file and removes the other ones.
            database.close()


def _check_path(path: Path) -> None:
    if path.is_dir():
        raise ConfigurationError("journal", f"{path} is a directory: name a file in it.")
    if path.is_symlink() and not path.exists():
        raise ConfigurationError(
            "journal", f"{path} is a link that leads nowhere: name the file itself."
        )
    if not path.parent.is_dir():
        raise ConfigurationError("journal", f"the directory {path.parent} does not exist.")


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _begin_pass(path: Path, database: sqlite3.Connection, identity: JobIdentity) -> JobRow:
    # Checked before anything is written: it may be the database of another program.
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
    # Locked until it is closed or the process ends, so that two processes never share a job.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("BEGIN IMMEDIATE")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError("its pages do not fit together")
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
    """Copy the log into the main file. The log keeps its size and is overwritten later."""
    database.execute("PRAGMA wal_checkpoint(RESTART)")


def _job_row(job_id: str, pass_: int, first: int, place: object) -> JobRow:
    try:
        return JobRow(job_id, pass_, first, read_place(place))
    except ValueError:
        raise sqlite3.DatabaseError(_DAMAGED) from None


def _create(path: Path, identity: JobIdentity) -> None:
    """Create a journal. A file with its name exists only when it is complete."""
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
            # A backup waits for a lock forever; this fails at once.
            source.execute("SELECT job_id FROM job").fetchone()
            source.backup(target)
            # The copy is complete: it includes the original's log.
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
