"""An export, loaded into another app."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from talkjs_async._core.endpoint import call_of
from talkjs_async._core.wire import UNSET
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.named_paths import named_path
from talkjs_async.bulk._engine.owner_thread import run_in_thread
from talkjs_async.bulk._engine.scratch import Scratch
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._engine.store_stages import Stage, StoreStages
from talkjs_async.bulk._record_types.conversations import ConversationRecordType
from talkjs_async.bulk._record_types.imports import SETTLE, ImportRecordType
from talkjs_async.bulk._record_types.participants import (
    ParticipantChange,
    ParticipantRecordType,
    participant_name,
)
from talkjs_async.bulk._record_types.users import UserRecordType
from talkjs_async.bulk.formats.sorted_export import SortedExport
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError
from talkjs_async.limits import Lane
from talkjs_async.models._bodies import ParticipationInput

__all__ = ["restore"]


def restore(
    talkjs: AsyncTalkJS,
    target: str | os.PathLike[str],
    *,
    into_existing: bool = False,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    settle: float = SETTLE,
    dry_run: bool = False,
) -> Job:
    """
    Load what `export` has written into an app, which should be empty.

    The files are compared with what `export.json` says of them before anything is sent; the order
    of their lines does not matter. IDs of users and conversations, participants and their settings,
    texts, times, readers and custom data of messages come back as they were. TalkJS's import takes
    only messages of participants that have a text: system messages, files and places are reported
    as failed. Those who wrote and have left take part while their messages are imported, and leave
    again. Message IDs, references, reactions and edits are lost, and times of users and
    conversations are new.

    Args:
        talkjs: The client of the app that gets it all.
        target: The directory of a complete export.
        into_existing: Whether the app may have users or conversations already. Messages that are
            there, of the same backup perhaps, are there twice then.
        journal: A file to note in what was done, needed to go on after an interruption. None: a
            temporary one.
        job_id, lane: As in `upsert_users`.
        settle: As in `import_messages`.
        dry_run: As in `upsert_users`.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: The job raises it when *target* holds no complete export, or a damaged
            one, and when the app is not empty.
    """
    step = _Restore(named_path("target", target), settle, into_existing=into_existing)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane, dry_run=dry_run)


class _Restore(StoreStages):
    kind = "restore"

    def __init__(self, target: Path, settle: float, *, into_existing: bool) -> None:
        self._target = target
        self._into_existing = into_existing
        self._import = ImportRecordType(settle=settle)
        self._scratch = Scratch()

    async def prepare(self) -> None:
        self._export = await run_in_thread(self._read)

    def _read(self) -> SortedExport:
        export = SortedExport.of(self._target, self._scratch.path / "export")
        lines = export.manifest.files
        counts = [lines[name].count for name in ("users", "conversations", "messages")]
        # Those of participants that have nothing to be set are no records.
        participants = sum(1 for _ in _participants(export))
        self._counts = (*counts, participants)
        return export

    async def run(self, context: JobContext) -> None:
        # Once: what a later pass finds there is what the first one has sent.
        if context.journal.place is None:
            if not self._into_existing:
                await self._check_empty(context)
            await context.journal.move({"begun": True})
        await super().run(context)

    async def _check_empty(self, context: JobContext) -> None:
        for name in ("users", "conversations"):
            method = getattr(context.talkjs, name).list
            if (await context.read(call_of(method, page_size=1))).items:
                app_id = context.talkjs.app_id
                own = " (it is the one that was exported)"
                raise ConfigurationError(
                    "into_existing",
                    f"the app {app_id}{own if app_id == self._export.manifest.app_id else ''} has "
                    f"{name} already, and messages that it has would be there twice: restore into "
                    "an empty app, or pass into_existing=True (--into-existing).",
                )

    def stages(self) -> Sequence[Stage]:
        export = self._export
        users, conversations, messages, participants = self._counts
        return (
            Stage("user", UserRecordType(), lambda: _users(export), users),
            Stage(
                "conversation",
                ConversationRecordType(),
                lambda: _conversations(export),
                conversations,
            ),
            Stage("message", self._import, lambda: _messages(export), messages),
            # Last: a participant who may only read, or has left, could not have written.
            Stage(
                "participant", ParticipantRecordType(), lambda: _participants(export), participants
            ),
        )


def _users(export: SortedExport) -> Iterator[object]:
    for user in export.users():
        yield _given(user, _USER_FIELDS)


def _conversations(export: SortedExport) -> Iterator[object]:
    for conversation in export.conversations():
        id_ = conversation["id"]
        users = [participant["userId"] for participant in export.participants_of(id_)]
        fields = _given(conversation, _CONVERSATION_FIELDS)
        yield {**fields, "participants": [*users, *export.former_participants_of(id_)]}


def _messages(export: SortedExport) -> Iterator[object]:
    for message in export.messages():
        yield _old_message(message)
    for message in export.lost_messages():
        yield BadRecord(
            reason="its conversation or its sender is not in the export.", id=message["id"]
        )


def _participants(export: SortedExport) -> Iterator[object]:
    for conversation in export.conversations():
        id_ = conversation["id"]
        for participant in export.participants_of(id_):
            settings = _settings(participant)
            if settings is not None:
                yield ParticipantChange(id_, participant["userId"], settings)
        for user_id in export.former_participants_of(id_):
            yield ParticipantChange(id_, user_id, None)
    for participant in export.lost_participants():
        reason = "the participant's conversation or user is not in the export."
        yield BadRecord(
            reason=reason, id=participant_name(participant["conversationId"], participant["userId"])
        )


_USER_FIELDS: Final = (
    "id",
    "name",
    "email",
    "phone",
    "photoUrl",
    "welcomeMessage",
    "locale",
    "role",
    "availabilityText",
    "custom",
    "pushTokens",
)
_CONVERSATION_FIELDS: Final = ("id", "subject", "photoUrl", "welcomeMessages", "custom")


def _given(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    fields = {name: record.get(name) for name in names}
    if fields.get("role") == "default":
        # What TalkJS answers for users without a role (documented sample).
        del fields["role"]
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def _old_message(message: Mapping[str, Any]) -> Mapping[str, Any] | BadRecord:
    id_ = message["id"]
    if message.get("type") != "UserMessage":
        return BadRecord(reason="a system message cannot be imported.", id=id_)
    if message.get("text") is None or message.get("attachment") is not None:
        return BadRecord(reason="only a text can be imported, no file and no place.", id=id_)
    fields = {
        "id": id_,
        "conversation_id": message["conversationId"],
        "sender": message["senderId"],
        "text": message["text"],
        "sent_at": message["createdAt"],
        "read_by": message.get("readBy") or (),
    }
    return {**fields, "custom": message["custom"]} if message.get("custom") else fields


def _settings(participant: Mapping[str, Any]) -> ParticipationInput | None:
    """Return what has to be said of a participant. None: they have the defaults."""
    access, notify = participant.get("access", "ReadWrite"), participant.get("notify", True)
    if access == "ReadWrite" and notify is True:
        return None
    return ParticipationInput(
        access=UNSET if access == "ReadWrite" else access,
        notify=UNSET if notify is True else notify,
    )
