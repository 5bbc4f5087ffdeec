"""Files and directories that only their owner may read, since they hold what people wrote."""

from __future__ import annotations

import os
from pathlib import Path


def create_private(path: Path) -> None:
    """Make an empty file that others may neither read nor write. FileExistsError: it is there."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def make_private_directory(path: Path) -> None:
    """Make a directory that others may not look into. One that is there stays as it is."""
    path.mkdir(mode=0o700, exist_ok=True)
