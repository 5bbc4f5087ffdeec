"""
Changes of a journal that are committed together.

Runs in the thread that owns the journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import attrs

from talkjs_async.bulk._engine.journal_errors import FAILURES, journal_error

T = TypeVar("T")


@attrs.define
class Change(Generic[T]):
    """A change of the database."""

    work: Callable[[sqlite3.Connection], T]
    _result: T | None = None

    def make(self, database: sqlite3.Connection) -> None:
        """Make it, inside a transaction."""
        self._result = self.work(database)

    @property
    def result(self) -> T:
        """What *work* returned, once the transaction has ended."""
        return cast("T", self._result)


@attrs.define
class Transaction:
    """
    Changes that are made together, or not at all.

    Attributes:
        flush: Whether they must survive a power cut, and not only the end of the process.
    """

    changes: list[Change[Any]] = attrs.field(factory=list["Change[Any]"])
    flush: bool = False

    def run(self, path: Path, database: sqlite3.Connection) -> None:
        """
        Make the changes.

        Raises:
            StorageError: The journal cannot be read or written.
        """
        try:
            database.execute(f"PRAGMA synchronous = {'FULL' if self.flush else 'NORMAL'}")
            database.execute("BEGIN IMMEDIATE")
            try:
                for change in self.changes:
                    change.make(database)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        except FAILURES as error:
            raise journal_error(path, error) from error
