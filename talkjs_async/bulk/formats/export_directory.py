"""
The directory of an export: which files there are, and what says that it is complete.

Knows names and counts of lines, nothing of TalkJS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from talkjs_async.bulk.formats.json_lines import disk_error
from talkjs_async.errors import ConfigurationError

__all__ = [
    "MANIFEST",
    "JOURNAL",
    "NAMES",
    "file_of",
    "prepare",
    "conclude",
    "write_manifest",
    "read_manifest",
]

MANIFEST: Final = "export.json"
"""Written last: a directory that has it holds a complete export."""
JOURNAL: Final = "export.journal"
"""There while the export is not complete."""
NAMES: Final = ("users", "conversations", "participants", "messages")

_FORMAT: Final = "talkjs-async export"
_VERSION: Final = 1


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
        names = {path.name for path in target.iterdir() if not path.name.startswith(f"{JOURNAL}-")}
    except FileNotFoundError:
        raise ConfigurationError("target", f"{target.parent} does not exist.") from None
    except OSError as error:
        raise disk_error(target, error) from error
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
        raise disk_error(new, error) from error


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
