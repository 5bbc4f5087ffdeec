"""Records that can be sent, and those that cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import attrs

from talkjs_async._core.wire import utf8

V = TypeVar("V")


@attrs.frozen(kw_only=True)
class BadRecord:
    """
    A record of the source that cannot be sent. A source may yield it in the record's place.

    Attributes:
        reason: What is wrong with it, as a sentence.
        id: Its ID, if that can be read.
    """

    reason: str
    id: str | None = None


class FileRow(dict[str, Any]):
    """
    The fields of a record as a file has them.

    Attributes:
        line: The line of the file in which it begins, from 1.
    """

    __slots__ = ("line",)

    def __init__(self, line: int, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(fields or {})
        self.line = line


@attrs.frozen
class Record(Generic[V]):
    """
    Something to be stored.

    Attributes:
        id: What the journal calls it.
        number: Its place in the source, from 1.
        group: Records of one group keep their order: the conversation's ID.
        value: What to send.
        digest: Of what is to be sent.
        size: About how much memory it takes, in bytes.
        mark: Identifies an import among stored messages; for a message, its own idempotency key.
        sent_at: Unix time in seconds when an earlier pass sent it and got no answer. None: no pass
            did.
        line: The line of its file. None: it comes from no file.
        losses: What of it TalkJS cannot take, in words. None: nothing.
    """

    id: str
    number: int
    group: str
    value: V
    digest: bytes
    size: int
    mark: bytes | None = None
    sent_at: float | None = None
    line: int | None = None
    losses: str | None = None


def make_record(
    id_: str, number: int, value: V, wire: Any, *, group: str = "", mark: bytes | None = None
) -> Record[V]:
    """Build a record; *wire* is the JSON value that goes to TalkJS."""
    encoded = utf8(_encode(wire))
    # A thousand bytes for the Python objects around the text.
    size = 1000 + 2 * len(encoded)
    return Record(id_, number, group, value, digest_of(encoded), size, mark)


def at_line(line: int | None, reason: str) -> str:
    """Put the line in which a record begins before what is wrong with it."""
    return reason if line is None else f"line {line}: {reason}"


_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def digest_of(data: bytes) -> bytes:
    """Return a digest of *data*, 16 bytes."""
    return blake2b(data, digest_size=16).digest()
