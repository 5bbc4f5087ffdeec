"""
The files of a journal as they lie on the disk: looked at before SQLite opens them, and for reading.

SQLite takes an empty file, or one whose log is gone, for its own. Knows nothing of what is in it,
but for the mark of a job that uses it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from talkjs_async.bulk._engine.journal_errors import FAILURES
from talkjs_async.bulk.errors import StorageError
from talkjs_async.errors import ConfigurationError


def is_there(path: Path) -> bool:
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


def check_file(path: Path) -> None:
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
    # What a log has may not be in the main file yet.
    if size < (page if _has_log(path) else _whole_size(begin, page)):
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


def _whole_size(header: bytes, page: int) -> int:
    """How long an SQLite file says that it is: SQLite reads zeros where the last page was cut."""
    pages = int.from_bytes(header[28:32])
    is_told = header[24:28] == header[92:96]
    return page * max(1, pages if is_told else 1)


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
