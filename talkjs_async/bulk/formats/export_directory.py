"""
The directory of an export: which files there are, and what says that it is complete.

Knows names, counts and digests of lines, nothing of TalkJS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import attrs

from talkjs_async.bulk._engine.private_files import create_private, make_private_directory
from talkjs_async.bulk.formats.json_lines import Lines, disk_error, is_as_noted
from talkjs_async.errors import ConfigurationError

__all__ = [
    "MANIFEST",
    "Manifest",
    "JOURNAL",
    "NAMES",
    "REACTIONS",
    "file_of",
    "has",
    "prepare",
    "find",
    "conclude",
    "write_manifest",
    "read_manifest",
]

MANIFEST: Final = "export.json"
"""Written last: a directory that has it holds an export that came to its end."""
JOURNAL: Final = "export.journal"
"""There while the export is not complete."""
NAMES: Final = ("users", "conversations", "participants", "messages")
REACTIONS: Final = "reactions"
"""A further file, where they were asked for."""

_FORMAT: Final = "talkjs-async export"
_VERSION: Final = 4


def file_of(directory: Path, name: str) -> Path:
    """Where the lines of users, conversations, participants, messages or reactions are."""
    return directory / f"{name}.jsonl"


def has(folder: Path, place: Mapping[str, Any]) -> bool:
    """Tell whether a folder has what was noted of its files, in the order in which it was."""
    names = [name for name in (*NAMES, REACTIONS) if name in place]
    return all(is_as_noted(file_of(folder, name), place[name]) for name in names)


def prepare(directory: Path, app_id: str) -> Manifest | None:
    """
    Make the directory for an export, or find an earlier one in it.

    Args:
        app_id: The app that is to be exported.

    Returns:
        The manifest of a finished export. None: there is no export, or it was interrupted.

    Raises:
        ConfigurationError: It has something else in it, or an export of another app.
        StorageError: It cannot be made.
    """
    try:
        if directory.exists() and not directory.is_dir():
            raise ConfigurationError("directory", f"{directory} is a file: name a directory.")
        make_private_directory(directory)
        names = {
            path.name for path in directory.iterdir() if not path.name.startswith(f"{JOURNAL}-")
        }
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not directory.parent.exists():
            raise ConfigurationError("directory", f"{directory.parent} does not exist.") from None
        raise disk_error(directory, error) from error
    if names.isdisjoint({JOURNAL, MANIFEST}) and names:
        raise ConfigurationError(
            "directory", f"{directory} is not empty: name a new directory, or one to go on with."
        )
    return find(directory, app_id)


def find(directory: Path, app_id: str) -> Manifest | None:
    """Return what an export of the app that came to its end has, as `prepare` does."""
    try:
        if not (directory / MANIFEST).exists():
            return None
    except OSError as error:
        raise disk_error(directory, error) from error
    manifest = read_manifest(directory)
    if manifest.app_id != app_id:
        raise ConfigurationError(
            "directory",
            f"{directory} holds an export of the app {manifest.app_id}, and this is {app_id}: name "
            "another directory.",
        )
    return manifest


def conclude(directory: Path) -> None:
    """Remove the journal of a complete export."""
    try:
        (directory / JOURNAL).unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(directory / JOURNAL, error) from error


@attrs.frozen(kw_only=True)
class Manifest:
    """
    What `export.json` says.

    Attributes:
        app_id: The app that was exported.
        complete: Whether it was read as a whole. If not, it is one that was brought up to date.
        activity: The latest activity in any conversation when it began, in the server's
            milliseconds. None: there were no conversations.
        files: What is in each file.
    """

    app_id: str
    complete: bool
    activity: float | None
    files: Mapping[str, Lines]


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Say, as the last thing, that all is there."""
    content: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "appId": manifest.app_id,
        "complete": manifest.complete,
        "activity": manifest.activity,
        "files": {name: lines.noted for name, lines in manifest.files.items()},
    }
    content["digest"] = _digest(content)
    new = directory / f"{MANIFEST}.new"
    try:
        new.unlink(missing_ok=True)
        create_private(new)
        with new.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(directory / MANIFEST)
    except OSError as error:
        raise disk_error(new, error) from error


def _digest(content: Mapping[str, Any]) -> str:
    """Of what `export.json` says: a moment that has changed would have an update miss messages."""
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def read_manifest(directory: Path) -> Manifest:
    """
    Return the manifest of a finished export.

    Raises:
        ConfigurationError: *directory* has none, or one of another version.
    """
    path = directory / MANIFEST
    content: Any = None
    try:
        if not path.is_file():
            way_out = (
                ": run the export again to complete it" if (directory / JOURNAL).exists() else ""
            )
            raise ConfigurationError("directory", f"{directory} holds no complete export{way_out}.")
        with suppress(ValueError, RecursionError):
            content = json.loads(path.read_bytes())
    except OSError as error:
        raise disk_error(path, error) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ConfigurationError("directory", f"{path} is not that of an export.")
    version = content.get("version")
    if version != _VERSION:
        raise ConfigurationError(
            "directory", f"{path} is of format version {version!r}; this library reads {_VERSION}."
        )
    if content.pop("digest", None) != _digest(content):
        raise ConfigurationError("directory", f"{path} is damaged: it is not what was written.")
    try:
        return Manifest(
            app_id=str(content["appId"]),
            complete=content["complete"] is True,
            activity=None if content["activity"] is None else float(content["activity"]),
            files={
                name: Lines.of(content["files"][name])
                for name in (*NAMES, REACTIONS)
                if name in content["files"] or name != REACTIONS
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError("directory", f"{path} is damaged.") from error
