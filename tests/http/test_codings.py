"""gzip is read in bounded steps, whatever its members; no other coding is read."""

from __future__ import annotations

import gzip
import time
import zlib
from random import Random

import anyio
import pytest
from anyio.lowlevel import checkpoint

from talkjs_async import DecodeError, OutcomeUnknown
from talkjs_async._http.answer import Unreadable, inflate
from tests.hostile.raw_server import always, answer, user
from tests.http.conftest import Client, Serve

pytestmark = pytest.mark.anyio

ALICE = user("/alice")
ZIPPED = gzip.compress(ALICE)
MEBIBYTE = 1024 * 1024


def bomb(mebibytes: int) -> bytes:
    """Bytes of gzip, some thousandth of what they expand to."""
    shrink = zlib.compressobj(9, wbits=31)
    head = shrink.compress(bytes(MEBIBYTE)) + shrink.flush(zlib.Z_FULL_FLUSH)
    block = shrink.compress(bytes(MEBIBYTE)) + shrink.flush(zlib.Z_FULL_FLUSH)
    return head + block * (mebibytes - 1)


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        (["GZIP"], ZIPPED),
        (["x-gzip"], ZIPPED),
        (["identity, gzip"], ZIPPED),
        (["identity", "gzip"], ZIPPED),
        (["gzip"], gzip.compress(ALICE[:9]) + gzip.compress(b"") + gzip.compress(ALICE[9:])),
        (["gzip"], gzip.compress(ALICE + b" " * 5_000_000)),
        (["identity"], ALICE),
        ([""], ALICE),
        ([", ,"], ALICE),
    ],
    ids=["capitals", "old", "list", "lines", "members", "long", "identity", "empty", "commas"],
)
async def test_what_was_asked_for_is_read(
    serve: Serve, client: Client, codings: list[str], body: bytes
) -> None:
    headers = tuple(f"Content-Encoding: {each}" for each in codings)
    talkjs = client(serve(always(answer(body, headers=headers))))

    assert "alice" == (await talkjs.users.get("alice")).name


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"xx"),
        ("gzip", ZIPPED[:-9]),
        ("gzip", ZIPPED[:10]),
        ("gzip", ZIPPED + b"behind"),
        ("gzip", ZIPPED + ZIPPED[:-1]),
        ("gzip", ZIPPED + bytes(4)),
        ("gzip", ALICE),
        ("deflate", zlib.compress(ALICE)),
        ("deflate", zlib.compress(ALICE)[2:-4]),
        ("br", b"\x8b\x00\x80"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("gzip, gzip", gzip.compress(ZIPPED)),
    ],
    ids=[
        *("rubbish", "cut", "head", "followed", "second cut", "padded", "plain"),
        *("deflate", "raw deflate", "br", "zstd", "twice"),
    ],
)
async def test_a_coding_that_cannot_be_read_is_repeated_where_that_is_safe(
    serve: Serve, client: Client, coding: str, body: bytes
) -> None:
    server = serve(always(answer(body, headers=(f"content-encoding: {coding}",))))
    talkjs = client(server)

    with pytest.raises(OutcomeUnknown, match="answered 200, but its body") as caught:
        await talkjs.users.get("alice")

    assert 200 == caught.value.status
    assert 3 == len(server.seen)


class TestInflate:
    async def test_any_content_in_any_members_comes_out_as_it_went_in(self) -> None:
        chance = Random(20261127)
        for _ in range(20):
            parts = [
                chance.randbytes(chance.randrange(9000)) * chance.choice([0, 1, 1, 700])
                for _ in range(chance.randrange(1, 6))
            ]
            raw = b"".join(gzip.compress(each, chance.randrange(1, 10)) for each in parts)

            assert b"".join(parts) == await inflate(raw, 1e9)

    @pytest.mark.parametrize("over", [-1, 0, 1])
    async def test_what_ends_near_a_step_is_whole(self, over: int) -> None:
        content = bytes(3 * MEBIBYTE + over)

        assert content == await inflate(gzip.compress(content), 1e9)

    async def test_the_bound_counts_all_members_together(self) -> None:
        member = gzip.compress(bytes(1000))

        assert 3000 == len(await inflate(member * 3, 3000))
        with pytest.raises(DecodeError, match="at most 2999 bytes"):
            await inflate(member * 3, 2999)

    async def test_other_tasks_go_on_beside_a_bomb(self) -> None:
        gaps: list[float] = []

        async def beat() -> None:
            while True:
                # CPU time of this thread: another process that is busy does not count.
                since = time.thread_time()
                await checkpoint()
                gaps.append(time.thread_time() - since)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beat)
            with pytest.raises(DecodeError, match="at most 16777216 bytes"):
                await inflate(bomb(2048), 16 * MEBIBYTE)
            with pytest.raises(DecodeError, match="at most 9 bytes"):
                await inflate(gzip.compress(b"") * 100_000 + gzip.compress(bytes(10)), 9)
            tasks.cancel_scope.cancel()

        assert len(gaps) > 20
        assert max(gaps) < 0.05

    async def test_each_cut_of_it_is_unreadable(self) -> None:
        for length in range(len(ZIPPED)):
            with pytest.raises(Unreadable):
                await inflate(ZIPPED[:length] or b"\x1f", 1e9)
