"""A file as multipart/form-data: the bytes, the pieces, and what is closed."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async._core.call import Chunks, Upload
from talkjs_async._http.multipart import multipart
from talkjs_async._http.upload_sources import PIECE, source_of
from talkjs_async.errors import ConfigurationError

pytestmark = pytest.mark.anyio


async def pieces_of(chunks: Chunks) -> list[bytes]:
    """Read a body to its end, as the HTTP library does, and let go of it."""
    try:
        return [piece async for piece in chunks]
    finally:
        await chunks.aclose()


def form(upload: Upload, body: bytes) -> dict[str, Any]:
    """Read a form with a parser that is not ours: name to content."""
    header = f"Content-Type: {upload.content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(header + body)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
        for part in message.iter_parts()
    }


async def stream(*pieces: Any) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_a_form_has_its_fields_and_then_the_file() -> None:
    source = source_of(b"content", None)

    upload = multipart(
        source, filename="a.txt", content_type="text/plain", fields={"subtype": "image"}
    )
    body = b"".join(await pieces_of(upload.open()))

    boundary = upload.content_type.partition("boundary=")[2]
    assert (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="subtype"\r\n\r\nimage\r\n'
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        "Content-Type: text/plain\r\n\r\ncontent\r\n"
        f"--{boundary}--\r\n"
    ).encode() == body
    assert len(body) == upload.length


@given(
    content=st.binary(max_size=2_000),
    filename=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)
def test_any_file_of_any_name_is_read_back_by_another_parser(content: bytes, filename: str) -> None:
    upload = multipart(
        source_of(content, None),
        filename=filename,
        content_type="application/octet-stream",
        fields={"width": "640"},
    )

    body = b"".join(anyio.run(pieces_of, upload.open()))

    assert {"width": b"640", "file": content} == form(upload, body)
    assert len(body) == upload.length
    # The name cannot end its line or its quotes.
    head = body.partition(b'name="file"; ')[2].partition(b"\r\n")[0]
    assert head.startswith(b'filename="')
    assert 2 == head.count(b'"')


async def test_a_file_is_read_in_pieces_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * (3 * PIECE + 5))

    source = source_of(path, None)
    pieces = await pieces_of(source.open())

    assert [PIECE, PIECE, PIECE, 5] == [len(piece) for piece in pieces]
    assert 3 * PIECE + 5 == source.length


async def test_a_file_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"again")
    source = source_of(path, None)

    assert source.replayable
    assert [await pieces_of(source.open()) for _ in range(2)] == [[b"again"], [b"again"]]


async def test_a_file_that_is_left_half_way_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * (2 * PIECE))
    chunks = source_of(path, None).open()

    await anext(chunks)
    await chunks.aclose()

    # Reading on would fail; the garbage collector would complain of an open file.
    with pytest.raises(ValueError, match="closed"):
        await anext(chunks)


async def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()

    assert [] == await pieces_of(source_of(path, None).open())


@pytest.mark.parametrize("now", [b"", b"abc", b"abcdefgh"], ids=["empty", "shorter", "longer"])
async def test_a_file_that_changes_its_size_meanwhile_is_named(tmp_path: Path, now: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abcdef")
    source = source_of(path, None)
    path.write_bytes(now)

    with pytest.raises(ConfigurationError, match="changed its size"):
        await pieces_of(source.open())


async def test_a_file_that_goes_away_meanwhile_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abcdef")
    source = source_of(path, None)
    path.unlink()

    with pytest.raises(ConfigurationError, match="cannot be read"):
        await pieces_of(source.open())


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_what_is_no_readable_file_is_named_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        source_of(tmp_path / name, None)

    assert "file" == caught.value.argument


async def test_a_stream_of_unknown_size_has_no_length() -> None:
    source = source_of(stream(b"ab", bytearray(b"cd"), memoryview(b"ef")), None)
    upload = multipart(source, filename="a", content_type="text/plain", fields={})

    body = b"".join(await pieces_of(upload.open()))

    assert (None, False) == (upload.length, upload.replayable)
    assert {"file": b"abcdef"} == form(upload, body)


@pytest.mark.parametrize(
    ("pieces", "size", "argument"),
    [
        ((b"abc",), 2, "size"),
        ((b"abc",), 4, "size"),
        ((), 1, "size"),
        ((b"a", "b"), None, "file"),
        ((b"a", None), None, "file"),
    ],
)
async def test_a_stream_that_is_not_what_was_said_is_named(
    pieces: tuple[Any, ...], size: int | None, argument: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await pieces_of(source_of(stream(*pieces), size).open())

    assert argument == caught.value.argument


async def test_a_stream_of_the_announced_size_is_read() -> None:
    assert [b"abc"] == await pieces_of(source_of(stream(b"abc"), 3).open())
    assert [] == await pieces_of(source_of(stream(), 0).open())


async def test_the_size_of_a_stream_counts_bytes_whatever_its_pieces_count() -> None:
    async def numbers() -> AsyncIterator[Any]:
        yield memoryview(array("I", [1, 2]))

    size = 2 * array("I").itemsize

    assert [size] == [len(piece) for piece in await pieces_of(source_of(numbers(), size).open())]


async def test_a_stream_that_is_left_half_way_is_closed() -> None:
    closed = []

    async def source() -> AsyncIterator[bytes]:
        try:
            yield b"ab"
            yield b"cd"
        finally:
            closed.append(True)

    upload = multipart(
        source_of(source(), None), filename="a", content_type="text/plain", fields={}
    )
    chunks = upload.open()
    head, first = await anext(chunks), await anext(chunks)
    await chunks.aclose()

    assert (b"--", b"ab", [True]) == (head[:2], first, closed)
