"""Errors of bulk jobs: a disk that does not do what is needed, and records that failed."""

from __future__ import annotations

from talkjs_async.errors import TalkJSError

__all__ = ["RecordsFailed", "StorageError"]


class StorageError(TalkJSError):
    """
    A journal or an export cannot be read or written: the disk is full, or a file was damaged.

    The job has stopped. What was done before is noted, unless the journal itself was damaged: make
    room and run it again.

    Attributes:
        path: The file.
        reason: What the system or SQLite says.
        damaged: Whether what the file had is gone.
    """

    def __init__(self, *, path: str, reason: str, damaged: bool = False) -> None:
        way_out = (
            "Get it from a backup: a new one knows of nothing that was sent before."
            if damaged
            else "Nothing is lost: put that right and run the job again, it goes on where it was."
        )
        super().__init__(f"{path} cannot be used: {reason}. {way_out}")
        self.path = path
        self.reason = reason
        self.damaged = damaged


class RecordsFailed(TalkJSError):
    """
    A job has come to its end, and not all of its records are stored; see its report.

    Attributes:
        kind: The job, such as "upsert_users".
    """

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(f"{kind}: {what}")
        self.kind = kind
