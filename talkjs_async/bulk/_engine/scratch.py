"""Temporary files of a job, kept as long as its report."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from talkjs_async.bulk.errors import StorageError


class Scratch:
    """A directory that goes away with the last reference to this object."""

    def __init__(self) -> None:
        """
        Make one.

        Raises:
            StorageError: It cannot be made.
        """
        try:
            self.path: Path = Path(tempfile.mkdtemp(prefix="talkjs-job-"))
        except OSError as error:
            raise StorageError(
                path="the directory for temporary files",
                reason=f"{error.strerror or type(error).__name__} (the variable TMPDIR names it)",
            ) from error
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
