"""Rows of a temporary database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from talkjs_async.bulk.errors import StorageError


def read_rows(
    database_path: Path, query: str, arguments: Sequence[Any] = ()
) -> Iterator[tuple[Any, ...]]:
    """
    Read rows of a database. The iterator may be closed in another thread than it ran in.

    Raises:
        StorageError: It cannot be read: it was deleted, or the disk is full.
    """
    try:
        with closing(sqlite3.connect(database_path, check_same_thread=False)) as database:
            yield from database.execute(query, arguments)
    except sqlite3.Error as error:
        raise StorageError(path=str(database_path), reason=str(error)) from error
