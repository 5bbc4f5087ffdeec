"""An export, loaded into another app."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from talkjs_async._core.wire import UNSET
from talkjs_async.bulk._engine.job import Job
from talkjs_async.bulk._engine.owner_thread import run_in_thread
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._engine.store_stages import Stage, StoreStages
from talkjs_async.bulk._record_types.conversations import ConversationRecordType
from talkjs_async.bulk._record_types.imports import SETTLE, ImportRecordType
from talkjs_async.bulk._record_types.participants import ParticipantChange, ParticipantRecordType
from talkjs_async.bulk._record_types.users import UserRecordType
from talkjs_async.bulk.formats.export_directory import file_of, read_manifest
from talkjs_async.bulk.formats.json_lines import read_lines, read_lines_backwards
from talkjs_async.client import AsyncTalkJS
from talkjs_async.limits import Lane
from talkjs_async.models._requests import ParticipationInput

__all__ = ["restore"]


def restore(
    talkjs: AsyncTalkJS,
    target: str | os.PathLike[str],
    *,
    journal: str | os.PathLike[str] | None = None,
    job_id: str | None = None,
    lane: Lane = "background",
    settle: float = SETTLE,
) -> Job:
    """
    Load what `export` has written into an app, which should be empty.

    IDs of users and conversations, participants and their settings, texts, times, readers and
    custom data of messages come back as they were. TalkJS's import takes only messages of
    participants that have a text: system messages, files and places are reported as failed. Those
    who wrote and have left take part while their messages are imported, and leave again. Message
    IDs, references, reactions and edits are lost, and times of users and conversations are new.

    Args:
        talkjs: The client of the app that gets it all.
        target: The directory of a complete export.
        journal: A file to note in what was done, needed to go on after an interruption: without it
            a second run imports all messages again. None: a temporary one.
        job_id, lane: As in `upsert_users`.
        settle: As in `import_messages`.

    Returns:
        The job; await it.

    Raises:
        ConfigurationError: The job raises it when *target* holds no complete export.
    """
    step = _Restore(Path(target), settle)
    return Job(step, talkjs, journal=journal, job_id=job_id, lane=lane)


class _Restore(StoreStages):
    kind = "restore"

    def __init__(self, target: Path, settle: float) -> None:
        self._target = target
        self._import = ImportRecordType(settle=settle)
        self._lines: Mapping[str, int] = {}

    async def prepare(self) -> None:
        self._lines = await run_in_thread(partial(read_manifest, self._target))

    def stages(self) -> Sequence[Stage]:
        lines = self._lines
        return (
            Stage("user", UserRecordType(), self._users, lines["users"]),
            Stage(
                "conversation",
                ConversationRecordType(),
                self._conversations,
                lines["conversations"],
            ),
            Stage("message", self._import, self._messages, lines["messages"]),
            # Last: a participant who may only read, or has left, could not have written.
            Stage("participant", ParticipantRecordType(), self._participants, 0),
        )

    def _users(self) -> Iterator[object]:
        for user in read_lines(file_of(self._target, "users")):
            yield _given(user, _USER_FIELDS)

    def _conversations(self) -> Iterator[object]:
        for conversation, participants, former in self._people():
            users = [participant["userId"] for participant in participants]
            fields = _given(conversation, _CONVERSATION_FIELDS)
            yield {**fields, "participants": [*users, *former]}

    def _messages(self) -> Iterator[object]:
        # Backwards, since each conversation stands there with its newest message first.
        for message in read_lines_backwards(file_of(self._target, "messages")):
            yield _old_message(message)

    def _participants(self) -> Iterator[object]:
        for conversation, participants, former in self._people():
            id_ = conversation["id"]
            for participant in participants:
                settings = _settings(participant)
                if settings is not None:
                    yield ParticipantChange(id_, participant["userId"], settings)
            for user_id in former:
                yield ParticipantChange(id_, user_id, None)

    def _people(self) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], list[str]]]:
        """Go through the conversations, with participants, and with others who wrote there."""
        participants = _Groups(read_lines(file_of(self._target, "participants")))
        messages = _Groups(read_lines(file_of(self._target, "messages")))
        for conversation in read_lines(file_of(self._target, "conversations")):
            there = list(participants.of(conversation["id"]))
            senders = {message["senderId"] for message in messages.of(conversation["id"])}
            former = senders - {participant["userId"] for participant in there} - {None}
            yield conversation, there, sorted(former)


class _Groups:
    """Lines of one conversation after another, in the order of the list of conversations."""

    def __init__(self, lines: Iterable[dict[str, Any]]) -> None:
        self._groups = groupby(lines, lambda line: line["conversationId"])
        self._next = next(self._groups, None)

    def of(self, conversation_id: str) -> Iterator[dict[str, Any]]:
        """Return the lines of a conversation. Use them up before asking for the next."""
        if self._next is not None and self._next[0] == conversation_id:
            yield from self._next[1]
            self._next = next(self._groups, None)


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
