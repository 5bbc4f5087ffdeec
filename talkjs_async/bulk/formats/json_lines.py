"""
JSON Lines: an object in each line, in a file that grows.

What was written behind the noted place is cut off when a file is opened again, so it never has half
a line or a line twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final

import attrs

from talkjs_async._core.wire import utf8
from talkjs_async.bulk._engine.private_files import create_private
from talkjs_async.bulk.errors import StorageError
from talkjs_async.errors import ConfigurationError

__all__ = [
    "EMPTY",
    "Lines",
    "LinesFile",
    "check_lines",
    "checked_lines",
    "disk_error",
    "is_as_noted",
    "noted_lines",
    "open_lines",
]

EMPTY: Final[Mapping[str, Any]] = {"bytes": 0, "lines": 0, "digest": "", "order": ""}
"""The place of a file that does not exist yet."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@attrs.define
class Lines:
    """
    What can be said of lines without having them: how many there are, and a digest of all.

    The digest does not depend on their order, and says of each line how often it is there.
    """

    count: int = 0
    _sum: int = 0

    def add(self, line: bytes) -> None:
        """Count in a line, with or without the characters that end it."""
        self.count += 1
        one = blake2b(line.rstrip(), digest_size=_DIGEST).digest()
        self._sum = (self._sum + int.from_bytes(one)) % (1 << 8 * _DIGEST)

    @property
    def digest(self) -> str:
        """The sum of the digests of the lines, in hexadecimal digits."""
        return f"{self._sum:0{2 * _DIGEST}x}"

    @property
    def noted(self) -> dict[str, Any]:
        """The same, in a form that JSON can hold."""
        return {"lines": self.count, "digest": self.digest}

    @classmethod
    def of(cls, noted: Mapping[str, Any]) -> Lines:
        """Go on with lines that were counted before."""
        return cls(noted["lines"], int(noted["digest"] or "0", 16))


_DIGEST: Final = 16
"""Bytes."""


class LinesFile:
    """
    A growing file of JSON Lines. Its methods touch the disk: call them in a thread.

    Attributes:
        bytes: How long it is.
        lines: What is in it.
    """

    def __init__(self, path: Path, place: Mapping[str, Any]) -> None:
        """
        Open the file at *place* and cut off what is behind it.

        Raises:
            StorageError: There is less than that.
            ConfigurationError: What is there is not what was written.
        """
        self.path = path
        self.bytes: int = place["bytes"]
        self.lines: Lines = Lines.of(place)
        self._order = bytes.fromhex(place["order"])
        try:
            if not self.bytes:
                path.unlink(missing_ok=True)
                create_private(path)
            self._file: BinaryIO = path.open("r+b")
            if self._file.seek(0, os.SEEK_END) < self.bytes:
                self._file.close()
                raise StorageError(path=str(path), reason="it is shorter than it was")
            self._file.truncate(self.bytes)
            self._file.seek(self.bytes)
        except OSError as error:
            raise disk_error(path, error) from error
        if not is_as_noted(path, place):
            self._file.close()
            raise ConfigurationError(
                "directory",
                f"{path} was changed since it was written, so that what is read now would not make "
                "a whole of it: begin again with a new directory.",
            )

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
        for line in lines:
            self.lines.add(line)
            self._order = _ordered(self._order, line)

    @property
    def place(self) -> dict[str, Any]:
        """Where to go on."""
        return {"bytes": self.bytes, **self.lines.noted, "order": self._order.hex()}

    def close(self) -> None:
        """Close the file, with everything on the disk."""
        try:
            with self._file:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(self.path, error) from error


def _ordered(before: bytes, line: bytes) -> bytes:
    """A digest of lines in their order: of those before, and one more."""
    return blake2b(before + line, digest_size=_DIGEST).digest()


def is_as_noted(path: Path, place: Mapping[str, Any]) -> bool:
    """
    Tell whether a file begins with what `LinesFile.place` has noted of it, in that order.

    Raises:
        StorageError: It cannot be read.
    """
    left, lines, order = place["bytes"], Lines(), b""
    if not left:
        return True
    try:
        with open_lines(path) as file:
            while left > 0 and (line := file.readline(left)):
                left -= len(line)
                lines.add(line)
                order = _ordered(order, line)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise disk_error(path, error) from error
    return not left and lines == Lines.of(place) and order.hex() == place["order"]


def open_lines(path: Path) -> BinaryIO:
    """
    Open a file that was written, for reading.

    Raises:
        ConfigurationError: It is not a file, such as a pipe, from which reading may never end.
    """
    if path.exists() and not path.is_file():
        raise ConfigurationError("directory", f"{path} is damaged: it is no file.")
    return path.open("rb")


def check_lines(path: Path, expected: Lines) -> None:
    """Compare the lines of a file with what is expected; see `checked_lines`."""
    for _ in checked_lines(path, expected):
        pass


def checked_lines(path: Path, expected: Lines) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Read the lines of a file, each with its object, and compare all of them with what is expected.

    Raises:
        ConfigurationError: The file is missing, or its lines are not those; before the last one has
            been read, only for a line that is no JSON object.
    """
    found = Lines()
    try:
        with open_lines(path) as lines:
            for number, line in enumerate(lines, 1):
                found.add(line)
                yield _parsed(path, line, number)
    except FileNotFoundError:
        raise ConfigurationError("directory", f"{path} is missing.") from None
    except OSError as error:
        raise disk_error(path, error) from error
    if found.count != expected.count:
        raise ConfigurationError(
            "directory",
            f"{path} is damaged: {expected.count} lines were written, and {found.count} are there.",
        )
    if found != expected:
        raise ConfigurationError(
            "directory", f"{path} is damaged: its lines are not those that were written."
        )


def noted_lines(path: Path, begin: int, end: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Read the lines between two places of a file that may be growing, each with its object.

    Raises:
        ConfigurationError: A line is no JSON object.
        StorageError: The file cannot be read, or is shorter than that.
    """
    try:
        with path.open("rb") as file:
            file.seek(begin)
            while begin < end:
                line = file.readline()
                begin += len(line)
                if not line or begin > end:
                    raise StorageError(path=str(path), reason="it is not what was written")
                yield _parsed(path, line, 0)
    except OSError as error:
        raise disk_error(path, error) from error


def _parsed(path: Path, line: bytes, number: int) -> tuple[str, dict[str, Any]]:
    text, record = "", None
    with suppress(ValueError, RecursionError):
        text = line.decode()
        record = json.loads(text)
    if not isinstance(record, dict):
        raise ConfigurationError(
            "directory", f"{path} is damaged: line {number} is no JSON object."
        )
    return text, record


def disk_error(path: Path, error: OSError) -> StorageError:
    """Say what the system says in our own words."""
    return StorageError(path=str(path), reason=error.strerror or type(error).__name__)
