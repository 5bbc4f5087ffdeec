"""Malformed answers, made at random from a seed: mutations of right ones."""

from __future__ import annotations

import gzip
from collections import Counter
from random import Random

import anyio

from talkjs_async import AsyncTalkJS, TalkJSError, TokenBucket
from tests.hostile.matrix import AT_ONCE, HANGS, Wiring, body_for, build
from tests.hostile.raw_server import Exchange, answer

_TOKENS = (
    *(
        b"\r\n",
        b"\n",
        b"\0",
        b"\xff\xfe",
        b":",
        b" ",
        b"\t",
        b"{",
        b"[" * 3000,
        b'"',
        b"1e999",
        b"-",
    ),
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n",
        b"content-length: 5\r\n",
        b"0\r\n\r\n",
    ),
    *(b"transfer-encoding: chunked\r\n", b"content-encoding: gzip\r\n", b"\x1f\x8b\x08", b"null"),
    *(b"connection: close\r\n", b"ffffffff\r\n", b"\xed\xa0\x80", b'{"id":1}', b"x" * 5000),
)


def malformed(seed: str, body: bytes) -> tuple[bytes, bool]:
    """Make an answer, and say whether the server hangs up after it."""
    chance = Random(seed)
    if chance.random() < 0.2:
        body = gzip.compress(body, mtime=0)
        right = answer(body, headers=("content-encoding: gzip",))
    elif chance.random() < 0.3:
        right = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        right += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        right = answer(body, status=chance.choice(["200 OK", "200 OK", "201 C", "404 N", "500 E"]))
    content = bytearray(right)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(6):
            case 0:
                content[place : place + chance.randrange(1, 9)] = b""
            case 1:
                content[place:place] = chance.choice(_TOKENS)
            case 2:
                content[place : place + 1] = bytes([chance.randrange(256)])
            case 3:
                content[place : place + 6] = chance.choice(_TOKENS)
            case 4:
                del content[place:]
            case _:
                content += content[: chance.randrange(len(content) + 1)]
    return bytes(content), chance.random() < 0.85


async def play(exchange: Exchange) -> None:
    """Answer with what the app's ID is the seed of."""
    content, last = malformed(exchange.target.partition("/v1/")[2], body_for(exchange))
    await exchange.write(content)
    if last:
        exchange.close()


async def run(count: int, wiring: Wiring, *, seed: int) -> Counter[str]:
    """Make *count* calls, each of which meets a malformed answer. Returns how they ended."""
    ends: Counter[str] = Counter()
    numbers = iter(range(count))

    async def one(talkjs: AsyncTalkJS, number: int) -> str:
        # One call in eight through the same connection meets what the one before left there.
        name = f"u{seed}-{number}"
        with anyio.move_on_after(HANGS):
            try:
                if number % 4 == 3:
                    await talkjs.messages.send("c1", sender=name, text="hi")
                else:
                    user = await talkjs.users.get(name)
                    return "ok" if user.id == name else "WRONG ANSWER"
            except TalkJSError as error:
                return type(error).__name__
            except Exception as error:  # noqa: BLE001 - what is not ours is what is looked for
                return f"NOT OURS: {type(error).__name__}"
            return "ok"
        return "HANGS"

    async def work(worker: int) -> None:
        bucket = TokenBucket(rate=1e6, burst=1_000_000)
        talkjs = build(wiring, f"fuzz{seed}-{worker}", bucket, wiring.server.url)
        quick = talkjs.with_options(timeout=0.3, retry=1)
        for number in numbers:
            ends[await one(quick, number)] += 1
        await talkjs.aclose()

    async with anyio.create_task_group() as tasks:
        for worker in range(AT_ONCE):
            tasks.start_soon(work, worker)
    return ends
