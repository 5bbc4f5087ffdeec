"""One user's personal data, overwritten everywhere, as TalkJS's own script for it does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import anyio.to_thread
import attrs

from talkjs_async._core.call import Lane, path
from talkjs_async._core.endpoint import call_of
from talkjs_async._core.wire import checked_flag, is_real
from talkjs_async.bulk._engine.flow import store
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.job_journal import forget_record
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.report import BulkReport
from talkjs_async.bulk._engine.source_blocks import SourceBlocks
from talkjs_async.bulk._engine.source_records import BadRecord, Record, make_record
from talkjs_async.bulk._engine.step import Step
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, NotFound, shown

__all__ = ["anonymise_user", "anonymise_vanished"]

_DELETED: Final = "[DELETED]"
"""What TalkJS's script writes in place of names and texts."""


def anonymise_user(
    talkjs: AsyncTalkJS,
    user_id: str,
    *,
    conversations: bool = False,
    everyones_messages: bool = False,
    dry_run: bool = False,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
) -> Job:
    """
    Overwrite a user's personal data. There is no way back.

    TalkJS cannot delete a user. The name becomes "[DELETED]" and all other fields are cleared;
    in the conversations the user takes part in, the texts of the user's messages become "[DELETED]"
    and their custom data is cleared. Conversations that the user has left are not found. The steps
    are those of TalkJS's own example.

    Args:
        talkjs: The client.
        user_id: The user.
        conversations: Whether to overwrite the subject, picture, welcome messages and custom data
            of the user's conversations, too.
        everyones_messages: Whether to overwrite the messages of all others in these conversations.
        dry_run: Change nothing. The records of the report have the outcome "planned" then:
            "user alice", "conversation c1", "message c1 msg_1".
        journal: A file to note in what was done. None: a temporary one; running the job again is
            harmless in any case.
        job_id, lane: As in `upsert_users`.

    Returns:
        The job; await it. It raises NotFound if there is no such user.

    Raises:
        ConfigurationError: *user_id* is no ID.
    """
    path("users", user_id=user_id)
    step = _Anonymise(
        user_id,
        conversations=checked_flag("conversations", conversations),
        everyones_messages=checked_flag("everyones_messages", everyones_messages),
    )
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane, dry_run=dry_run)


async def anonymise_vanished(
    talkjs: AsyncTalkJS, report: BulkReport, *, max_share: float = 0.05
) -> tuple[str, ...]:
    """
    Overwrite the personal data of the users that a source of `upsert_users` no longer has.

    They are what `BulkReport.vanished` names, and are anonymised as by `anonymise_user`, one after
    the other; the journal forgets each. Users who came to TalkJS in another way are left alone.

    Args:
        talkjs: The client.
        report: Of a run of `upsert_users` with a journal, read before the next.
        max_share: The largest part of the journal's users that may vanish at a time. More is more
            often a wrong query than a wave of departures.

    Returns:
        Who was anonymised. A user who could not be wholly is not, and comes again the next time.

    Raises:
        ConfigurationError: More have vanished, what has vanished cannot be told, or *report* is
            that of another job. Nothing was overwritten.
    """
    if report.kind != "upsert_users" or report.journal is None:
        raise ConfigurationError("report", "must be that of upsert_users with a journal.")
    if not is_real(max_share) or not 0 <= max_share <= 1:
        raise ConfigurationError("max_share", f"must be between 0 and 1, not {shown(max_share)}.")
    vanished = await anyio.to_thread.run_sync(list[str], report.vanished())
    known = len(vanished) + report.done + report.unchanged + report.failed + report.unknown
    if len(vanished) > max_share * known:
        raise ConfigurationError(
            "max_share",
            f"is {max_share:g}, and {len(vanished)} of {known} users have vanished: look into the "
            "source, and pass a larger max_share if that is right.",
        )
    forgotten = []
    for user_id in vanished:
        try:
            done = (await anonymise_user(talkjs, user_id)).ok
        except NotFound:
            # It was never stored.
            done = True
        if done:
            await anyio.to_thread.run_sync(forget_record, report.journal, user_id)
            forgotten.append(user_id)
    return tuple(forgotten)


@attrs.frozen
class _Overwrite:
    """Something to overwrite: the user, a conversation, or a message in one."""

    user_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None

    @property
    def name(self) -> str:
        if self.user_id is not None:
            return f"user {self.user_id}"
        if self.message_id is not None:
            return f"message {self.conversation_id} {self.message_id}"
        return f"conversation {self.conversation_id}"


class _OverwriteRecordType(RecordType[_Overwrite]):
    kind = "anonymise_user"
    per_request = 1
    window = 200

    def __init__(self, run: int) -> None:
        # What an earlier run has overwritten, and is not clean now, has been written to again.
        self._run = run

    def read(self, thing: object, number: int) -> Record[_Overwrite] | BadRecord:
        assert isinstance(thing, _Overwrite)  # noqa: S101 - the source is our own
        return make_record(thing.name, number, thing, [thing.name, self._run])

    async def send(
        self, context: JobContext, records: Sequence[Record[_Overwrite]]
    ) -> Sequence[str | None]:
        overwrite = records[0].value
        talkjs = context.talkjs
        if overwrite.user_id is not None:
            cleared: dict[str, Any] = dict.fromkeys(_CLEARED_OF_USER)
            await talkjs.users.upsert(overwrite.user_id, name=_DELETED, **cleared)
        elif overwrite.conversation_id is not None and overwrite.message_id is not None:
            await talkjs.messages.edit(
                overwrite.conversation_id,
                message_id=overwrite.message_id,
                text=_DELETED,
                custom=None,
            )
        elif overwrite.conversation_id is not None:
            await talkjs.conversations.upsert(
                overwrite.conversation_id,
                subject=_DELETED,
                photo_url=None,
                welcome_messages=None,
                custom=None,
            )
        return [None]


_CLEARED_OF_USER: Final = (
    "email",
    "phone",
    "photo_url",
    "welcome_message",
    "locale",
    "role",
    "availability_text",
    "custom",
    "push_tokens",
)


class _Anonymise(Step):
    kind = _OverwriteRecordType.kind

    def __init__(self, user_id: str, *, conversations: bool, everyones_messages: bool) -> None:
        self._user_id = user_id
        self._conversations = conversations
        self._everyones_messages = everyones_messages

    async def run(self, context: JobContext) -> None:
        blocks: SourceBlocks[object] = SourceBlocks(self._overwrites(context))
        await store(context, _OverwriteRecordType(context.journal.first_pass), blocks)

    async def _overwrites(self, context: JobContext) -> AsyncIterator[_Overwrite]:
        talkjs = context.talkjs
        # A user who does not exist must not come into being by being overwritten.
        await context.read(call_of(talkjs.users.get, self._user_id))
        yield _Overwrite(user_id=self._user_id)
        # In this order, overwriting messages moves no conversation.
        mine = context.all(
            talkjs.users.list_conversations,
            self._user_id,
            order_by="createdAt",
            order_direction="ASC",
        )
        async for conversation in mine:
            if self._conversations:
                yield _Overwrite(conversation_id=conversation.id)
            async for message in context.all(talkjs.messages.list, conversation.id):
                is_theirs = message.sender_id == self._user_id
                is_clean = message.text == _DELETED and not message.custom
                if (is_theirs or self._everyones_messages) and not is_clean:
                    yield _Overwrite(conversation_id=conversation.id, message_id=message.id)
