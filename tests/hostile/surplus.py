"""What may lie behind an answer: forms of surplus bytes, each with the answer that it follows."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.raw_server import answer

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
