"""
Decides which records of a source have to be sent, by what the journal knows of them.

Knows nothing of requests. The flow of a job calls it, a block of the source at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Generic, TypeVar

import attrs

from talkjs_async._core.wire import is_id
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.job_journal import Ending
from talkjs_async.bulk._engine.journal_schema import (
    NAMELESS,
    RecordRow,
    RecordState,
    is_storable,
)
from talkjs_async.bulk._engine.record_ids import as_record_id
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.source_records import BadRecord, FileRow, Record, at_line
from talkjs_async.bulk._engine.tally import StageTally
from talkjs_async.bulk._engine.window import Window
from talkjs_async.errors import ConfigurationError

V = TypeVar("V")

_CHANGED: Final = "it was stored before with other content; the change is not sent."
_CHANGED_IN_DOUBT: Final = (
    "it was sent before with other content, without an answer; neither is sent again."
)


class Selection(Generic[V]):
    """Reads what a source yields, and puts what has to be sent into the window."""

    def __init__(
        self,
        context: JobContext,
        record_type: RecordType[V],
        window: Window[V],
        tally: StageTally,
        *,
        prefix: str,
    ) -> None:
        """
        Begin at the first record of a source.

        Args:
            prefix: Put before every ID in the journal.
        """
        self._context = context
        self._record_type = record_type
        self._window = window
        self._prefix = prefix
        self._tally = tally
        # The records of one type may come from several sources.
        self._number = tally.read
        # ID in the journal -> place in the source, of records that are read and not through.
        self._pending: dict[str, int] = {}
        # Mark -> ID in the journal, of records that are read and not through, where no two records
        # may share a mark; and the other way round.
        self._marks: dict[bytes, str] = {}
        self._mark_of: dict[str, bytes] = {}

    @property
    def waiting(self) -> int:
        """How many records were read and are not through."""
        return len(self._pending)

    def forget(self, name: str) -> None:
        """Drop a record that is through: from now on the journal knows it."""
        self._pending.pop(name, None)
        mark = self._mark_of.pop(name, None)
        if mark is not None:
            del self._marks[mark]

    async def select(self, block: Sequence[object]) -> None:
        """Put what has to be sent into the window, and note the rest."""
        read = [self._read(thing) for thing in block]
        names = [self._prefix + record.id for record in read if record.id is not None]
        rows = await self._context.journal.look(names)
        marked = await self._marked(read)
        taken: dict[str, int] = {}
        endings = []
        self._tally.read = self._number
        for number, record in enumerate(read, self._number - len(read) + 1):
            name = None if record.id is None else self._prefix + record.id
            row = None if name is None else rows.get(name)
            earlier = None if name is None else taken.get(name) or self._earlier(name, row)
            if name is None or earlier is not None:
                ending: Ending | None = self._without_own_id(record, number, earlier)
            else:
                taken[name] = number
                ending = self._decide(name, self._unless_marked(name, record, marked), number, row)
            if ending is not None:
                endings.append(ending)
        if endings:
            await self._context.journal.note(endings)

    async def _marked(self, read: Sequence[Record[V] | BadRecord]) -> dict[bytes, str]:
        """Return which records were sent with the marks of these, if no two may share one."""
        if not self._record_type.unique_marks:
            return {}
        marks = {r.mark for r in read if isinstance(r, Record) and r.mark is not None}
        return await self._context.journal.marked(marks) if marks else {}

    def _unless_marked(
        self, name: str, record: Record[V] | BadRecord, marked: Mapping[bytes, str]
    ) -> Record[V] | BadRecord:
        """Refuse a record with the mark of another one."""
        if not self._record_type.unique_marks or isinstance(record, BadRecord):
            return record
        mark = record.mark
        if mark is None:
            return record
        other = self._marks.get(mark) or marked.get(mark, name)
        if other != name:
            other = other.removeprefix(self._prefix)
            return BadRecord(reason=self._record_type.shared_mark(other), id=record.id)
        return record

    def _read(self, thing: object) -> Record[V] | BadRecord:
        self._number += 1
        if isinstance(thing, BadRecord):
            return thing if is_id(thing.id) else attrs.evolve(thing, id=None)
        line = thing.line if isinstance(thing, FileRow) else None
        try:
            record = self._record_type.read(thing, self._number)
        except ConfigurationError as error:
            return BadRecord(reason=at_line(line, str(error)), id=_id_in(thing))
        if isinstance(record, BadRecord):
            return record
        if not is_storable(record.id):
            # Records of another app may have such IDs; those of a source were checked before.
            return BadRecord(reason=at_line(line, "its ID holds half of a surrogate pair."))
        return attrs.evolve(record, line=line)

    def _earlier(self, name: str, row: RecordRow | None) -> int | None:
        """Return the number of an earlier record of this pass with the same ID."""
        if row is not None and row.seen == self._context.journal.number_of_pass:
            return row.number
        return self._pending.get(name)

    def _without_own_id(
        self, record: Record[V] | BadRecord, number: int, earlier: int | None
    ) -> Ending:
        """Note, under a name of its own, a record whose ID is taken or unknown."""
        reason = f"the ID {record.id!r} came before, as record {earlier}."
        if isinstance(record, Record):
            reason = at_line(record.line, reason)
        elif earlier is None:
            reason = record.reason
        self._tally.failed += 1
        return Ending(
            f"{self._prefix}{NAMELESS}{number}", number, RecordState.FAILED, reason=reason
        )

    def _decide(
        self, name: str, record: Record[V] | BadRecord, number: int, row: RecordRow | None
    ) -> Ending | None:
        """Decide about a record: send it (None), note something of it, or only count it (None)."""
        stored = row is not None and row.state in (RecordState.DONE, RecordState.CHANGED)
        if isinstance(record, BadRecord):
            self._tally.failed += 1
            state = RecordState.CHANGED if stored and self._record_type.once else RecordState.FAILED
            return Ending(name, number, state, reason=record.reason)
        if row is not None:
            same = row.digest == record.digest
            this_run = row.made_in >= self._context.journal.first_pass
            if stored and same:
                return self._keep(name, row, number, this_run)
            if row.state is RecordState.FAILED and same and this_run:
                self._tally.failed += 1
                return None
            if self._record_type.once and (stored or (row.state is RecordState.SENT and not same)):
                return self._changed(name, row, number)
            if self._record_type.once and row.state is RecordState.SENT:
                record = attrs.evolve(record, sent_at=row.sent_at)
        self._pending[name] = number
        if record.mark is not None and self._record_type.unique_marks:
            self._marks[record.mark], self._mark_of[name] = name, record.mark
        self._window.add(record)
        return None

    def _changed(self, name: str, row: RecordRow, number: int) -> Ending:
        """Note that a record has changed since it was sent, and cannot be sent twice."""
        if row.state is RecordState.SENT:
            return Ending(name, number, RecordState.SENT, reason=_CHANGED_IN_DOUBT)
        self._tally.failed += 1
        return Ending(name, number, RecordState.CHANGED, reason=_CHANGED)

    def _keep(self, name: str, row: RecordRow, number: int, this_run: bool) -> Ending | None:
        """Count a record that is stored as it is."""
        if row.state is RecordState.CHANGED:
            # It had changed, and has changed back.
            self._tally.done += 1
            return Ending(name, number, RecordState.DONE)
        if this_run:
            self._tally.done += 1
            self._tally.with_losses += row.reason is not None
        else:
            self._tally.unchanged += 1
        return None


def _id_in(thing: object) -> str | None:
    """Return the ID of an invalid record, if it can be read."""
    if isinstance(thing, Mapping):
        with suppress(ConfigurationError):
            return as_record_id(thing.get("id"))
    return None
