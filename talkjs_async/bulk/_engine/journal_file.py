"""
The file of a journal: opened or made, checked whose it is, and what is wrong with it.

Called in worker threads, one at a time.
"""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

import attrs

from talkjs_async.bulk._engine.journal_schema import APPLICATION, SCHEMA, TABLES, JobRow
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


def open_database(path: Path, identity: JobIdentity) -> tuple[sqlite3.Connection, JobRow]:
    """Open the file, or make a new one; see `JobJournal.open`."""
    if path.is_dir():
        raise ConfigurationError("journal", f"{path} is a directory: name a file in it.")
    if not path.parent.is_dir():
        raise ConfigurationError("journal", f"the directory {path.parent} does not exist.")
    if path.exists() and path.stat().st_size and not _is_sqlite(path):
        # SQLite would take a short file for an empty one.
        raise ConfigurationError("journal", f"{path} is not a journal.")
    try:
        # Autocommit; one thread at a time, see JobJournal._lock. No wait for a lock here: the
        # connection that has it keeps it until its job ends.
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    except sqlite3.Error as error:
        raise journal_error(path, error) from error
    try:
        return database, _prepare(path, database, identity)
    except BaseException as error:
        database.close()
        if isinstance(error, sqlite3.Error):
            raise journal_error(path, error) from error
        raise


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _prepare(path: Path, database: sqlite3.Connection, identity: JobIdentity) -> JobRow:
    # Looked at before anything is written: it may be the database of another program.
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (schema,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
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
    return JobRow(*row)


def _create(database: sqlite3.Connection, identity: JobIdentity) -> None:
    for statement in TABLES.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION}")
    database.execute(f"PRAGMA user_version = {SCHEMA}")
    job_id = identity.job_id or secrets.token_urlsafe(12)
    database.execute(
        "INSERT INTO job VALUES (?, ?, ?, 0, 1, 0, 'null')",
        (identity.kind, identity.app_id, job_id),
    )


def _check_identity(path: Path, database: sqlite3.Connection, identity: JobIdentity) -> None:
    row = database.execute("SELECT kind, app_id, job_id FROM job").fetchone()
    wanted = (identity.kind, identity.app_id, identity.job_id or row[2])
    for word, has, needs in zip(("job", "app", "job ID"), row, wanted, strict=True):
        if has != needs:
            raise ConfigurationError(
                "journal",
                f"{path} belongs to the {word} {has!r}, not {needs!r}: use another file for this.",
            )


def journal_error(path: Path, error: sqlite3.Error) -> TalkJSError:
    """Say what SQLite says in our own words."""
    # Extended result codes begin with the name of the plain one.
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ConfigurationError("journal", f"{path} is in use by another job.")
    damaged = code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
    return StorageError(path=str(path), reason=str(error), damaged=damaged)
