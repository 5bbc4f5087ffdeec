"""Uploads: every source, every failure, flat memory."""

from __future__ import annotations

import io
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.datastructures import Headers, UploadFile

from talkjs_async import (
    AsyncTalkJS,
    BadRequest,
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    OutcomeUnknown,
    OwnBudgets,
    ServerError,
    TokenBucket,
    call_of,
)
from talkjs_async.emulator import Emulator, RealClock
from talkjs_async.emulator._multipart import read_multipart
from talkjs_async.emulator.files import File
from tests.fixtures import EngineName

pytestmark = pytest.mark.anyio

AnsweredWith = Callable[..., AsyncTalkJS]


def stored(emulator: Emulator, token: str) -> File:
    return emulator.apps[emulator.app_id].files[token]


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_bytes_are_uploaded_with_all_details(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    token = (
        await talkjs.files.upload(
            b"not really a film",
            filename="my film.mp4",
            subtype="video",
            width=640,
            height=480.5,
            duration=3.25,
        )
    ).token

    file = stored(emulator, token)
    assert (b"not really a film", "my film.mp4", "video/mp4") == (
        file.content,
        file.filename,
        file.content_type,
    )
    assert ("video", 640, 480.5, 3.25) == (file.subtype, file.width, file.height, file.duration)


@pytest.mark.parametrize("kind", [str, Path])
async def test_a_path_says_name_and_type_by_itself(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path, kind: Callable[[Path], Any]
) -> None:
    path = tmp_path / "grüße 🙂.txt"
    path.write_text("hi")

    token = (await talkjs.files.upload(kind(path))).token

    file = stored(emulator, token)
    assert (b"hi", "grüße 🙂.txt", "text/plain") == (
        file.content,
        file.filename,
        file.content_type,
    )


@pytest.mark.parametrize("name", ["a.txt", "grüße 🙂.txt", 'quo"ted; filename=x.txt', "a\r\nb.txt"])
async def test_the_name_is_sent_as_a_part_of_its_own_too(name: str) -> None:
    call = call_of(AsyncTalkJS("app", "key").files.upload, b"x", filename=name)
    assert call.upload is not None
    body = b"".join([piece async for piece in call.upload.open()])
    request = httpx.Request(
        "POST", "http://x", content=body, headers={"content-type": call.upload.content_type}
    )

    parts = read_multipart(request.headers["content-type"], body)

    assert name == parts["filename"].content.decode()
    assert b"x" == parts["file"].content


async def test_an_upload_says_what_became_of_it(talkjs: AsyncTalkJS, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"1234")

    uploaded = await talkjs.files.upload(path)

    assert ("a.png", "image/png", 4) == (uploaded.filename, uploaded.content_type, uploaded.size)
    assert uploaded.token


@pytest.mark.parametrize("begin", [0, 2])
async def test_an_open_file_is_sent_from_where_it_stands_and_left_open(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path, begin: int
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a file")
    emulator.faults.add("return-503", first=1)
    with path.open("rb") as file:
        file.seek(begin)

        uploaded = await talkjs.files.upload(file)

        assert not file.closed
    sent = stored(emulator, uploaded.token)
    assert (b"a file"[begin:], "a.txt", "text/plain") == (
        sent.content,
        sent.filename,
        sent.content_type,
    )


async def test_bytes_that_are_open_as_a_file_are_sent(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    uploaded = await talkjs.files.upload(io.BytesIO(b"in memory"), filename="a")

    assert b"in memory" == stored(emulator, uploaded.token).content


async def test_what_a_form_has_brought_is_sent(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    form = UploadFile(
        io.BytesIO(b"from a browser"),
        size=14,
        filename="photo.png",
        headers=Headers({"content-type": "image/png"}),
    )
    await form.read()
    emulator.faults.add("return-503", first=1)

    uploaded = await talkjs.files.upload(form)

    sent = stored(emulator, uploaded.token)
    assert (b"from a browser", "photo.png", "image/png") == (
        sent.content,
        sent.filename,
        sent.content_type,
    )


async def test_a_file_of_anyio_is_sent(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"line\nline")
    async with await anyio.open_file(path, "rb") as file:
        uploaded = await talkjs.files.upload(file, filename="a.txt")

    assert b"line\nline" == stored(emulator, uploaded.token).content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such pipes")
async def test_a_pipe_is_refused_at_once(talkjs: AsyncTalkJS, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ConfigurationError, match="file: cannot be read: it is no regular file"):
        await talkjs.files.upload(tmp_path / "pipe")


@pytest.mark.parametrize("path", ["", "."])
async def test_a_directory_is_refused_as_one(talkjs: AsyncTalkJS, path: str) -> None:
    with pytest.raises(ConfigurationError, match="file: cannot be read: it is a directory"):
        await talkjs.files.upload(path)


async def test_a_closed_or_a_text_file_is_refused(talkjs: AsyncTalkJS, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    with path.open() as text, pytest.raises(ConfigurationError, match="open it with mode 'rb'"):
        await talkjs.files.upload(text)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="file: is closed"):
        await talkjs.files.upload(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [{}, {"size": 4}], ids=["size unknown", "size known"])
async def test_a_stream_is_uploaded(
    talkjs: AsyncTalkJS, emulator: Emulator, size: dict[str, Any]
) -> None:
    token = (
        await talkjs.files.upload(
            stream(b"ab", b"", b"cd"), filename="a.bin", content_type="application/x-abcd", **size
        )
    ).token

    file = stored(emulator, token)
    assert (b"abcd", "application/x-abcd") == (file.content, file.content_type)


async def test_a_token_may_be_sent_more_than_once(talkjs: AsyncTalkJS, chat: None) -> None:
    token = (await talkjs.files.upload(b"%PDF", filename="offer.pdf")).token

    for sender in ("alice", "bob"):
        await talkjs.messages.send("chat", sender=sender, attachment_token=token)

    messages = await talkjs.messages.list("chat").collect()
    assert [4, 4] == [message.attachment.size for message in messages if message.attachment]


@pytest.mark.parametrize("key", ["attachmentToken", "fileToken"])
async def test_the_token_is_read_under_either_name(
    talkjs: AsyncTalkJS, emulator: Emulator, key: Any
) -> None:
    emulator.switches.upload_key = key

    token = (await talkjs.files.upload(b"x", filename="x")).token

    assert b"x" == stored(emulator, token).content


async def test_an_answer_without_a_token_is_an_error(answered_with: AnsweredWith) -> None:
    with pytest.raises(DecodeError) as caught:
        await answered_with({}).files.upload(b"x", filename="x")

    assert "$.attachmentToken" == caught.value.json_path


@pytest.mark.parametrize(
    "fault", ["return-503", "return-429-retry-after-1", "refuse", "drop-after-commit"]
)
async def test_what_can_be_read_again_is_uploaded_again(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path, fault: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a file")
    emulator.faults.add(fault, first=2)

    token = (await talkjs.files.upload(path)).token

    assert b"a file" == stored(emulator, token).content
    assert 3 == len(emulator.requests)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("return-503", ServerError),
        ("refuse", ConnectFailed),
        ("drop-after-commit", OutcomeUnknown),
    ],
)
async def test_what_can_be_read_once_has_one_attempt(
    talkjs: AsyncTalkJS, emulator: Emulator, fault: str, error: type[Exception]
) -> None:
    emulator.faults.add(fault)

    with pytest.raises(error):
        await talkjs.files.upload(stream(b"once"), filename="a")

    assert 1 == len(emulator.requests)
    assert 0 == talkjs.budget.in_flight


async def test_an_error_of_the_stream_is_the_callers_own(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"ab"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await talkjs.files.upload(broken(), filename="a")
    token = (await talkjs.files.upload(b"fine", filename="b")).token

    assert b"fine" == stored(emulator, token).content
    assert 0 == talkjs.budget.in_flight


async def test_a_file_that_changes_meanwhile_is_named(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"long enough")
    call = call_of(talkjs.files.upload, path)
    path.write_bytes(b"short")

    with pytest.raises(ConfigurationError, match="changed its size"):
        await talkjs._pipeline.run(call)

    assert 0 == talkjs.budget.in_flight


async def test_a_file_that_talkjs_refuses_is_a_bad_request(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.apps[emulator.app_id].is_anonymous = True

    with pytest.raises(BadRequest, match="1 MB"):
        await talkjs.files.upload(bytes(1_000_001), filename="large.bin")


@pytest.mark.parametrize("size", [-1, 1.5, True, "4"])
async def test_the_size_of_a_stream_is_a_whole_number(talkjs: AsyncTalkJS, size: Any) -> None:
    source = stream(b"ab")

    with pytest.raises(ConfigurationError) as caught:
        await talkjs.files.upload(source, filename="a", size=size)
    await source.aclose()  # type: ignore[attr-defined]

    assert "size" == caught.value.argument


class Counter(httpx.AsyncBaseTransport):
    """Takes a body without keeping it."""

    def __init__(self) -> None:
        self.received = 0
        self.headers = httpx.Headers()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.headers = request.headers
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            self.received += len(piece)
        return httpx.Response(200, json={"attachmentToken": "tok_1"})


async def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    counter = Counter()
    async with AsyncTalkJS("app", "sk_test_files", transport=counter) as talkjs:
        await talkjs.files.upload(b"what is loaded once is loaded now", filename="a")
        counter.received = 0

        tracemalloc.start()
        await talkjs.files.upload(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert int(counter.headers["content-length"]) == counter.received > 100_000_000
    assert peak < 4_000_000


class Stuck(httpx.AsyncBaseTransport):
    """Reads the first piece of a body and then nothing more."""

    def __init__(self) -> None:
        self.heard = anyio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        pieces = aiter(request.stream)
        for _ in range(2):
            await anext(pieces)
        self.heard.set()
        await anyio.sleep_forever()
        raise AssertionError("never reached")


@pytest.mark.parametrize("kind", ["stream", "path"])
async def test_a_cancelled_upload_lets_go_of_its_source(kind: str, tmp_path: Path) -> None:
    closed = []

    async def source() -> AsyncIterator[bytes]:
        try:
            yield b"ab"
            yield b"cd"
        finally:
            closed.append(True)

    path = tmp_path / "a.txt"
    path.write_bytes(b"a file")
    stuck = Stuck()
    async with (
        AsyncTalkJS("app", "sk_test_files", transport=stuck) as talkjs,
        anyio.create_task_group() as tasks,
    ):

        async def upload() -> None:
            await talkjs.files.upload(source() if kind == "stream" else path, filename="a")

        tasks.start_soon(upload)
        await stuck.heard.wait()
        tasks.cancel_scope.cancel()

    assert closed == ([True] if kind == "stream" else [])
    assert 0 == talkjs.budget.in_flight


@pytest.mark.parametrize("kind", ["path", "stream"])
async def test_uploads_travel_over_real_connections(
    engine: EngineName, tmp_path: Path, kind: str
) -> None:
    content = bytes(range(256)) * 8_000
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    emulator = Emulator(clock=RealClock())
    emulator.faults.add("return-503", on="POST /files", nth=1)
    with emulator.serve() as server:
        async with AsyncTalkJS(
            emulator.app_id,
            emulator.secret_key,
            engine=engine,
            base_url=server.base_url,
            budgets=OwnBudgets(TokenBucket()),
        ) as talkjs:
            if kind == "stream":
                with pytest.raises(ServerError):
                    await talkjs.files.upload(stream(content), filename="a.bin")
                token = (await talkjs.files.upload(stream(content), filename="a.bin")).token
            else:
                token = (await talkjs.files.upload(path)).token
            user_works = await talkjs.users.list().collect()

    assert content == stored(emulator, token).content
    assert [] == user_works


async def test_an_injected_client_of_either_library_uploads(
    emulator: Emulator, engine: str
) -> None:
    library = import_module(engine)
    async with (
        library.AsyncClient(transport=emulator.transport) as http_client,
        AsyncTalkJS(
            emulator.app_id,
            emulator.secret_key,
            http_client=http_client,
            budgets=OwnBudgets(TokenBucket(clock=emulator.clock)),
            clock=emulator.clock,
        ) as talkjs,
    ):
        token = (await talkjs.files.upload(stream(b"ab", b"cd"), filename="a.bin")).token

    assert b"abcd" == stored(emulator, token).content
