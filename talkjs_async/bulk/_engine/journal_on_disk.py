"""
Checks the files of a journal before SQLite opens them, and opens them for reading.

SQLite accepts an empty file, or one whose log is missing. Of the content, knows `job.in_use` only.
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
        StorageError: Only its log is there: a new journal would not know of the job that began.
    """
    if path.exists():
        return True
    if _has_log(path):
        raise StorageError(
            path=str(path),
            reason=f"it is missing, but its log {_log_of(path).name} is there: copy, move or "
            "delete both files together",
            damaged=True,
        )
    return False


def check_database(path: Path) -> None:
    """Check a file before SQLite opens it, which would accept an empty or short one."""
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
    # Pages of the log may not be in the main file yet.
    if size < (page if _has_log(path) else _whole_size(begin, page)):
        raise StorageError(path=str(path), reason="it is cut off", damaged=True)
    if _main_file_in_use(path) and not _log_is_there(_log_of(path), page):
        raise StorageError(
            path=str(path),
            reason=f"a job has written to it and to its log {_log_of(path).name}, which is missing "
            "or incomplete: copy or move both files together",
            damaged=True,
        )


_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
"""Bytes of the header of an SQLite file. Source: sqlite.org/fileformat2.html."""
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_LOG_MAGIC: Final = (0x377F0682, 0x377F0683)


def _page_size(header: bytes) -> int:
    size = int.from_bytes(header[16:18])
    # A power of two from 512 on; 1 stands for 65,536, which two bytes cannot hold.
    return 65_536 if size == 1 else max(size, 512)


def _whole_size(header: bytes, page: int) -> int:
    """The size that a header states: SQLite reads zeros where the last page was cut off."""
    pages = int.from_bytes(header[28:32])
    is_told = header[24:28] == header[92:96]
    return page * max(1, pages if is_told else 1)


def _log_is_there(log: Path, page: int) -> bool:
    """
    Whether a log holds a first page, as the log of a run always does.

    What was cut off behind it cannot be detected: SQLite does not record where a log ends.
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
    # A log that was copied into the main file is rewritten, its header first, with the next first
    # salt. A run that is killed at that point leaves an old page, which is in the main file.
    next_salt = (int.from_bytes(of_page[:4]) + 1) % 2**32
    return salts == of_page or int.from_bytes(salts[:4]) == next_salt


def _log_of(path: Path) -> Path:
    """
    SQLite's write-ahead log, which holds what is not in the main file yet.

    Of a link, SQLite keeps it beside the file that the link leads to.
    """
    return Path(f"{os.path.realpath(path)}-wal")


def _has_log(path: Path) -> bool:
    """Whether there is a log with something in it."""
    try:
        return _log_of(path).stat().st_size > 0
    except FileNotFoundError:
        return False


def open_to_read(path: Path) -> sqlite3.Connection:
    """
    Open a journal for reading, and leave no other file beside it.

    The log of a run that was killed is read, too. A journal without a log is not in use.

    Raises:
        StorageError: It is missing.
    """
    if not path.exists():
        raise StorageError(path=str(path), reason="it was deleted or moved", damaged=True)
    return _opened(path, alone=not _has_log(path))


def _opened(path: Path, *, alone: bool) -> sqlite3.Connection:
    # "immutable" reads the main file only, and creates no other.
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    return sqlite3.connect(uri, uri=True, timeout=0)


def _main_file_in_use(path: Path) -> bool:
    try:
        with closing(_opened(path, alone=True)) as database:
            row = database.execute("SELECT in_use FROM job").fetchone()
    except FAILURES:
        # Not a journal, or a damaged one: later checks report it.
        return False
    return row is not None and row[0] != 0
