"""
Stores the records of a sorted export in an app, some conversations at a time.

First the users; then, for each lot of conversations, files and the conversations themselves,
messages, reactions, and last the settings of participants: one who may only read, or has left,
could not have written. What depends on a record that was not stored is not sent.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from functools import partial
from itertools import chain
from typing import Any, Final

import attrs

from talkjs_async.bulk._copying.message_ids import MessageIds
from talkjs_async.bulk._copying.stored_forms import (
    DEFAULT_PARTICIPATION,
    copied_file,
    copied_message,
    file_name,
    participation,
    stored_conversation,
    stored_user,
    urls_of,
)
from talkjs_async.bulk._engine.flow import stage_tally, store
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.journal_schema import RecordRow, RecordState
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.source_blocks import Source, SourceBlocks, blocks_of
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._record_types.copies import (
    PARTICIPANTS,
    CopiedConversationRecordType,
    CopiedRecord,
    CopiedUserRecordType,
    stored_names,
)
from talkjs_async.bulk._record_types.files import FileRecordType
from talkjs_async.bulk._record_types.imports import ImportRecordType
from talkjs_async.bulk._record_types.participants import (
    ParticipantChange,
    ParticipantRecordType,
    participant_name,
)
from talkjs_async.bulk._record_types.reactions import (
    CopiedReaction,
    ReactionRecordType,
    reaction_name,
)
from talkjs_async.bulk.formats.sorted_export import Chunk, SortedExport
from talkjs_async.errors import ConfigurationError

_NO_FILES: Final = "it carries a file, and files are not in an export."


class AppWriter:
    """Stores the records of an export in an app."""

    def __init__(
        self,
        context: JobContext,
        export: SortedExport,
        *,
        settle: float,
        conversations: RecordType[Any] | None = None,
        files: FileRecordType | None = None,
        there: Callable[[str], bool] | None = None,
        readers: bool = False,
        reactions: bool = True,
    ) -> None:
        """
        Say what to store where.

        Args:
            settle: As in `import_messages`.
            conversations: What is special about them in this job.
            files: How files are copied. None: they are not.
            there: Whether a conversation is in the app already, and not by this job.
            readers, reactions: See `copied_message`.
        """
        self._context = context
        self._export = export
        self._there = there
        self._readers = readers
        self._with_reactions = reactions
        self._types: dict[str, RecordType[Any]] = {
            "user": CopiedUserRecordType(),
            **({} if files is None else {"file": files}),
            "conversation": conversations or CopiedConversationRecordType(),
            "message": ImportRecordType(settle=settle),
            "reaction": ReactionRecordType(),
            "participant": ParticipantRecordType(),
        }
        self._ids = MessageIds(context, export)

    def expect(self, totals: Mapping[str, int | None]) -> None:
        """Say how many records of each type there are; None: unknown."""
        for name, record_type in self._types.items():
            stage_tally(self._context, record_type, f"{name}:").total = totals.get(name, 0)

    async def users(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Store users."""
        await self._store("user", self._users(iter(users)))

    async def files(self, chunk: Chunk) -> None:
        """Copy the files of some conversations."""
        if "file" in self._types:
            await self._store("file", (copied_file(*one) for one in self._export.files(chunk)))

    async def conversations(self, chunk: Chunk) -> None:
        """Store some conversations, with all who take part or have written."""
        await self._store("conversation", self._conversations(chunk))

    async def messages(self, chunk: Chunk) -> None:
        """Import the messages of some conversations that are stored."""
        await self._store("message", self._messages(chunk))

    async def reactions(self, chunk: Chunk) -> None:
        """Store the reactions to messages that are stored."""
        await self._store("reaction", self._reactions(chunk))

    async def participants(self, chunk: Chunk) -> None:
        """Store the settings of participants, when all else of their conversations is stored."""
        await self._store("participant", self._participants(chunk))

    async def lost(self) -> None:
        """Report what belongs to no conversation or user of the export."""
        await self._store("message", self._lost_messages())
        await self._store("reaction", self._lost_reactions())
        await self._store("participant", self._lost_participants())

    async def _store(self, name: str, source: Source[object]) -> None:
        if self._context.stopping:
            return
        blocks: SourceBlocks[object] = SourceBlocks(source, in_thread=True)
        await store(self._context, self._types[name], blocks, prefix=f"{name}:")
        tally = stage_tally(self._context, self._types[name], f"{name}:")
        if tally.total is not None:
            # What earlier runs have stored may have to be said anew: no export counts that.
            tally.total = max(tally.total, tally.read)

    async def _users(self, users: Iterator[Mapping[str, Any]]) -> AsyncIterator[object]:
        async with aclosing(blocks_of(users)) as blocks:
            async for block in blocks:
                rows = await self._rows("user", [user["id"] for user in block])
                for user in block:
                    yield CopiedRecord(stored_user(user), stored_names(rows.get(user["id"])))

    async def _conversations(self, chunk: Chunk) -> AsyncIterator[object]:
        async with aclosing(blocks_of(self._with_people(chunk))) as blocks:
            async for block in blocks:
                people = {user_id for _, *both in block for some in both for user_id in some}
                failed = await self._failed("user", people)
                rows = await self._rows("conversation", [one["id"] for one, *_ in block])
                for conversation, present, former in block:
                    id_ = conversation["id"]
                    if self._there is not None and self._there(id_):
                        yield BadRecord(id=id_, reason=_WAS_THERE)
                    else:
                        everyone = [one for one in (*present, *former) if one not in failed]
                        yield CopiedRecord(
                            stored_conversation(conversation, everyone),
                            stored_names(rows.get(id_)),
                            former,
                        )

    def _with_people(self, chunk: Chunk) -> Iterator[tuple[dict[str, Any], list[str], list[str]]]:
        for conversation in self._export.conversations(chunk):
            id_ = conversation["id"]
            present = [one["userId"] for one in self._export.participants_of(id_)]
            yield conversation, present, self._export.former_participants_of(id_)

    async def _messages(self, chunk: Chunk) -> AsyncIterator[object]:
        async with aclosing(blocks_of(self._export.messages(chunk))) as blocks:
            async for block in blocks:
                failed = await self._failed(
                    "conversation", {raw["conversationId"] for raw, _ in block}
                )
                senders = await self._failed("user", {_sender_of(raw) for raw, _ in block})
                tokens = await self._tokens([raw for raw, _ in block])
                for raw, known in block:
                    if raw["conversationId"] in failed:
                        yield BadRecord(id=raw["id"], reason=_NO_CONVERSATION)
                    elif not known or _sender_of(raw) in senders:
                        yield BadRecord(id=raw["id"], reason=_NO_SENDER)
                    else:
                        yield copied_message(
                            raw,
                            partial(self._token, tokens),
                            readers=self._readers,
                            reactions=self._with_reactions,
                        )

    async def _tokens(self, messages: Sequence[Mapping[str, Any]]) -> Mapping[str, RecordRow]:
        if "file" not in self._types:
            return {}
        names = [file_name(url) for raw in messages for url in urls_of(raw)]
        rows = await self._context.journal.rows([f"file:{name}" for name in names])
        return {name.removeprefix("file:"): row for name, row in rows.items()}

    def _token(self, tokens: Mapping[str, RecordRow], url: str) -> str | BadRecord:
        if "file" not in self._types:
            return BadRecord(reason=_NO_FILES)
        row = tokens.get(file_name(url))
        if row is not None and row.state is RecordState.PLANNED:
            return "planned"
        if row is None or row.result is None:
            why = "it was not copied" if row is None or row.reason is None else row.reason
            return BadRecord(reason=why)
        return row.result

    async def _reactions(self, chunk: Chunk) -> AsyncIterator[object]:
        async with aclosing(blocks_of(self._export.reactions(chunk))) as blocks:
            async for block in blocks:
                ids = await self._ids.of(block)
                for raw in block:
                    user_id = raw.get("userId")
                    name = reaction_name(raw["messageId"], raw["emoji"], user_id)
                    id_ = ids[raw["messageId"]]
                    if isinstance(id_, BadRecord):
                        yield BadRecord(id=name, reason=id_.reason)
                    elif not isinstance(user_id, str):
                        reason = f"TalkJS does not say who {raw.get('missing')} people are."
                        yield BadRecord(id=name, reason=reason)
                    else:
                        chat = raw["conversationId"]
                        yield CopiedReaction(name, chat, id_, raw["emoji"], user_id)

    async def _participants(self, chunk: Chunk) -> AsyncIterator[object]:
        changes = participant_changes(self._export, chunk, everyone=self._goes_on)
        async with aclosing(blocks_of(changes)) as blocks:
            async for block in blocks:
                named = [one for one in block if isinstance(one, ParticipantChange)]
                chats = await self._failed("conversation", {one.conversation_id for one in named})
                people = await self._failed("user", {one.user_id for one in named})
                versions = await self._rows("conversation", {one.conversation_id for one in named})
                names = {participant_name(one.conversation_id, one.user_id) for one in named}
                known = await self._rows("participant", names)
                for one in block:
                    if isinstance(one, BadRecord):
                        yield one
                        continue
                    name = participant_name(one.conversation_id, one.user_id)
                    if one.settings == DEFAULT_PARTICIPATION and name not in known:
                        continue
                    if one.conversation_id in chats or one.user_id in people:
                        reason = _NO_CONVERSATION if one.conversation_id in chats else _NO_USER
                        yield BadRecord(id=name, reason=reason)
                    else:
                        row = versions.get(one.conversation_id)
                        version = row.digest.hex() if row is not None and row.digest else ""
                        yield attrs.evolve(one, version=version)
        if self._goes_on:
            async for gone in self._gone(chunk):
                yield gone

    async def _gone(self, chunk: Chunk) -> AsyncIterator[ParticipantChange]:
        """Find the participants whom an earlier run has stored, and who have left since."""
        async with aclosing(blocks_of(self._with_people(chunk))) as blocks:
            async for block in blocks:
                rows = await self._rows("conversation", [one["id"] for one, *_ in block])
                for conversation, present, former in block:
                    row = rows.get(conversation["id"])
                    if row is None or row.state not in (RecordState.DONE, RecordState.PLANNED):
                        continue
                    begin = f"{PARTICIPANTS}."
                    stored = {
                        name.removeprefix(begin)
                        for name in stored_names(row)
                        if name.startswith(begin)
                    }
                    for user_id in sorted(stored.difference(present, former)):
                        yield ParticipantChange(conversation["id"], user_id, None)

    @property
    def _goes_on(self) -> bool:
        """Whether an earlier pass may have stored something."""
        return self._context.journal.number_of_pass > 1

    def _lost_messages(self) -> Iterator[BadRecord]:
        for message in self._export.lost_messages():
            yield BadRecord(id=message.get("id"), reason=_NO_CONVERSATION)

    def _lost_reactions(self) -> Iterator[BadRecord]:
        for raw in self._export.lost_reactions():
            name = reaction_name(
                str(raw.get("messageId")), str(raw.get("emoji")), str(raw.get("userId"))
            )
            yield BadRecord(id=name, reason="its message is not in the export.")

    def _lost_participants(self) -> Iterator[BadRecord]:
        for raw in self._export.lost_participants():
            name = participant_name(raw["conversationId"], raw["userId"])
            yield BadRecord(id=name, reason=_NO_USER)

    async def _failed(self, kind: str, ids: Iterable[str | None]) -> set[str]:
        """Return which of some records of an earlier type were not stored."""
        return await self._context.journal.failed(f"{kind}:", ids)

    async def _rows(self, kind: str, ids: Iterable[str | None]) -> dict[str, RecordRow]:
        """Return what the journal knows of some records, by their IDs."""
        names = [f"{kind}:{id_}" for id_ in ids if id_ is not None]
        rows = await self._context.journal.rows(names)
        return {name.partition(":")[2]: row for name, row in rows.items()}


def participant_changes(
    export: SortedExport, chunk: Chunk, *, everyone: bool = False
) -> Iterator[ParticipantChange | BadRecord]:
    """
    Go through what has to be said of the participants of some conversations.

    Args:
        everyone: Whether to go through those who have the defaults, too.
    """
    for conversation in export.conversations(chunk):
        id_ = conversation["id"]
        for participant in export.participants_of(id_):
            user_id = participant["userId"]
            try:
                settings = participation(participant)
            except ConfigurationError as error:
                yield BadRecord(id=participant_name(id_, user_id), reason=str(error))
            else:
                if everyone or settings != DEFAULT_PARTICIPATION:
                    yield ParticipantChange(id_, user_id, settings)
        for user_id in export.former_participants_of(id_):
            yield ParticipantChange(id_, user_id, None)


def totals_of(export: SortedExport) -> dict[str, int | None]:
    """Count the records of each type; of participants, only those with something to store."""
    changes = participant_changes(export, export.everything)
    participants = sum(1 for _ in chain(changes, export.lost_participants()))
    return {**export.counts(), "participant": participants}


def _sender_of(message: Mapping[str, Any]) -> str | None:
    # What is no text is no user of the export, either.
    sender = message.get("senderId")
    return sender if isinstance(sender, str) else None


_WAS_THERE: Final = "a conversation of this ID was there before: nothing is stored in it."
_NO_CONVERSATION: Final = "its conversation is not in the export, or could not be stored."
_NO_SENDER: Final = "its sender is no user of the app, or could not be stored."
_NO_USER: Final = "its conversation or user is not in the export, or could not be stored."
