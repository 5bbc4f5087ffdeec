"""Places on the disk as callers name them."""

from __future__ import annotations

import os
from pathlib import Path

from talkjs_async.errors import ConfigurationError


def named_path(argument: str, value: str | os.PathLike[str]) -> Path:
    """
    Check what a caller gave for a path.

    Raises:
        ConfigurationError: It can be none.
    """
    try:
        path = Path(value)
    except TypeError:
        raise ConfigurationError(
            argument, f"must be a path (str, os.PathLike), not {type(value).__name__}."
        ) from None
    if "\0" in str(path):
        raise ConfigurationError(argument, "must be a path, which holds no NUL.")
    return path
