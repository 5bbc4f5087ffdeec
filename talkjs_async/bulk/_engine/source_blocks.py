"""Any iterable, sync or async, taken in blocks. Knows nothing of what is in it."""

from __future__ import annotations

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
from itertools import islice
from typing import Final, Generic, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

import anyio
import anyio.to_thread

from talkjs_async.errors import ConfigurationError

T = TypeVar("T")

Source: TypeAlias = Iterable[T] | AsyncIterable[T]

_BLOCK: Final = 200
"""Things taken from a source at a time: one look into the journal for all of them."""


@runtime_checkable
class Checkable(Protocol):
    """A source that can tell beforehand whether it is whole."""

    def check(self) -> int:
        """Return how many records there are. ConfigurationError: something is wrong."""
        ...


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
    """Return how many records a source has, if the caller or the source says so."""
    if total is not None and total < 0:
        raise ConfigurationError("total", f"must not be negative, unlike {total!r}.")
    if total is None and isinstance(source, Sized):
        return len(source)
    return total
