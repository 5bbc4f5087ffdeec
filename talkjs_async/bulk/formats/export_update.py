"""
Brings the files of an export up to date: what is newer replaces what is there, all at once.

The newer files are made in a directory of their own. Until they are whole, the old ones stay as
they are. Knows which lines belong to which conversation, nothing of TalkJS. Call it in a thread.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from talkjs_async._core.wire import utf8
from talkjs_async.bulk._engine.private_files import create_private, make_private_directory
from talkjs_async.bulk.formats.export_directory import MANIFEST, NAMES, REACTIONS, Manifest, file_of
from talkjs_async.bulk.formats.json_lines import Lines, check_lines, checked_lines, disk_error

__all__ = ["check_whole", "make_directory", "newer_files", "merge", "replace"]

_NEWER: Final = "newer"
_OWNER: Final = {
    "conversations": "id",
    "participants": "conversationId",
    "messages": "conversationId",
    REACTIONS: "conversationId",
}
"""The field with the conversation that a line belongs to."""


def newer_files(directory: Path) -> Path:
    """Where the newer files are made."""
    return directory / _NEWER


def make_directory(directory: Path) -> None:
    """Make the directory for the newer files, or find it."""
    try:
        make_private_directory(newer_files(directory))
    except OSError as error:
        raise disk_error(newer_files(directory), error) from error


def merge(directory: Path, earlier: Manifest, newer: Mapping[str, Lines]) -> dict[str, Lines]:
    """
    Make whole files of the earlier ones and the newer ones; return what is in each.

    All users are newer. A conversation that is newer is so with all its participants and messages.

    Args:
        earlier: What the files in *directory* have.
        newer: What the newer files have.

    Raises:
        ConfigurationError: The earlier files are not those that were written.
        StorageError: The disk is full, or a file cannot be read.
    """
    newer_directory = newer_files(directory)
    conversations = checked_lines(file_of(newer_directory, "conversations"), newer["conversations"])
    again = {record["id"] for _, record in conversations}
    merged = {"users": newer["users"]}
    for name, owner in _OWNER.items():
        if name not in newer:
            continue
        kept = (
            line
            for line, record in checked_lines(file_of(directory, name), earlier.files[name])
            if record.get(owner) not in again
        )
        path = _whole(directory, name)
        try:
            merged[name] = _write(path, kept, file_of(newer_directory, name))
        except OSError as error:
            raise disk_error(path, error) from error
    return merged


def check_whole(directory: Path, whole: Mapping[str, Lines]) -> None:
    """
    Check, when a run is resumed, that all whole files exist, in either directory.

    Raises:
        ConfigurationError: One is gone, or not what was written; the earlier ones stay.
    """
    for name, lines in whole.items():
        newer = _whole(directory, name)
        check_lines(newer if newer.exists() else file_of(directory, name), lines)


def replace(directory: Path) -> None:
    """Put the whole files in the place of the earlier ones; may be done again where it stopped."""
    newer_directory = newer_files(directory)
    try:
        # From here on they are neither the earlier ones nor the newer ones.
        (directory / MANIFEST).unlink(missing_ok=True)
        for name in (*NAMES, REACTIONS):
            newer = _whole(directory, name)
            if newer.exists():
                newer.replace(file_of(directory, name))
        shutil.rmtree(newer_directory, ignore_errors=True)
    except OSError as error:
        raise disk_error(directory, error) from error


def _whole(directory: Path, name: str) -> Path:
    newer_directory = newer_files(directory)
    return file_of(newer_directory, name) if name == "users" else newer_directory / f"{name}.whole"


def _write(path: Path, kept: Iterator[str], newer: Path) -> Lines:
    lines = Lines()
    path.unlink(missing_ok=True)
    create_private(path)
    with path.open("wb") as file:
        for line in _all(kept, newer):
            file.write(line)
            lines.add(line)
        file.flush()
        os.fsync(file.fileno())
    return lines


def _all(kept: Iterator[Any], newer: Path) -> Iterator[bytes]:
    for line in kept:
        yield utf8(line)
    with newer.open("rb") as file:
        yield from file
