"""
The directory of an export: which files there are, how they grow, and how they are read.

Knows lines and places, nothing of TalkJS. What was written behind the noted place is cut off when
an interrupted export goes on, so a file never has half a line or a line twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from talkjs_async.bulk.errors import StorageError
from talkjs_async.errors import ConfigurationError

MANIFEST: Final = "export.json"
"""Written last: a directory that has it holds a complete export."""
JOURNAL: Final = "export.journal"
"""There while the export is not complete."""
NAMES: Final = ("users", "conversations", "participants", "messages")

_FORMAT: Final = "talkjs-async export"
_VERSION: Final = 1

_BLOCK: Final = 1 << 16
"""Bytes that are read at a time."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def file_of(target: Path, name: str) -> Path:
    """Where the lines of users, conversations, participants or messages are."""
    return target / f"{name}.jsonl"


def prepare(target: Path) -> None:
    """
    Make the directory for an export, or find an interrupted one in it.

    Raises:
        ConfigurationError: It is not empty, and not an export that was interrupted.
        StorageError: It cannot be made.
    """
    if target.exists() and not target.is_dir():
        raise ConfigurationError("target", f"{target} is a file: name a directory.")
    try:
        target.mkdir(exist_ok=True)
        names = {path.name for path in target.iterdir()}
    except FileNotFoundError:
        raise ConfigurationError("target", f"{target.parent} does not exist.") from None
    except OSError as error:
        raise StorageError(path=str(target), reason=_words(error)) from error
    if names and JOURNAL not in names:
        raise ConfigurationError(
            "target", f"{target} is not empty: name a new directory, or one to go on with."
        )


def conclude(target: Path) -> None:
    """Remove the journal of a complete export."""
    (target / JOURNAL).unlink(missing_ok=True)


def write_manifest(target: Path, app_id: str, lines: Mapping[str, int]) -> None:
    """Say, as the last thing, that all is there: how many lines each file has."""
    manifest = {"format": _FORMAT, "version": _VERSION, "appId": app_id, **lines}
    new = target / f"{MANIFEST}.new"
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(json.dumps(manifest, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(target / MANIFEST)
    except OSError as error:
        raise StorageError(path=str(new), reason=_words(error)) from error


def read_manifest(target: Path) -> dict[str, int]:
    """
    Return how many lines each file of a complete export has.

    Raises:
        ConfigurationError: There is no complete export in *target*, or that of a newer version.
    """
    path = target / MANIFEST
    if not path.is_file():
        way_out = ": run the export again to complete it" if (target / JOURNAL).exists() else ""
        raise ConfigurationError("target", f"{target} holds no complete export{way_out}.")
    try:
        manifest = json.loads(path.read_bytes())
        format_, version = manifest["format"], manifest["version"]
        lines = {name: int(manifest[name]) for name in NAMES}
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ConfigurationError("target", f"{path} is not that of an export.") from error
    if (format_, version) != (_FORMAT, _VERSION):
        raise ConfigurationError(
            "target", f"{path} is of format {format_!r}, {version}, which this version cannot read."
        )
    return lines


def lines_of(target: Path, name: str) -> Iterator[dict[str, Any]]:
    """
    Read the lines of users, conversations, participants or messages.

    Raises:
        ConfigurationError: One of them was damaged.
    """
    path = file_of(target, name)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            yield _parsed(path, line, f"line {number}")


def lines_backwards(target: Path, name: str) -> Iterator[dict[str, Any]]:
    """Read the lines from the end of their file, a block at a time; see `lines_of`."""
    path = file_of(target, name)
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
            raise StorageError(path=str(path), reason=_words(error)) from error

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write a line per record."""
        lines = [_encode(record).encode() + b"\n" for record in records]
        data = b"".join(lines)
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise StorageError(path=str(self.path), reason=_words(error)) from error
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
            raise StorageError(path=str(self.path), reason=_words(error)) from error


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
