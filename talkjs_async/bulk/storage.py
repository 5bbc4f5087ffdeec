"""The one error of a disk that does not do what a job needs."""

from __future__ import annotations

from talkjs_async.errors import TalkJSError


class StorageError(TalkJSError):
    """
    A journal or an export cannot be read or written: the disk is full, or a file was damaged.

    The job has stopped, and what was done before is noted: make room and run it again.

    Attributes:
        path: The file.
        reason: What the system or SQLite says.
    """

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(
            f"{path} cannot be used: {reason}. Nothing is lost: put that right and run the job "
            "again, it goes on where it was."
        )
        self.path = path
        self.reason = reason
