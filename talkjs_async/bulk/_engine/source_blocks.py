"""
Reads sources of records, any iterable, asynchronous or not, a block at a time.

A slow source holds up neither the event loop nor the records it has given: a block ends after 20 ms
(one second for files, which a thread reads), however few records it holds.
"""

from __future__ import annotations

import time
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
from typing import Final, Generic, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from talkjs_async._core.tasks import stray_cancellation_fails, uninterrupted
from talkjs_async._core.wire import is_whole
from talkjs_async.bulk._engine.owner_thread import OwnerThread
from talkjs_async.errors import ConfigurationError, shown

T = TypeVar("T")

Source: TypeAlias = Iterable[T] | AsyncIterable[T]

_BLOCK: Final = 200
"""The most records in a block: the journal is asked once for all of them."""

_SLICE: Final = 0.02
"""
Seconds after which a block ends or the event loop has a turn. In real time, since the source's own
code blocks all other tasks that long.
"""

_CLOSING_TAKES_AT_MOST: Final = 5.0
"""Seconds that an asynchronous generator has to clean up when its job ends early."""


@runtime_checkable
class Checkable(Protocol):
    """A source that can be checked as a whole before it is read."""

    def check(self) -> int:
        """Return how many records there are. ConfigurationError: something is wrong."""
        ...


class SourceBlocks(Generic[T]):
    """Reads a source in blocks, whichever kind of iterable it is."""

    def __init__(self, source: Source[T], *, in_thread: bool = False) -> None:
        """
        Begin with *source*; a mapping gives its items.

        Args:
            in_thread: Whether to read it in a thread, because it reads files.
        """
        if isinstance(source, str | bytes) or not isinstance(source, Iterable | AsyncIterable):
            raise ConfigurationError(
                "source", "must be an iterable of records; bulk.read_users(path) reads a file."
            )
        self._reader: _Reader[T]
        if isinstance(source, AsyncIterable):
            self._reader = _AsyncReader(aiter(source))
        else:
            things = source.items() if isinstance(source, Mapping) else source
            iterator = iter(cast("Iterable[T]", things))
            self._reader = _ThreadReader(iterator) if in_thread else _LoopReader(iterator)

    def start(self, tasks: TaskGroup) -> None:
        """Begin to read; *tasks* must outlive the reading."""
        self._reader.start(tasks)

    async def next(self) -> list[T]:
        """Return the next records. An empty list: there are no more."""
        return await self._reader.next()

    def close(self) -> None:
        """Let a generator clean up, which may happen a little later."""
        self._reader.close()


async def blocks_of(things: Iterator[T]) -> AsyncGenerator[list[T], None]:
    """Read an iterator that reads files, in a thread, in blocks."""
    blocks: SourceBlocks[T] = SourceBlocks(things, in_thread=True)
    try:
        while block := await blocks.next():
            yield block
    finally:
        blocks.close()


class _Reader(Protocol[T]):
    def start(self, tasks: TaskGroup) -> None: ...
    async def next(self) -> list[T]: ...
    def close(self) -> None: ...


class _Blocks(Generic[T]):
    """Takes blocks from an iterator, also from one that fails behind some records."""

    def __init__(self, things: Iterator[T]) -> None:
        self._things = things
        self._failure: Exception | None = None

    def take(self, seconds: float) -> list[T]:
        """Take what the iterator gives in some seconds, or a whole block."""
        if self._failure is not None:
            raise self._failure
        block: list[T] = []
        end = time.perf_counter() + seconds
        try:
            for thing in self._things:
                block.append(thing)
                if len(block) == _BLOCK or time.perf_counter() >= end:
                    break
        except Exception as error:
            if not block:
                raise
            self._failure = error
        return block


def _kept(thing: T) -> T:
    """
    Copy a record that its source may fill anew for the next one: it is read with its block.

    What is nested too deep stays as it is, and fails by itself.
    """
    try:
        return cast("T", _copied(thing))
    except RecursionError:
        return thing


def _copied(value: object) -> object:
    # Not of a class that is derived from these: the rows of files are, and come once each.
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    if type(value) is list:
        return [_copied(each) for each in value]
    if type(value) is tuple:
        return tuple([_copied(each) for each in value])
    return value


class _LoopReader(Generic[T]):
    """Reads an iterator in the event loop, where it was made: it may belong to this thread."""

    def __init__(self, things: Iterator[T]) -> None:
        self._things = things
        self._blocks = _Blocks(map(_kept, things))

    def start(self, tasks: TaskGroup) -> None:
        pass

    async def next(self) -> list[T]:
        await anyio.lowlevel.checkpoint()
        with stray_cancellation_fails("The source"):
            return self._blocks.take(_SLICE)

    def close(self) -> None:
        if isinstance(self._things, Generator):
            self._things.close()


class _ThreadReader(Generic[T]):
    """Reads an iterator over files, in a thread that owns it."""

    def __init__(self, things: Iterator[T]) -> None:
        self._things = things
        self._blocks = _Blocks(things)
        self._owner = OwnerThread("talkjs source")

    def start(self, tasks: TaskGroup) -> None:
        pass

    async def next(self) -> list[T]:
        return await self._owner.run(lambda: self._blocks.take(1.0))

    def close(self) -> None:
        things = self._things
        # Closed in its thread, which may be reading it.
        self._owner.finish(things.close if isinstance(things, Generator) else None)


class _AsyncReader(Generic[T]):
    """
    Reads an asynchronous iterator in a task of its own, a block ahead.

    Only that task uses the iterator: a generator may hold objects that belong to a task.
    """

    def __init__(self, things: AsyncIterator[T]) -> None:
        self._things = things
        self._block: list[T] = []
        self._ended = False
        self._failure: Exception | None = None
        self._news = anyio.Event()
        self._space = anyio.Event()
        self._scope = anyio.CancelScope()

    def start(self, tasks: TaskGroup) -> None:
        tasks.start_soon(uninterrupted(self._read))

    async def _read(self) -> None:
        try:
            with self._scope, stray_cancellation_fails("The source"):
                await self._read_all()
        except Exception as error:  # noqa: BLE001 - raised by next()
            self._failure = error
        finally:
            self._ended = True
            self._news.set()
            if isinstance(self._things, AsyncGenerator):
                with anyio.move_on_after(_CLOSING_TAKES_AT_MOST, shield=True):
                    await self._things.aclose()

    async def _read_all(self) -> None:
        end = time.perf_counter() + _SLICE
        async for thing in self._things:
            self._block.append(_kept(thing))
            self._news.set()
            if len(self._block) >= _BLOCK:
                self._space = anyio.Event()
                await self._space.wait()
                end = time.perf_counter() + _SLICE
            elif time.perf_counter() >= end:
                # The iterator itself may never yield to other tasks.
                await anyio.lowlevel.checkpoint()
                end = time.perf_counter() + _SLICE

    async def next(self) -> list[T]:
        while not self._block and not self._ended:
            self._news = anyio.Event()
            await self._news.wait()
        if not self._block and self._failure is not None:
            raise self._failure
        block, self._block = self._block, []
        self._space.set()
        return block

    def close(self) -> None:
        self._scope.cancel()


def total_of(source: object, total: int | None) -> int | None:
    """Return how many records a source has, if the caller or the source says so."""
    if total is not None and not is_whole(total, least=0):
        raise ConfigurationError(
            "total", f"must be a whole number of 0 or more, or None, not {shown(total)}."
        )
    if total is None and isinstance(source, Sized):
        return len(source)
    return total
