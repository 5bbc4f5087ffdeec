"""
Users and conversations that a job copies, perhaps not for the first time.

What an earlier run has stored, and the source no longer has, is cleared: an address that was
deleted there since must not stay in the copy. The names of what was stored are noted in the
journal, so that nothing is cleared that somebody else has put there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from talkjs_async._core.wire import is_id
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.journal_schema import NAMES, RecordRow
from talkjs_async.bulk._engine.source_records import BadRecord, Record, digest_of
from talkjs_async.bulk._record_types.conversations import ConversationRecordType
from talkjs_async.bulk._record_types.users import UserRecordType
from talkjs_async.errors import ConfigurationError

PARTICIPANTS: Final = "participants"


@attrs.frozen
class CopiedRecord:
    """
    A user or a conversation of another app.

    Attributes:
        fields: What is to be stored of it, with its ID.
        stored: Names of what earlier runs have stored of it; see `stored_names`.
        former: Those among the participants who are to leave again.
    """

    fields: Mapping[str, Any]
    stored: Collection[str] = ()
    former: Sequence[str] = ()


def stored_names(row: RecordRow | None) -> frozenset[str]:
    """Return the names of what a job has stored: "email", "custom.plan", "participants.alice"."""
    result = None if row is None else row.result
    if result is None or not result.startswith(NAMES):
        return frozenset()
    return frozenset(json.loads(result.removeprefix(NAMES)))


class CopiedUserRecordType(UserRecordType):
    """What is special about users of another app."""

    def read(self, thing: object, number: int) -> Record[dict[str, Any]] | BadRecord:
        """Make a record of a `CopiedRecord`."""
        return _read(super().read, thing, number)

    async def send(
        self, context: JobContext, records: Sequence[Record[dict[str, Any]]]
    ) -> Sequence[str | None]:
        """Store up to 100 users; return the names of what was stored of each."""
        await super().send(context, records)
        return [_noted(names_in(record.value)) for record in records]


class CopiedConversationRecordType(ConversationRecordType):
    """
    What is special about conversations of another app.

    The participants that were ever stored are noted with it: they may have to leave.
    """

    def read(self, thing: object, number: int) -> Record[dict[str, Any]] | BadRecord:
        """Make a record of a `CopiedRecord`."""
        record = _read(super().read, thing, number)
        if isinstance(record, Record) and isinstance(thing, CopiedRecord) and thing.former:
            # Who has come back must be added anew, though the list of both is the same.
            digest = digest_of(record.digest + json.dumps(sorted(thing.former)).encode())
            return attrs.evolve(record, digest=digest)
        return record

    async def send(
        self, context: JobContext, records: Sequence[Record[dict[str, Any]]]
    ) -> Sequence[str | None]:
        """Store one conversation; return the names of what was stored of it."""
        await super().send(context, records)
        (record,) = records
        earlier = record.value.earlier if isinstance(record.value, _Wire) else ()
        return [_noted({*names_in(record.value), *earlier})]


class NotedConversationRecordType(CopiedConversationRecordType):
    """The same, for a job that has to tell those that it has made from those that were there."""

    noted = True


class _Wire(dict[str, Any]):
    """
    What goes to TalkJS.

    Attributes:
        earlier: The names of participants that earlier runs have stored.
    """

    __slots__ = ("earlier",)

    earlier: Sequence[str]


def names_in(wire: Mapping[str, Any]) -> Iterator[str]:
    """Name what a request stores, and does not clear."""
    for name, value in wire.items():
        if name == PARTICIPANTS or isinstance(value, dict):
            inner = (
                value
                if name == PARTICIPANTS
                else (k for k, each in value.items() if each is not None)
            )
            yield from (f"{name}.{one}" for one in inner or ())
        elif value is not None:
            yield name


def _read(
    read: Callable[[object, int], Record[dict[str, Any]] | BadRecord], thing: object, number: int
) -> Record[dict[str, Any]] | BadRecord:
    if isinstance(thing, BadRecord):
        return thing
    assert isinstance(thing, CopiedRecord)  # noqa: S101 - the sources are our own
    try:
        record = read(thing.fields, number)
    except ConfigurationError as error:
        id_ = thing.fields["id"]
        return BadRecord(reason=str(error), id=id_ if is_id(id_) else None)
    if isinstance(record, BadRecord):
        return record
    # The digest is that of what the source has, so that it is the same when nothing has changed.
    return attrs.evolve(record, value=_with_cleared(record.value, thing.stored))


def _with_cleared(wire: Mapping[str, Any], stored: Collection[str]) -> _Wire:
    found = _Wire(wire)
    found.earlier = [name for name in stored if name.startswith(f"{PARTICIPANTS}.")]
    for gone in set(stored).difference(names_in(wire), found.earlier):
        name, dot, key = gone.partition(".")
        found[name] = {**(found.get(name) or {}), key: None} if dot else None
    return found


def _noted(names: Collection[str] | Iterator[str]) -> str:
    return NAMES + json.dumps(sorted(names))
