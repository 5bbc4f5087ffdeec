"""What a job has to know of a record type (users, conversations, ...) to store it in bulk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

import attrs

from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.source_records import BadRecord, Record
from talkjs_async.errors import APIError, BadRequest, NotFound

V = TypeVar("V")


@attrs.frozen
class Found:
    """
    Which records that an earlier pass has sent are stored. Records in neither map are sent again.

    Attributes:
        stored: The IDs of those that are stored, with what TalkJS made of each.
        unknown: The IDs of those that may or may not be stored, with the reason.
    """

    stored: Mapping[str, str | None] = attrs.field(factory=dict)
    unknown: Mapping[str, str] = attrs.field(factory=dict)


class RecordRefused(Exception):
    """
    A record cannot be stored, for a reason that is not an answer of TalkJS.

    Attributes:
        reason: As a sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RecordType(ABC, Generic[V]):
    """
    What is special about storing users, conversations, messages or imports.

    Attributes:
        kind: Name of the job.
        per_request: The most records in one request.
        at_most: The same, once a job has learned that TalkJS takes fewer. None until then.
        batchable: Whether batches may take a request along.
        window: Records to read ahead, so that requests can be filled.
        once: Whether storing a record a second time would make a second one. If so, records keep
            their order, sending is noted before it happens, and a changed record is not sent again.
        noted: Whether sending is noted before it happens even if *once* is False.
        unique_marks: Whether no two records may have the same mark.
    """

    kind: ClassVar[str]
    per_request: ClassVar[int]
    at_most: int | None = None
    batchable: ClassVar[bool] = True
    window: ClassVar[int]
    once: ClassVar[bool] = False
    noted: ClassVar[bool] = False
    unique_marks: ClassVar[bool] = False

    @property
    def learning(self) -> bool:
        """Whether requests go one at a time, until it is known what TalkJS takes."""
        return False

    @abstractmethod
    def read(self, thing: object, number: int) -> Record[V] | BadRecord:
        """Make a record of what the source has yielded. ConfigurationError: it breaks a rule."""

    @abstractmethod
    async def send(self, context: JobContext, records: Sequence[Record[V]]) -> Sequence[str | None]:
        """
        Store the records of one group with one request; return what TalkJS made of each.

        Raises:
            RecordRefused: A single record cannot be stored.
        """

    def is_refusal(self, error: APIError) -> bool:
        """Whether some record is the cause of an answer."""
        return isinstance(error, BadRequest | NotFound)

    def refused_together(self, count: int) -> None:  # noqa: ARG002
        """Learn that *count* records were refused together, and stored in smaller requests."""
        return

    def sinks_group(self, error: APIError) -> bool:  # noqa: ARG002
        """Whether a refusal holds for all records of the group."""
        return False

    def already_stored(self, error: APIError) -> bool:  # noqa: ARG002
        """Whether the refusal of a single record says that it is stored."""
        return False

    def shared_mark(self, other: str) -> str:
        """Return the reason to refuse a record that has the mark of record *other*."""
        raise NotImplementedError

    async def find(
        self,
        context: JobContext,  # noqa: ARG002
        records: Sequence[Record[V]],  # noqa: ARG002
    ) -> Found:
        """Find out which records of a group, sent by an earlier pass, are stored."""
        return Found()
