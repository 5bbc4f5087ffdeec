"""What a job has done: the report, and what became of each record."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final, Literal, Self, get_args

import attrs

from talkjs_async.bulk._engine.job_journal import is_latest_run, read_records
from talkjs_async.bulk._engine.journal_schema import NAMELESS, NAMES, RecordRow, RecordState
from talkjs_async.bulk._engine.scratch import Scratch
from talkjs_async.bulk.errors import RecordsFailed
from talkjs_async.errors import ConfigurationError

Outcome = Literal["done", "unchanged", "failed", "unknown", "planned"]
"""
What became of a record.

- "done": this run stored it.
- "unchanged": an earlier run of the same journal stored exactly this.
- "failed": it was refused, or cannot be sent; the reason says why. Nothing of it is stored.
- "unknown": it was sent and no answer came. Running the job again finds out.
- "planned": a dry run would change it.
"""


@attrs.frozen(kw_only=True)
class RecordReport:
    """
    What became of one record.

    Attributes:
        id: The record's ID in the job: a user or conversation ID, or that of a message in the
            source. "#7" for the seventh record, if it has none, or one that came before.
        number: Its place in the source, from 1.
        outcome: See `Outcome`.
        reason: Why it failed, or why its outcome is unknown. Of a record that is done: what of it
            TalkJS could not take; None: nothing was lost.
        result: The ID that TalkJS gave to a message. None when it gave none.
    """

    id: str
    number: int
    outcome: Outcome
    reason: str | None
    result: str | None


@attrs.frozen(kw_only=True)
class BulkReport:
    """
    What a job has done.

    Attributes:
        kind: The job, such as "upsert_users".
        job_id: What idempotency keys were derived from.
        complete: Whether the whole source was worked through. If not, and *caveat* is None, run the
            job again with the same journal.
        caveat: What a job that came to its end cannot know, as a sentence. Such a job is never
            complete. None: nothing, or the job has not come to its end.
        done, unchanged, failed, unknown, planned: Numbers of records; see `Outcome`.
        with_losses: How many of *done* TalkJS could not take wholly; their `reason` says what is
            lost. Of an export: the messages of which the file that they carry, or who has reacted,
            is not in it.
        planned_requests, planned_seconds: How many requests a dry run would have sent, and how long
            the budget would have made them take. 0 in any other run.
        requests: Requests that TalkJS has answered: reads and repeated ones, too; a batch is one.
        seconds: How long it took.
        journal: The file that has all records. None: it was a temporary one, kept as long as this
            report is.
    """

    kind: str
    job_id: str
    complete: bool
    caveat: str | None = None
    done: int
    unchanged: int
    failed: int
    unknown: int
    with_losses: int
    planned: int
    planned_requests: int
    planned_seconds: float
    requests: int
    seconds: float
    journal: Path | None
    _file: Path | None = attrs.field(alias="file", repr=False)
    _first_pass: int = attrs.field(alias="first_pass", repr=False)
    _scratch: Scratch | None = attrs.field(alias="scratch", repr=False, eq=False)

    @property
    def ok(self) -> bool:
        """Whether every record of the source is stored."""
        return self.complete and not self.failed and not self.unknown

    @property
    def came_to_its_end(self) -> bool:
        """Whether nothing is left to do: it is complete, apart from its caveat."""
        return self.complete or self.caveat is not None

    def raise_for_failed(self) -> Self:
        """
        Return this report if every record is stored, or would be.

        Raises:
            RecordsFailed: Some have failed or are unknown, or the job was stopped before its end.
        """
        if not self.came_to_its_end or self.failed or self.unknown:
            first = next(chain(self.records("failed"), self.records("unknown")), None)
            raise RecordsFailed(self.kind, self._what_is_wrong(first))
        return self

    def _what_is_wrong(self, first: RecordReport | None) -> str:
        parts = [f"{self.failed} failed"] * bool(self.failed)
        parts += [f"{self.unknown} unknown"] * bool(self.unknown)
        parts += ["stopped before its end"] * (not self.came_to_its_end)
        about = "" if first is None else f"; the first: {first.id} ({first.reason})"
        return f"{', '.join(parts)}{about}"

    def records(self, outcome: Outcome | None = None) -> Iterator[RecordReport]:
        """
        Go through the records in the order of the source, read from the journal.

        The journal describes its latest run only: read it before the next. An export has counts
        only; its records are in the files that it wrote.

        Args:
            outcome: Only these. None: all.

        Raises:
            ConfigurationError: There is no such outcome, or the journal is in use by a job.
            StorageError: It cannot be read.
        """
        if outcome is not None and outcome not in get_args(Outcome):
            raise ConfigurationError("outcome", f"must be one of {get_args(Outcome)}.")
        if self._file is None:
            return
        states = tuple(RecordState) if outcome is None else _STATES[outcome]
        marks = ", ".join("?" * len(states))
        wanted = f"seen >= ? AND state IN ({marks})"
        for row in read_records(self._file, wanted, (self._first_pass, *states)):
            became = self._outcome(row)
            if outcome is None or outcome == became:
                has_names = row.result is not None and row.result.startswith(NAMES)
                yield RecordReport(
                    id=row.id.replace(NAMELESS, "#"), number=row.number, outcome=became,
                    reason=row.reason, result=None if has_names else row.result,
                )  # fmt: skip

    def vanished(self) -> Iterator[str]:
        """
        Go through the IDs of records that earlier runs have sent and the source no longer has.

        Raises:
            ConfigurationError: It is not known: the source was not read to its end, or the journal
                was temporary, has been used again since, or has records without an ID.
            StorageError: The journal cannot be read.
        """
        if not self.complete or self.journal is None:
            way_out = "it needs a journal that stays, and a source that was read to its end"
            raise ConfigurationError("report", f"does not know what has vanished: {way_out}.")
        if not is_latest_run(self.journal, self._first_pass):
            raise ConfigurationError("report", "is not that of the latest run of its journal.")
        arguments = (self._first_pass, *_NAMELESS_RANGE)
        for row in read_records(self.journal, _NAMELESS_HERE, arguments):
            raise ConfigurationError(
                "report",
                f"does not know what has vanished: record {row.number} of the source has no ID "
                "of its own, and may be any.",
            )
        for row in read_records(self.journal, _VANISHED, arguments):
            yield row.id

    def _outcome(self, row: RecordRow) -> Outcome:
        if row.state is RecordState.DONE and row.made_in < self._first_pass:
            return "unchanged"
        return _OUTCOMES[row.state]


_NAMELESS_RANGE: Final = (NAMELESS, NAMELESS[:-1] + chr(ord(NAMELESS[-1]) + 1))
_NAMELESS_HERE: Final = "seen >= ? AND id >= ? AND id < ?"
_VANISHED: Final = f"seen < ? AND NOT (id >= ? AND id < ?) AND state != {RecordState.PLANNED:d}"
_OUTCOMES: Final[dict[RecordState, Outcome]] = {
    RecordState.SENT: "unknown",
    RecordState.DONE: "done",
    RecordState.FAILED: "failed",
    RecordState.PLANNED: "planned",
    RecordState.CHANGED: "failed",
}
_STATES: Final[dict[Outcome, tuple[RecordState, ...]]] = {
    "done": (RecordState.DONE,),
    "unchanged": (RecordState.DONE,),
    "failed": (RecordState.FAILED, RecordState.CHANGED),
    "unknown": (RecordState.SENT,),
    "planned": (RecordState.PLANNED,),
}
