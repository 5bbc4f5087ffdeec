"""Which message of the copy is which of the source: told by the import, or read back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.journal_schema import RecordState
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk._record_types.imports import mark_of
from talkjs_async.bulk.formats.sorted_export import SortedExport
from talkjs_async.errors import BadRequest, ConfigurationError, NotFound

_NOT_STORED: Final = "its message was not stored."
_CANNOT_TELL: Final = "which message it belongs to cannot be told: TalkJS gave it no ID."


class MessageIds:
    """Finds the IDs that messages have in the copy."""

    def __init__(self, context: JobContext, export: SortedExport) -> None:
        self._context = context
        self._export = export
        # Of the conversation that was read back last.
        self._read_back: tuple[str, dict[str, str]] = ("", {})

    async def of(self, reactions: Sequence[Mapping[str, Any]]) -> dict[str, str | BadRecord]:
        """Return, by the IDs of the source, those of the messages that reactions belong to."""
        names = [f"message:{raw['messageId']}" for raw in reactions]
        rows = await self._context.journal.rows(names)
        found: dict[str, str | BadRecord] = {}
        for raw in reactions:
            id_ = raw["messageId"]
            row = rows.get(f"message:{id_}")
            if row is None or row.state not in _STORED:
                found[id_] = BadRecord(reason=_NOT_STORED)
            elif row.result or self._context.dry_run:
                found[id_] = row.result or ""
            else:
                found[id_] = await self._look(raw["conversationId"], id_)
        return found

    async def _look(self, conversation_id: str, id_: str) -> str | BadRecord:
        """Find a message whose ID the import did not tell, among those of its conversation."""
        if self._read_back[0] != conversation_id:
            self._read_back = conversation_id, await self._read(conversation_id)
        return self._read_back[1].get(id_) or BadRecord(reason=_CANNOT_TELL)

    async def _read(self, conversation_id: str) -> dict[str, str]:
        there: dict[tuple[bytes, str | None], list[str]] = defaultdict(list)
        try:
            async for message in self._context.all(
                self._context.talkjs.messages.list, conversation_id
            ):
                mark = mark_of(message.sender_id, message.created_at_ms)
                there[mark, message.text].insert(0, message.id)
        except (NotFound, BadRequest, ConfigurationError):
            # There is no such conversation, or can be none of such an ID.
            return {}
        ours: dict[tuple[bytes, str | None], list[str]] = defaultdict(list)
        for id_, sender, at, text in await self._context.journal.in_thread(
            lambda: self._export.marks(conversation_id)
        ):
            ours[mark_of(sender, at), text].append(id_)
        # Where there are as many of one sender, time and text here as there, they are the same in
        # the same order.
        return {
            id_: found
            for key, ids in ours.items()
            if len(ids) == len(there.get(key, ()))
            for id_, found in zip(ids, there[key], strict=True)
        }


_STORED: Final = (RecordState.DONE, RecordState.CHANGED, RecordState.PLANNED)
