"""The report of a job on the standard output: sentences for people, JSON Lines for machines."""

from __future__ import annotations

from itertools import islice
from typing import Final

import attrs

from talkjs_async.bulk import BulkReport, Outcome
from talkjs_async.cli._output import write, write_json
from talkjs_async.cli._wording import amount, duration

_SHOWN: Final = 20
"""Records that are shown to a person. A machine gets all."""
_COUNTS: Final[tuple[Outcome, ...]] = ("done", "planned", "unchanged", "failed", "unknown")
_NOTABLE: Final[tuple[Outcome, ...]] = ("planned", "failed", "unknown")
"""Outcomes of which each record is of interest."""


def write_for_machines(report: BulkReport) -> None:
    """Write a line for each notable record, and one for the whole."""
    for outcome in _NOTABLE:
        for record in report.records(outcome) if getattr(report, outcome) else ():
            write_json({"record": attrs.asdict(record)})
    if report.with_losses:
        for record in report.records("done"):
            if record.reason is not None:
                write_json({"record": attrs.asdict(record)})
    whole = {name: getattr(report, name) for name in ("kind", "complete", "caveat", *_COUNTS)}
    more = {name: getattr(report, name) for name in ("with_losses", "requests", "seconds")}
    journal = None if report.journal is None else str(report.journal)
    write_json({"report": {**whole, **more, "journal": journal}})


def write_for_people(title: str, report: BulkReport) -> None:
    """Write the counts, and the first of the notable records."""
    counts = {outcome: int(getattr(report, outcome)) for outcome in _COUNTS}
    said = [f"{amount(n)} {outcome}" for outcome, n in counts.items() if n or outcome == "done"]
    write(
        f"{title}: {', '.join(said)}; {amount(report.requests)} "
        f"request{'' if report.requests == 1 else 's'} in {duration(report.seconds)}"
    )
    if report.caveat is not None:
        write(f"  {report.caveat}")
    if report.with_losses and report.kind == "export":
        left_out = "the file, or who has reacted (which --reactions reads)"
        write(f"  not in it: {left_out}, of {amount(report.with_losses)} of the messages")
    elif report.with_losses:
        lost = f"TalkJS could not take all of {amount(report.with_losses)}"
        write(f"  {lost}: for example, which message one answers; --json lists what is lost")
    for outcome in _NOTABLE:
        for record in islice(report.records(outcome), _SHOWN) if counts[outcome] else ():
            reason = f": {record.reason}" if record.reason else ""
            write(f"  {outcome}: {record.id} (record {record.number}){reason}")
        if counts[outcome] > _SHOWN:
            more = counts[outcome] - _SHOWN
            write(f"  ... and {amount(more)} more {outcome}; --json lists all")
