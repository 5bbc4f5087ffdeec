"""Users in bulk: 100 with one request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from talkjs_async._core.call import Lane
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.source_blocks import Source
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._engine.store_records import StoreRecords
from talkjs_async.bulk._record_types.users import UserRecordType
from talkjs_async.client import AsyncTalkJS
from talkjs_async.models.users import User, UserInput

__all__ = ["UserRecord", "upsert_users"]

UserRecord: TypeAlias = (
    Mapping[str, Any] | tuple[str, UserInput | Mapping[str, Any]] | User | BadRecord
)


def upsert_users(
    talkjs: AsyncTalkJS,
    source: Source[UserRecord] | Mapping[str, UserInput | Mapping[str, Any]],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    total: int | None = None,
    dry_run: bool = False,
) -> Job:
    """
    Create or change any number of users, 100 with one request.

    Args:
        talkjs: The client.
        source: Users, each as a mapping with "id" and the fields of `UserInput` (in Python's or
            TalkJS's spelling), as a pair of ID and `UserInput` or mapping, or as a `User`; or one
            mapping of IDs to either. Fields that are not given stay as they are at TalkJS.
        journal: A file to note in what was done. With it, a job that was interrupted in any way
            goes on where it was, and the next run over a newer source sends only what has changed.
            None: a temporary one.
        job_id: A name for the job, kept in the journal. None: a random one.
        lane: Which calls of the app go first, those of others ("background") or these.
        total: How many users the source has. None: unknown, unless the source has a length.
        dry_run: Send nothing, and leave the journal as it is: the report says what would be sent
            ("planned"), with how many requests, and how long the budget would make that take.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: *source* is no iterable, or an argument breaks its rule.
    """
    step = StoreRecords(UserRecordType(), source, total=total)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane, dry_run=dry_run)
