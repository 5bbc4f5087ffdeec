"""Checks of the paths that callers pass."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from talkjs_async.errors import ConfigurationError

_MOST_IN_A_NAME: Final = 255
_MOST_IN_A_PATH: Final = 4_095
"""Bytes that Linux allows. Other systems allow less, and raise errors of their own."""


def check_file(argument: str, path: Path) -> None:
    """
    Check that a path names a file whose bytes can be read twice.

    Raises:
        ConfigurationError: It does not exist, is not a file, or cannot be checked.
    """
    try:
        if path.is_file():
            return
        if path.is_dir():
            what = "is a directory: name a file in it."
        elif path.exists():
            what = "is a pipe or a device, but must be read twice: save it as a file first."
        else:
            what = "does not exist."
    except OSError as error:
        reason = error.strerror or type(error).__name__
        what = f"cannot be read: {reason}. Name one that can be."
    raise ConfigurationError(argument, f"{path} {what}")


def named_path(argument: str, value: str | os.PathLike[str]) -> Path:
    """
    Check a path that a caller passed.

    Raises:
        ConfigurationError: It cannot be a path.
    """
    try:
        path = Path(value)
    except TypeError:
        raise ConfigurationError(
            argument, f"must be a path (str, os.PathLike), not {type(value).__name__}."
        ) from None
    if "\0" in str(path):
        raise ConfigurationError(argument, "must be a path without a NUL.")
    try:
        longest = max(map(len, map(os.fsencode, path.parts)), default=0)
    except UnicodeEncodeError:
        raise ConfigurationError(
            argument, "must be a path without half of a surrogate pair."
        ) from None
    if longest > _MOST_IN_A_NAME or len(os.fsencode(path)) > _MOST_IN_A_PATH:
        raise ConfigurationError(
            argument,
            f"must be a path of at most {_MOST_IN_A_PATH:,} bytes, {_MOST_IN_A_NAME} in each name.",
        )
    if not path.is_absolute():
        try:
            os.getcwd()  # noqa: PTH109 - Path.cwd() says no more
        except OSError:
            raise ConfigurationError(
                argument,
                f"{path} is relative to the current directory, which is gone: name an absolute "
                "path.",
            ) from None
    return path
