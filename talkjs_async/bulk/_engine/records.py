"""
From what a source yields to records that can be sent.

A source may hold our models, or plain mappings with Python's or TalkJS's names. Knows no I/O.
"""

from __future__ import annotations

import json
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sized,
)
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import anyio
import anyio.to_thread
import attrs

from talkjs_async._core.call import path
from talkjs_async.errors import ConfigurationError

T = TypeVar("T")
V = TypeVar("V")

Source: TypeAlias = Iterable[T] | AsyncIterable[T]

_BLOCK: Final = 200
"""Things taken from a source at a time: one look into the journal for all of them."""


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
        mark: By what an import can be found again.
        sent_at: Unix time in seconds when it was sent by an earlier pass that never learned what
            became of it. None: it was not.
    """

    id: str
    number: int
    group: str
    value: V
    digest: bytes
    size: int
    mark: bytes | None = None
    sent_at: float | None = None


def make_record(
    id_: str, number: int, value: V, wire: Any, *, group: str = "", mark: bytes | None = None
) -> Record[V]:
    """Build a record; *wire* is what of it goes to TalkJS."""
    encoded = _encode(wire).encode()
    # A thousand bytes for the Python objects around the text.
    size = 1000 + 2 * len(encoded)
    return Record(id_, number, group, value, digest_of(encoded), size, mark)


_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def digest_of(data: bytes) -> bytes:
    """16 bytes that stand for *data*."""
    return blake2b(data, digest_size=16).digest()


class FieldNames:
    """The names of a record's fields, in Python's and in TalkJS's spelling."""

    def __init__(self, model: type, *others: str, **also: str) -> None:
        """
        Collect the fields of an input model.

        Args:
            model: An attrs class.
            others: Names that the mapping may have besides.
            also: Further spellings of a name.
        """
        names = [field.name for field in attrs.fields(model)] + list(others)
        self.names: tuple[str, ...] = tuple(names)
        self._known = {name: name for name in names}
        self._known |= {camel(name): name for name in names}
        self._known |= also

    def of(self, thing: Mapping[Any, Any]) -> dict[str, Any]:
        """
        Return the fields under their Python names.

        Raises:
            ConfigurationError: There is a name that is none of them, or one in both spellings.
        """
        known = self._known
        fields: dict[str, Any] = {}
        for name, value in thing.items():
            field = known.get(name)
            if field is None:
                raise ConfigurationError(
                    str(name), f"is no field; the fields are {', '.join(self.names)}."
                )
            if field in fields:
                raise ConfigurationError(str(name), f"is given twice, also as {field}.")
            fields[field] = value
        return fields

    def field(self, name: str) -> str | None:
        """Return the Python name of a field in either spelling. None: it is no field."""
        return self._known.get(name)


def camel(name: str) -> str:
    """TalkJS's spelling: photo_url -> photoUrl."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def take_id(fields: dict[str, Any], name: str = "id") -> str:
    """
    Take an ID out of the fields. A whole number becomes text, as in TalkJS's own SDKs.

    Raises:
        ConfigurationError: It is missing, or no ID.
    """
    if name not in fields:
        raise ConfigurationError(name, "is missing.")
    return as_id(fields.pop(name), name)


def as_id(value: object, name: str = "id") -> str:
    """Check one ID; see `take_id`."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    # The one place that knows what may stand in a URL.
    path("", **{name: cast("str", value)})
    return cast("str", value)


class SourceBlocks(Generic[T]):
    """Takes a source in blocks, whichever kind of iterable it is."""

    def __init__(self, source: Source[T], *, in_thread: bool = False) -> None:
        """
        Begin with *source*; a mapping gives its items.

        Args:
            in_thread: Whether to read it in worker threads, because it reads files.
        """
        if isinstance(source, str | bytes) or not isinstance(source, Iterable | AsyncIterable):
            raise ConfigurationError(
                "source", "must be an iterable of records; bulk.read_users(path) reads a file."
            )
        self._in_thread = in_thread
        self._async: AsyncIterator[T] | None = None
        self._sync: Iterator[T] = iter(())
        if isinstance(source, AsyncIterable):
            self._async = aiter(source)
        elif isinstance(source, Mapping):
            self._sync = iter(cast("Iterable[T]", source.items()))
        else:
            self._sync = iter(source)

    async def next(self) -> list[T]:
        """Return the next few things. An empty list: there are no more."""
        if self._async is None:
            if self._in_thread:
                return await anyio.to_thread.run_sync(self._take)
            return self._take()
        block: list[T] = []
        async for thing in self._async:
            block.append(thing)
            if len(block) == _BLOCK:
                break
        return block

    def _take(self) -> list[T]:
        return list(islice(self._sync, _BLOCK))

    async def close(self) -> None:
        """Let a generator clean up."""
        if isinstance(self._async, AsyncGenerator):
            with anyio.CancelScope(shield=True):
                await self._async.aclose()
        elif isinstance(self._sync, Generator):
            self._sync.close()


def total_of(source: object, total: int | None) -> int | None:
    """Return how many records a source has, where anybody knows."""
    if total is not None and total < 0:
        raise ConfigurationError("total", f"must not be negative, unlike {total!r}.")
    if total is None and isinstance(source, Sized):
        return len(source)
    return total
