"""
Where the bytes of an upload come from: memory, the disk, an open file, a stream.

Nothing here blocks the event loop: the disk is read in threads. Called by the resource of files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterable, Callable
from functools import partial
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, Self, runtime_checkable

import anyio.to_thread
import attrs

from talkjs_async._core.call import Chunks
from talkjs_async.errors import ConfigurationError

PIECE: Final = 256 * 1024
"""Bytes read at once: large enough that the hop to a thread does not count."""

KINDS: Final = (
    "a path, bytes, a file that is open for reading bytes, an async stream of bytes, or an "
    "UploadFile of Starlette"
)


@runtime_checkable
class AsyncFile(Protocol):
    """A file that is read with await: Starlette's UploadFile is one."""

    async def read(self, size: int = -1, /) -> bytes:
        """Read the next bytes; none at the end."""
        ...

    async def seek(self, offset: int, /) -> Any:
        """Go to a place."""
        ...


@attrs.frozen
class Source:
    """
    Where the bytes of a file come from.

    Attributes:
        open: Begins to read from the start.
        length: Bytes. None: not known.
        replayable: Whether `open` may be called again.
        filename, content_type: What the source says of itself.
    """

    open: Callable[[], Chunks]
    length: int | None
    replayable: bool
    filename: str | None = None
    content_type: str | None = None


def source_of(file: object, size: int | None) -> Source:
    """
    Choose how to read *file*.

    Args:
        file: See KINDS.
        size: Bytes of a stream, if they are known beforehand.

    Raises:
        ConfigurationError: There is no readable file at that path, or *file* is something else.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        content = bytes(file)
        return Source(partial(_in_memory, content), len(content), replayable=True)
    if isinstance(file, str | os.PathLike):
        return _source_of_path(file)
    if iscoroutinefunction(getattr(file, "read", None)) and isinstance(file, AsyncFile):
        return Source(
            partial(AsyncFileChunks, file),
            _whole(getattr(file, "size", None)) if size is None else size,
            replayable=iscoroutinefunction(file.seek),
            filename=_text(getattr(file, "filename", None)),
            content_type=_text(getattr(file, "content_type", None)),
        )
    if isinstance(file, AsyncIterable):
        return Source(partial(StreamChunks, file, size), size, replayable=False)
    if callable(getattr(file, "read", None)):
        return _source_of_open_file(file)
    raise ConfigurationError("file", f"must be {KINDS}, not {type(file).__name__}.")


def _source_of_path(file: str | os.PathLike[Any]) -> Source:
    try:
        path = Path(os.fsdecode(file))
        # Looked at before it is opened: to open a pipe waits for its other end.
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            path.open("rb").close()
    except OSError as error:
        raise ConfigurationError("file", f"cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError):
        raise ConfigurationError("file", "is a path that no file can have.") from None
    if stat.S_ISDIR(found.st_mode):
        raise ConfigurationError("file", "cannot be read: it is a directory.")
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(
            "file",
            "cannot be read: it is no regular file. Pass the content of a pipe as a stream.",
        )
    length = found.st_size
    return Source(partial(FileChunks, path, length), length, replayable=True, filename=path.name)


def _source_of_open_file(file: Any) -> Source:
    if getattr(file, "closed", False):
        raise ConfigurationError("file", "is closed.")
    try:
        is_binary = file.read(0) == b""
        begin = file.tell() if file.seekable() else None
        length = None if begin is None else file.seek(0, os.SEEK_END) - begin
        if begin is not None:
            file.seek(begin)
    except (OSError, ValueError, AttributeError, TypeError):
        raise ConfigurationError("file", f"must be {KINDS}, and readable.") from None
    if not is_binary:
        raise ConfigurationError("file", "must be open for bytes: open it with mode 'rb'.")
    name = getattr(file, "name", None)
    return Source(
        partial(OpenFileChunks, file, begin, length),
        length,
        replayable=begin is not None,
        filename=os.path.basename(name) if isinstance(name, str) else None,  # noqa: PTH119 - text
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


class Pieces:
    """Bytes and other chunks, one after the other."""

    def __init__(self, pieces: list[bytes | Chunks]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while self._pieces:
            piece = self._pieces[0]
            if isinstance(piece, bytes):
                del self._pieces[0]
                return piece
            try:
                return await piece.__anext__()
            except StopAsyncIteration:
                await piece.aclose()
                del self._pieces[0]
        raise StopAsyncIteration

    async def aclose(self) -> None:
        for piece in self._pieces:
            if not isinstance(piece, bytes):
                await piece.aclose()


def _in_memory(content: bytes) -> Pieces:
    return Pieces([content])


class _FileChunks:
    """What comes from a file; the caller opened it, and the caller closes it."""

    def __aiter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        pass


class _BlockingChunks(_FileChunks):
    """A file that is read in a thread, and must keep the length that was told."""

    def __init__(self, length: int | None) -> None:
        self._left = length

    async def __anext__(self) -> bytes:
        try:
            piece = await anyio.to_thread.run_sync(self._read)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is closed"
            raise ConfigurationError("file", f"cannot be read: {reason}.") from error
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0 or (not piece and self._left):
                raise ConfigurationError("file", "changed its size while it was sent.")
        if not piece:
            raise StopAsyncIteration
        return piece

    def _read(self) -> bytes:
        raise NotImplementedError


class FileChunks(_BlockingChunks):
    """A file on disk."""

    def __init__(self, path: Path, length: int) -> None:
        super().__init__(length)
        self._path = path
        self._file: BinaryIO | None = None

    def _read(self) -> bytes:
        # Opened in here, not awaited: a cancelled call still knows what to close.
        if self._file is None:
            self._file = self._path.open("rb")
        return self._file.read(PIECE)

    async def aclose(self) -> None:
        if self._file is not None:
            self._file.close()


class OpenFileChunks(_BlockingChunks):
    """A file that the caller has opened."""

    def __init__(self, file: Any, begin: int | None, length: int | None) -> None:
        super().__init__(length)
        self._file = file
        self._begin = begin

    def _read(self) -> bytes:
        if self._begin is not None:
            self._file.seek(self._begin)
            self._begin = None
        piece: bytes | None = self._file.read(PIECE)
        return piece or b""


class AsyncFileChunks(_FileChunks):
    """A file that is read with await."""

    def __init__(self, file: AsyncFile) -> None:
        self._file = file
        self._begun = False

    async def __anext__(self) -> bytes:
        if not self._begun:
            self._begun = True
            await self._file.seek(0)
        piece = await self._file.read(PIECE)
        if not isinstance(piece, bytes):
            raise ConfigurationError("file", f"must yield bytes, not {type(piece).__name__}.")
        if not piece:
            raise StopAsyncIteration
        return piece


class StreamChunks:
    """A stream of the caller's, which can be read once."""

    def __init__(self, stream: AsyncIterable[bytes], size: int | None) -> None:
        self._pieces = aiter(stream)
        self._left = size

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            if self._left:
                raise ConfigurationError(
                    "size", f"is {self._left} more than the stream had."
                ) from None
            raise
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise ConfigurationError("file", f"must yield bytes, not {type(piece).__name__}.")
        # Its items may be of several bytes each.
        piece = bytes(piece)
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise ConfigurationError("size", "is less than the stream has.")
        return piece

    async def aclose(self) -> None:
        # A generator that is left half-way would be closed by the garbage collector, some day.
        close: Any = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()
