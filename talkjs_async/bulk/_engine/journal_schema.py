"""
The tables of a journal, an SQLite file: their columns, and the rows as Python sees them.

A change of the tables needs a new `SCHEMA` number.

`job.in_use` is 1 in the main file as long as a run writes to the journal: what it writes goes to
the file `-wal` beside it first. A main file with a 1 and no such file is half a journal.

`job.place` is JSON behind a digest of it: with a damaged place, a job could skip records that it
has not stored.
"""

from __future__ import annotations

import json
from enum import IntEnum
from hashlib import blake2b
from typing import Any, Final

import attrs

SCHEMA: Final = 3
APPLICATION: Final = 0x746A6B62
"""SQLite's `application_id` of a journal: "tjkb". Tells it from any other SQLite file."""

TABLES: Final = """
CREATE TABLE job (
    kind TEXT NOT NULL, app_id TEXT NOT NULL, job_id TEXT NOT NULL,
    pass INTEGER NOT NULL, first_pass INTEGER NOT NULL, complete INTEGER NOT NULL,
    place TEXT NOT NULL, in_use INTEGER NOT NULL
);
CREATE TABLE record (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL, seen INTEGER NOT NULL, pass INTEGER NOT NULL,
    state INTEGER NOT NULL, digest BLOB, sent_at REAL, sent_to TEXT, mark BLOB, result TEXT,
    reason TEXT
) WITHOUT ROWID;
CREATE INDEX record_mark ON record (mark, sent_to) WHERE mark IS NOT NULL;
"""

NAMELESS: Final = "\0#"
"""Prefix of the name of a record that has no ID of its own; its number follows."""


NAMES: Final = "\0="
"""
Prefix of the result of a copied user or conversation: as JSON, the names of what was stored of it,
such as "email", "custom.plan" and "participants.alice".
"""


def written_place(place: Any) -> str:
    """Write a place as `job.place` has it."""
    text = json.dumps(place)
    return f"{_digest(text)} {text}"


def read_place(written: object) -> Any:
    """
    Read what `written_place` has made.

    Raises:
        ValueError: It is something else.
    """
    digest, _, text = written.partition(" ") if isinstance(written, str) else ("", "", "")
    if digest != _digest(text):
        raise ValueError("another place than was noted")
    return json.loads(text)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def storable(text: str | None) -> str | None:
    """Escape halves of surrogate pairs, which no database takes."""
    return text and text.encode(errors="backslashreplace").decode()


def is_storable(id_: str) -> bool:
    """Whether a record may have this ID: it holds no half of a surrogate pair."""
    return storable(id_) == id_


@attrs.frozen
class JobRow:
    """The one row of the table `job`, as far as a running job needs it."""

    job_id: str
    pass_: int
    first: int
    place: Any


class RecordState(IntEnum):
    """How far a record has come."""

    SENT = 0
    """It was sent, and no answer was noted. It may or may not be stored."""
    DONE = 1
    FAILED = 2
    PLANNED = 3
    """A dry run found that it would be changed."""
    CHANGED = 4
    """It was stored, and the source has other content for it now."""


@attrs.frozen
class RecordRow:
    """
    What the journal knows of a record.

    Attributes:
        number: Its place in the source, from 1.
        seen: The pass in which the source last had it.
        made_in: The pass in which it reached its state.
        digest: Of the content that was sent.
        sent_at: Unix time in seconds of the first request that carried it.
        result: What TalkJS made of it: the ID of a message.
        reason: Why it failed.
    """

    id: str
    number: int
    seen: int
    made_in: int
    state: RecordState
    digest: bytes | None
    sent_at: float | None
    result: str | None
    reason: str | None
