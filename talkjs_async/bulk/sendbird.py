"""
Moving from Sendbird: its data export becomes users, conversations and messages of TalkJS.

Source: the sample data and the field tables of TalkJS's own migration example (read 2026-11-22).
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

from talkjs_async._core.call import Lane
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.job_journal import JobJournal
from talkjs_async.bulk._engine.named_paths import named_path
from talkjs_async.bulk._engine.owner_thread import run_in_thread
from talkjs_async.bulk._engine.scratch import Scratch
from talkjs_async.bulk._engine.source_blocks import blocks_of
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._engine.store_stages import Stage, StoreStages
from talkjs_async.bulk._record_types.conversations import ConversationRecordType
from talkjs_async.bulk._record_types.imports import SETTLE, ImportRecordType
from talkjs_async.bulk._record_types.participants import ParticipantChange, ParticipantRecordType
from talkjs_async.bulk._record_types.users import UserRecordType
from talkjs_async.bulk.formats._rows import read_rows
from talkjs_async.bulk.formats.sendbird_export import is_text, sort_export
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._given_times import as_moment

__all__ = ["migrate_sendbird"]


def migrate_sendbird(
    talkjs: AsyncTalkJS,
    directory: str | os.PathLike[str],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    settle: float = SETTLE,
    dry_run: bool = False,
) -> Job:
    """
    Load Sendbird's data export (JSON) of users, group channels and messages.

    Users keep their ID, nickname (as name), picture, `metadata.emailId` (as e-mail address) and
    other metadata (as custom data); channels become conversations with URL (as ID), name (as
    subject), cover and members; text messages (`MESG`) keep sender, text and time, admin messages
    (`ADMM`) become system messages, which TalkJS's older rules do not know. Messages that were
    removed, in whichever of the files, are left out. Files, records without an ID, and lists that
    are none of these, such as open channels, are reported as failed. Senders who are no members
    take part during the import.

    Args:
        talkjs: The client.
        directory: Where the exported `.json` files are, also in directories below it.
        journal: A file to note in what was done, needed to go on after an interruption: without it
            a second run imports all messages again. None: a temporary one.
        job_id, lane: As in `upsert_users`.
        settle: As in `import_messages`.
        dry_run: As in `upsert_users`.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: The job raises it when there are no such files, or a bad one.
    """
    step = _Migration(named_path("directory", directory), settle)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane, dry_run=dry_run)


_NO_SENDER = "its sender is a user who could not be stored."


class _Migration(StoreStages):
    kind = "migrate_sendbird"
    _journal: JobJournal

    def __init__(self, directory: Path, settle: float) -> None:
        self._directory = directory
        self._import = ImportRecordType(settle=settle)
        self._scratch = Scratch()
        self._counts: Mapping[str, int] = {}

    async def run(self, context: JobContext) -> None:
        self._journal = context.journal
        await super().run(context)

    async def prepare(self) -> None:
        self._counts = await run_in_thread(partial(sort_export, self._directory, self._file))

    def stages(self) -> Sequence[Stage]:
        counts = self._counts
        return (
            Stage("user", UserRecordType(), self._users, counts["user"]),
            Stage("conversation", ConversationRecordType(), self._conversations, counts["channel"]),
            Stage("message", self._import, self._messages, counts["message"]),
            Stage("participant", ParticipantRecordType(), self._former_members, counts["former"]),
        )

    @property
    def _file(self) -> Path:
        return self._scratch.path / "sendbird"

    def _users(self) -> Iterator[object]:
        yield from self._problems("user")
        for (text,) in self._rows("SELECT item FROM user ORDER BY id"):
            yield _user(json.loads(text))

    async def _conversations(self) -> AsyncIterator[object]:
        async with aclosing(blocks_of(self._channels())) as blocks:
            async for block in blocks:
                failed = await self._failed_users(id_ for _, members in block for id_ in members)
                for channel, members in block:
                    if isinstance(channel, BadRecord):
                        yield channel
                    else:
                        kept = [user_id for user_id in members if user_id not in failed]
                        yield _conversation(*channel, kept)

    def _channels(self) -> Iterator[tuple[tuple[str, Mapping[str, Any]] | BadRecord, list[str]]]:
        for problem in self._problems("channel"):
            yield problem, []
        for id_, text in self._rows("SELECT id, item FROM channel ORDER BY id"):
            yield (id_, json.loads(text)), self._members(id_)

    async def _messages(self) -> AsyncIterator[object]:
        async with aclosing(blocks_of(self._sorted_messages())) as blocks:
            async for block in blocks:
                failed = await self._failed_users(sender for sender, _ in block)
                for sender, message in block:
                    if sender in failed and isinstance(message, Mapping):
                        yield BadRecord(id=message["id"], reason=_NO_SENDER)
                    else:
                        yield message

    def _sorted_messages(self) -> Iterator[tuple[str | None, Mapping[str, Any] | BadRecord]]:
        for problem in self._problems("message"):
            yield None, problem
        # IDs are numbers: of one millisecond, the lower one came first.
        query = (
            "SELECT id, channel_id, sender, item FROM message "
            "ORDER BY channel_id, sent_at, length(id), id"
        )
        for id_, channel_id, sender, text in self._rows(query):
            yield sender, _message(id_, channel_id, json.loads(text))

    async def _failed_users(self, ids: Iterable[str | None]) -> set[str]:
        """Return which users were not stored: what needs them alone shall fail, and no more."""
        return await self._journal.failed("user:", ids)

    def _former_members(self) -> Iterator[object]:
        query = (
            "SELECT channel_id, user_id, item FROM member JOIN channel ON channel_id = id "
            "WHERE NOT listed ORDER BY 1, 2"
        )
        for channel_id, user_id, text in self._rows(query):
            # When the conversation is stored anew, they are participants again.
            version = json.dumps(
                _conversation(channel_id, json.loads(text), self._members(channel_id))
            )
            yield ParticipantChange(channel_id, user_id, None, version)

    def _members(self, channel_id: str) -> list[str]:
        query = "SELECT user_id FROM member WHERE channel_id = ? ORDER BY user_id"
        return [user_id for (user_id,) in self._rows(query, (channel_id,))]

    def _problems(self, kind: str) -> Iterator[BadRecord]:
        query = "SELECT reason FROM problem WHERE kind = ? ORDER BY rowid"
        for (reason,) in self._rows(query, (kind,)):
            yield BadRecord(reason=reason)

    def _rows(self, query: str, arguments: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        # Opened anew each time: the generators run in changing worker threads.
        return read_rows(self._file, query, arguments)


def _user(user: Mapping[str, Any]) -> dict[str, Any]:
    id_ = user["user_id"]
    metadata = user.get("metadata")
    custom = (
        {key: _text_of(value) for key, value in metadata.items() if value is not None}
        if isinstance(metadata, dict)
        else {}
    )
    email = custom.pop("emailId", None)
    fields: dict[str, Any] = {"id": id_, "name": user.get("nickname") or user.get("name") or id_}
    # Members of a channel have their picture under another name.
    photo = user.get("profile_url") or user.get("image")
    if photo:
        fields["photo_url"] = photo
    if email:
        fields["email"] = [email]
    if custom:
        fields["custom"] = custom
    return fields


def _text_of(value: object) -> str:
    """Custom data is text; what Sendbird has as something else stays as its JSON says it."""
    return value if isinstance(value, str) else json.dumps(value)


def _conversation(id_: str, channel: Mapping[str, Any], members: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"id": id_, "participants": members}
    if channel.get("name"):
        fields["subject"] = channel["name"]
    if channel.get("cover_url"):
        fields["photo_url"] = channel["cover_url"]
    return fields


def _message(
    id_: str, channel_id: str, message: Mapping[str, Any]
) -> Mapping[str, Any] | BadRecord:
    is_admin = message.get("type") == "ADMM"
    if not is_admin and not is_text(message):
        kind = message.get("type")
        return BadRecord(reason=f"a message of type {kind!r} cannot be imported.", id=id_)
    try:
        sent_at = as_moment(message.get("created_at"))
    except ConfigurationError as error:
        return BadRecord(reason=str(error).replace("sent_at", "created_at", 1), id=id_)
    fields = {
        "id": id_,
        "conversation_id": channel_id,
        "text": message.get("message"),
        "sent_at": sent_at,
    }
    if is_admin:
        return {**fields, "type": "SystemMessage"}
    user = message.get("user")
    return {**fields, "sender": user.get("user_id") if isinstance(user, dict) else None}
