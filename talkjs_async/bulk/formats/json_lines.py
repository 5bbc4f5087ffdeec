"""
JSON Lines: an object in each line, in a file that grows and can be read from either end.

What was written behind the noted place is cut off when a file is opened again, so it never has half
a line or a line twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from talkjs_async._core.wire import utf8
from talkjs_async.bulk.errors import StorageError
from talkjs_async.errors import ConfigurationError

__all__ = ["LinesFile", "disk_error", "read_lines", "read_lines_backwards"]

_BLOCK: Final = 1 << 16
"""Bytes that are read at a time."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class LinesFile:
    """
    A growing file of JSON Lines. Its methods touch the disk: call them in a worker thread.

    Attributes:
        bytes, lines: How much there is of it.
    """

    def __init__(self, path: Path, place: Mapping[str, int]) -> None:
        """
        Open the file at *place* and cut off what is behind it.

        Raises:
            StorageError: There is less than that.
        """
        self.path = path
        self.bytes: int = place["bytes"]
        self.lines: int = place["lines"]
        try:
            self._file: BinaryIO = path.open("r+b" if self.bytes else "wb")
            if self._file.seek(0, os.SEEK_END) < self.bytes:
                self._file.close()
                raise StorageError(path=str(path), reason="it is shorter than it was")
            self._file.truncate(self.bytes)
            self._file.seek(self.bytes)
        except OSError as error:
            raise disk_error(path, error) from error

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write a line per record."""
        lines = [utf8(_encode(record)) + b"\n" for record in records]
        data = b"".join(lines)
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise disk_error(self.path, error) from error
        self.bytes += len(data)
        self.lines += len(lines)

    @property
    def place(self) -> dict[str, int]:
        """Where to go on."""
        return {"bytes": self.bytes, "lines": self.lines}

    def close(self) -> None:
        """Close the file, with everything on the disk."""
        try:
            with self._file:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(self.path, error) from error


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """
    Read the objects of a file.

    Raises:
        ConfigurationError: One of them was damaged.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            yield _parsed(path, line, f"line {number}")


def read_lines_backwards(path: Path) -> Iterator[dict[str, Any]]:
    """Read the objects from the end of the file, a block at a time; see `read_lines`."""
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        rest = b""
        while place > 0:
            size = min(_BLOCK, place)
            place -= size
            file.seek(place)
            first, *others = (file.read(size) + rest).split(b"\n")
            for line in reversed(others):
                if line:
                    yield _parsed(path, line, "a line")
            rest = first
        if rest:
            yield _parsed(path, rest, "line 1")


def _parsed(path: Path, line: bytes, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ConfigurationError("target", f"{path} was damaged: {place} is not a JSON object.")
    return record


def disk_error(path: Path, error: OSError) -> StorageError:
    """Say what the system says in our own words."""
    return StorageError(path=str(path), reason=error.strerror or type(error).__name__)
