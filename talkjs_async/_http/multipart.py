"""
One file as multipart/form-data, read while it is sent.

Holds one piece of the file at a time, however large it is. Knows no noun of the API.

Source: RFC 7578; file names are escaped as browsers do it (HTML Standard, section 4.10.21.8).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterable, Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import anyio.to_thread
import attrs

from talkjs_async._core.call import Chunks, Upload
from talkjs_async.errors import ConfigurationError

PIECE: Final = 256 * 1024
"""Bytes read at once: large enough that the hop to a thread does not count."""

_ESCAPES: Final = {ord("\r"): "%0D", ord("\n"): "%0A", ord('"'): "%22"}


@attrs.frozen
class Source:
    """
    Where the bytes of a file come from.

    Attributes:
        open: Begins to read from the start.
        length: Bytes. None: not known.
        replayable: Whether `open` may be called again.
    """

    open: Callable[[], Chunks]
    length: int | None
    replayable: bool


def source_of(file: bytes | Path | AsyncIterable[bytes], size: int | None) -> Source:
    """
    Choose how to read *file*.

    Args:
        file: Its content, its path, or a stream that can be read once.
        size: Bytes of a stream, if they are known beforehand.

    Raises:
        ConfigurationError: There is no readable file at that path.
    """
    if isinstance(file, bytes):
        return Source(lambda: Pieces([file]), len(file), replayable=True)
    if isinstance(file, Path):
        try:
            with file.open("rb"):
                length = file.stat().st_size
        except OSError as error:
            raise ConfigurationError("file", f"cannot be read: {error.strerror}.") from error
        return Source(lambda: FileChunks(file, length), length, replayable=True)
    return Source(lambda: StreamChunks(file, size), size, replayable=False)


def multipart(
    source: Source, *, filename: str, content_type: str, fields: Mapping[str, str]
) -> Upload:
    """
    Build the body of a form: some text *fields*, then one part named "file".

    Args:
        source: The content of the file.
        filename: May hold anything.
        content_type: Of the file; one line of ASCII.
        fields: Plain names to texts of one line.
    """
    boundary = secrets.token_hex(16)
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="%s"'
    head = "".join(f"{part % name}\r\n\r\n{value}\r\n" for name, value in fields.items())
    head += f'{part % "file"}; filename="{filename.translate(_ESCAPES)}"\r\n'
    head += f"Content-Type: {content_type}\r\n\r\n"
    before, after = head.encode(), f"\r\n--{boundary}--\r\n".encode()
    length = source.length
    return Upload(
        content_type=f"multipart/form-data; boundary={boundary}",
        length=None if length is None else len(before) + length + len(after),
        open=lambda: Pieces([before, source.open(), after]),
        replayable=source.replayable,
    )


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


class FileChunks:
    """A file on disk, read in a thread."""

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        self._left = length
        self._file: BinaryIO | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anyio.to_thread.run_sync(self._read)
        except OSError as error:
            raise ConfigurationError("file", f"cannot be read: {error.strerror}.") from error
        self._left -= len(piece)
        if self._left < 0 or (not piece and self._left):
            raise ConfigurationError("file", "changed its size while it was sent.")
        if not piece:
            raise StopAsyncIteration
        return piece

    def _read(self) -> bytes:
        # Opened in here, not awaited: a cancelled call still knows what to close.
        if self._file is None:
            self._file = self._path.open("rb")
        return self._file.read(PIECE)

    async def aclose(self) -> None:
        if self._file is not None:
            self._file.close()


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
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise ConfigurationError("size", "is less than the stream has.")
        return bytes(piece)

    async def aclose(self) -> None:
        # A generator that is left half-way would be closed by the garbage collector, some day.
        close: Any = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()
