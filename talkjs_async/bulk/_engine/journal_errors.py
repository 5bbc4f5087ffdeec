"""Errors of SQLite, of the system and of damaged rows, as errors of this library."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from talkjs_async.bulk.errors import StorageError
from talkjs_async.errors import ConfigurationError, TalkJSError

FAILURES: Final = (sqlite3.Error, OSError, UnicodeDecodeError)
"""
What a journal's file can raise. The last one comes from Python, when SQLite quotes damaged text.
"""


def journal_error(path: Path, error: Exception) -> TalkJSError:
    """Return the error of this library for *error*, which is one of `FAILURES`."""
    if isinstance(error, OSError):
        return StorageError(path=str(path), reason=error.strerror or type(error).__name__)
    # Extended result codes begin with the name of the plain one.
    code: str = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ConfigurationError("journal", f"{path} is in use by another job.")
    # Our statements never change: any other error comes from the file.
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
"""Result codes of errors of the disk or the system; the file itself is whole."""


def _reason(error: Exception) -> str:
    # Messages about undecodable text quote it, and text of users must not reach a log.
    text = str(error)
    damaged = isinstance(error, UnicodeDecodeError) or text.startswith("Could not decode")
    return "it holds text that is no UTF-8" if damaged else text


def typed(row: tuple[Any, ...], *types: Any) -> tuple[Any, ...]:
    """
    Check the columns of a row: SQLite stores anything anywhere.

    Raises:
        sqlite3.DatabaseError: A column has a type that no job writes.
    """
    if not all(isinstance(value, type_) for value, type_ in zip(row, types, strict=True)):
        raise sqlite3.DatabaseError("a row holds what no job has written")
    return row
