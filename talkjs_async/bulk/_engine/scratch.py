"""Temporary files of a job, kept as long as its report."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path


class Scratch:
    """A directory that goes away with the last reference to this object."""

    def __init__(self) -> None:
        self.path: Path = Path(tempfile.mkdtemp(prefix="talkjs-job-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
