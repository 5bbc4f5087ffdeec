"""What may lie behind an answer: surplus, late and junk bytes, each with the answer it follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio

from talkjs_async import AsyncTalkJS, TalkJSError
from tests.hostile.raw_server import Exchange, answer, right, user

Pieces = tuple[bytes, ...]

READ = 64 * 1024
"""Bytes that the HTTP libraries read at once."""

MALLORY = answer(b'{"id":"mallory","name":"Mallory","createdAt":1}')
"""An answer that was not asked for."""


def _chunked(body: bytes, *, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + end


def _filled(body: bytes, size: int) -> bytes:
    """An answer with *body* that takes exactly *size* bytes on the wire."""
    padding = size - len(answer(body, headers=("x-padding: ",)))
    return answer(body, headers=(f"x-padding: {'x' * padding}",))


FORMS: dict[str, Callable[[bytes], Pieces]] = {
    "the answer twice in one write": lambda body: (answer(body) * 2,),
    "the answer twice in two writes": lambda body: (answer(body), answer(body)),
    "another's answer in one write": lambda body: (answer(body) + MALLORY,),
    "another's answer in two writes": lambda body: (answer(body), MALLORY),
    "ten answers": lambda body: (answer(body) + MALLORY * 10,),
    "half an answer": lambda body: (answer(body) + MALLORY[:20],),
    "a lone CRLF": lambda body: (answer(body) + b"\r\n",),
    "a lone CRLF, apart": lambda body: (answer(body), b"\r\n"),
    "many CRLF": lambda body: (answer(body) + b"\r\n" * 9,),
    "junk": lambda body: (answer(body) + b"junk",),
    "junk, apart": lambda body: (answer(body), b"junk"),
    "one NUL": lambda body: (answer(body) + b"\0",),
    "a length that is too small": lambda body: (answer(body + b"}}}}", length=len(body)),),
    "a second end of chunks": lambda body: (_chunked(body, end=b"0\r\n\r\n0\r\n\r\n"),),
    "an answer behind chunks": lambda body: (_chunked(body) + MALLORY,),
    "an interim answer behind it": lambda body: (answer(body) + b"HTTP/1.1 103 Early\r\n\r\n",),
    "an interim answer before it, and one behind": lambda body: (
        b"HTTP/1.1 103 Early\r\n\r\n" + answer(body) + b"HTTP/1.1 100 Continue\r\n\r\n" + MALLORY,
    ),
    "an end on the size of a read": lambda body: (_filled(body, READ) + MALLORY,),
    "an end on two reads": lambda body: (_filled(body, READ), MALLORY, MALLORY),
    "a long answer and 300 KiB": lambda body: (
        answer(body[:-1] + b',"custom":{"x":"' + b"x" * 300_000 + b'"}}') + MALLORY * 3000,
    ),
    "a 408 that says goodbye": lambda body: (answer(body) + answer(status="408 Request Timeout"),),
    "an end on a TLS record": lambda body: (answer(body[:-1] + b" " * 16_000 + b"}") + MALLORY,),
}
"""Name to a function from the right body to what is written in its place."""

BODYLESS: dict[str, Pieces] = {
    "204 with a body": (b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n{}",),
    "204 with an answer behind it": (b"HTTP/1.1 204 No Content\r\n\r\n" + MALLORY,),
    "204 with chunks": (
        b"HTTP/1.1 204 None\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    "304 with a body": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n{}",),
}
"""Answers whose framing denies the body that they have."""


class SurplusServer:
    """
    Answers with the form that the app's ID names.

    Args:
        pause: Seconds between the pieces: how late what was not asked for is.
    """

    def __init__(self, pause: float = 0.0) -> None:
        self._pause = pause

    async def play(self, exchange: Exchange) -> None:
        number = int(exchange.target.partition("/v1/")[2].partition("/")[0].partition("-")[0])
        name = list(FORMS | BODYLESS)[number]
        if name in BODYLESS and exchange.on_connection % 2:
            await right(exchange)
            return
        body = user(exchange.target)
        pieces = FORMS[name](body) if name in FORMS else BODYLESS[name]
        if len(pieces) == 1:
            # What is late is cut off where the right answer ends.
            end = len(answer(body))
            late = self._pause and pieces[0].startswith(answer(body))
            pieces = (pieces[0][:end], pieces[0][end:]) if late else pieces
        for piece in pieces:
            await exchange.write(piece)
            await anyio.sleep(self._pause)


async def run(make: Callable[[str], AsyncTalkJS], number: int, calls: int) -> Counter[str]:
    """Ask for one record after the other through one connection; count how the calls ended."""
    ends: Counter[str] = Counter()
    talkjs = make(f"{number}-surplus")
    for call in range(calls):
        name = f"u{call}"
        try:
            found = await talkjs.users.get(name)
        except TalkJSError:
            ends["errors"] += 1
        else:
            ends["right" if (found.id, found.name) == (name, name) else "WRONG"] += 1
    await talkjs.aclose()
    return ends
