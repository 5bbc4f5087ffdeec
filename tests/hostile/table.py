"""The faults: what a server may do to an answer, and to a connection."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Awaitable, Callable

import anyio

from tests.hostile.faults import Fault, Kind
from tests.hostile.handshakes import HANDSHAKES
from tests.hostile.raw_server import Exchange, answer
from tests.hostile.surplus import FORMS, MALLORY

MOST = 100_000
"""The bound on answers in this harness, in bytes."""


def _bytes(
    make: Callable[[bytes], bytes], *, close: bool = False
) -> Callable[..., Awaitable[None]]:
    async def play(exchange: Exchange, body: bytes) -> None:
        await exchange.write(make(body))
        if close:
            exchange.close()

    return play


def _plain(content: bytes, *, close: bool = False) -> Callable[..., Awaitable[None]]:
    return _bytes(lambda _: content, close=close)


def _then(content: bytes, repeated: bytes, pause: float) -> Callable[..., Awaitable[None]]:
    """Write *content*, then *repeated* for ever."""

    async def play(exchange: Exchange, body: bytes) -> None:
        await exchange.write(content)
        while True:
            await exchange.write(repeated)
            await anyio.sleep(pause)

    return play


async def _close(exchange: Exchange, body: bytes) -> None:
    exchange.close()


async def _reset(exchange: Exchange, body: bytes) -> None:
    exchange.reset()


async def _half_then_reset(exchange: Exchange, body: bytes) -> None:
    await exchange.write(answer(body, length=len(body) + 9))
    await anyio.sleep(0.02)
    exchange.reset()


async def _slowly_but_whole(exchange: Exchange, body: bytes) -> None:
    for byte in answer(body):
        await exchange.write(bytes([byte]))


def _surplus(form: str) -> Callable[..., Awaitable[None]]:
    async def play(exchange: Exchange, body: bytes) -> None:
        await exchange.write(*FORMS[form](body))

    return play


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"transfer-encoding: chunked\r\n\r\n"
_GZIP = ("content-encoding: gzip",)
_BOMB = gzip.compress(bytes(40_000_000), 9)


def _chunks(body: bytes, *, trailers: bytes = b"") -> bytes:
    return _CHUNKED + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers)


def _status(
    code: int, body: bytes = b"{}", *, headers: tuple[str, ...] = (), cut: bool = False
) -> Fault:
    content = answer(
        body, status=f"{code} No", headers=("retry-after: 0", *headers), length=999 if cut else -1
    )
    return Fault(Kind.STATUS, _plain(content, close=cut), code)


TABLE: dict[str, Fault] = {
    "nothing wrong": Fault(Kind.WHOLE, _bytes(answer)),
    "byte by byte": Fault(Kind.WHOLE, _slowly_but_whole),
    "gzip": Fault(Kind.WHOLE, _bytes(lambda b: answer(gzip.compress(b), headers=_GZIP))),
    "chunks": Fault(
        Kind.WHOLE, _bytes(lambda b: _CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(b), b))
    ),
    "chunks with extensions": Fault(
        Kind.WHOLE, _bytes(lambda b: _CHUNKED + b"%x;a=b\r\n%b\r\n0\r\nx: y\r\n\r\n" % (len(b), b))
    ),
    "ends with the connection": Fault(
        Kind.WHOLE,
        _bytes(
            lambda b: _OK + b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(b), b),
            close=True,
        ),
    ),
    "chunks of quoted extensions and leading zeros": Fault(
        Kind.WHOLE,
        _bytes(lambda b: _CHUNKED + b'000%X;a="b;c"\r\n%b\r\n0;last\r\n\r\n' % (len(b), b)),
    ),
    "large trailers": Fault(
        Kind.WHOLE, _bytes(lambda b: _chunks(b, trailers=b"x: %b\r\n" % (b"y" * 60_000)))
    ),
    "folded headers": Fault(Kind.WHOLE, _bytes(lambda b: answer(b, headers=("x: a", " b", "\tc")))),
    "a length twice": Fault(
        Kind.WHOLE, _bytes(lambda b: answer(b, headers=(f"content-length: {len(b)}",)))
    ),
    "a list of equal lengths": Fault(
        Kind.WHOLE,
        _bytes(lambda b: _OK + b"content-length: %d, %d\r\n\r\n%b" % (len(b), len(b), b)),
    ),
    "chunks and a length": Fault(
        Kind.WHOLE, _bytes(lambda b: _chunks(b).replace(b"\r\n", b"\r\ncontent-length: 3\r\n", 1))
    ),
    "no length, to the end": Fault(Kind.WHOLE, _bytes(lambda b: _OK + b"\r\n" + b, close=True)),
    "a header of 60 KB": Fault(
        Kind.WHOLE, _bytes(lambda b: answer(b, headers=("x: " + "y" * 60_000,)))
    ),
    "two thousand interim answers": Fault(
        Kind.WHOLE, _bytes(lambda b: b"HTTP/1.1 100 \r\n\r\n" * 2000 + answer(b))
    ),
    "lines that end in LF": Fault(Kind.WHOLE, _bytes(lambda b: answer(b).replace(b"\r\n", b"\n"))),
    "gzip of three members": Fault(
        Kind.WHOLE,
        _bytes(lambda b: answer(b"".join(map(gzip.compress, (b[:2], b"", b[2:]))), headers=_GZIP)),
    ),
    "identity, then gzip": Fault(
        Kind.WHOLE,
        _bytes(lambda b: answer(gzip.compress(b), headers=("content-encoding: identity, gzip",))),
    ),
    "a coding without a name": Fault(
        Kind.WHOLE, _bytes(lambda b: answer(b, headers=("content-encoding: ",)))
    ),
    "HTTP/1.0 that stays": Fault(
        Kind.WHOLE,
        _bytes(lambda b: answer(b, headers=("connection: keep-alive",)).replace(b"1.1", b"1.0", 1)),
    ),
    "HTTP/1.0": Fault(
        Kind.WHOLE, _bytes(lambda b: answer(b).replace(b"1.1", b"1.0", 1), close=True)
    ),
    "three interim answers": Fault(
        Kind.WHOLE, _bytes(lambda b: b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 3 + answer(b))
    ),
    "201": Fault(Kind.WHOLE, _bytes(lambda b: answer(b, status="201 Created"))),
    "202": Fault(Kind.WHOLE, _bytes(lambda b: answer(b, status="202 Accepted"))),
    "299": Fault(Kind.WHOLE, _bytes(lambda b: answer(b, status="299 Odd"))),
    "a cookie": Fault(Kind.WHOLE, _bytes(lambda b: answer(b, headers=("set-cookie: a=b",)))),
    "white space around": Fault(Kind.WHOLE, _bytes(lambda b: answer(b" \n" + b + b"\n"))),
    "unknown headers": Fault(
        Kind.WHOLE, _bytes(lambda b: answer(b, headers=tuple(f"x-{i}: y" for i in range(90))))
    ),
    **{f"surplus: {form}": Fault(Kind.WHOLE, _surplus(form)) for form in list(FORMS)[:12]},
    "closed after the request": Fault(Kind.LOST, _close),
    "reset after the request": Fault(Kind.LOST, _reset),
    "silence": Fault(Kind.LOST, _then(b"", b"", 0.05), waits=True),
    "half a status line": Fault(Kind.LOST, _plain(b"HTTP/1.1 20", close=True)),
    "half the headers": Fault(Kind.LOST, _plain(_OK + b"content-le", close=True)),
    "half the headers, silence": Fault(
        Kind.LOST, _then(_OK + b"content-le", b"", 0.05), waits=True
    ),
    "headers without end, slowly": Fault(Kind.LOST, _then(_OK, b"x: y\r\n", 0.02), waits=True),
    "headers without end, fast": Fault(
        Kind.LOST, _then(_OK, b"x: %b\r\n" % (b"y" * 900) * 60, 0.001)
    ),
    "an interim answer, silence": Fault(
        Kind.LOST, _then(b"HTTP/1.1 103 E\r\n\r\n", b"", 0.05), waits=True
    ),
    "interim answers, slowly": Fault(
        Kind.LOST, _then(b"", b"HTTP/1.1 103 E\r\n\r\n", 0.02), waits=True
    ),
    "interim answers, fast": Fault(
        Kind.FLOOD, _then(b"", b"HTTP/1.1 103 E\r\nlink: %b\r\n\r\n" % (b"x" * 900) * 60, 0.001)
    ),
    "not HTTP": Fault(Kind.LOST, _plain(b"\x16\x03\x01 hello\r\n\r\n", close=True)),
    "HTTP/2": Fault(Kind.LOST, _plain(b"\0\0\x12\4\0\0\0\0\0" + bytes(18), close=True)),
    "HTTP/3.9": Fault(
        Kind.ODD, _plain(b"HTTP/3.9 200 OK\r\ncontent-length: 0\r\n\r\n", close=True)
    ),
    "no number for a status": Fault(Kind.LOST, _plain(b"HTTP/1.1 abc OK\r\n\r\n", close=True)),
    "a status of four digits": Fault(Kind.LOST, _plain(b"HTTP/1.1 2000 OK\r\n\r\n", close=True)),
    "NUL in a header": Fault(Kind.LOST, _plain(_OK + b"a: \0\r\n\r\n{}", close=True)),
    "a header without a name": Fault(Kind.LOST, _plain(_OK + b": x\r\n\r\n{}", close=True)),
    "two lengths": Fault(
        Kind.LOST, _plain(_OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}", close=True)
    ),
    "a length that is none": Fault(
        Kind.LOST, _plain(_OK + b"content-length: x\r\n\r\n{}", close=True)
    ),
    "a list of different lengths": Fault(
        Kind.LOST, _plain(_OK + b"content-length: 2, 3\r\n\r\n{}", close=True)
    ),
    "a length below zero": Fault(
        Kind.LOST, _plain(_OK + b"content-length: -2\r\n\r\n{}", close=True)
    ),
    "a length of 5,000 digits": Fault(
        Kind.LOST, _plain(_OK + b"content-length: %b\r\n\r\n{}" % (b"9" * 5000), close=True)
    ),
    "chunks twice": Fault(
        Kind.LOST, _plain(_CHUNKED.replace(b"chunked", b"chunked, chunked"), close=True)
    ),
    "gzip as a transfer": Fault(
        Kind.LOST, _plain(_CHUNKED.replace(b"chunked", b"gzip, chunked"), close=True)
    ),
    "a protocol that was not asked for": Fault(
        Kind.LOST, _plain(b"HTTP/1.1 101 Switch\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
    ),
    "a fold before the first header": Fault(
        Kind.LOST, _plain(_OK + b" x: y\r\n\r\n{}", close=True)
    ),
    "CR in a header": Fault(Kind.LOST, _plain(_OK + b"x: a\rb\r\n\r\n{}", close=True)),
    "an empty line first": Fault(Kind.LOST, _bytes(lambda b: b"\r\n" + answer(b), close=True)),
    "an unknown transfer": Fault(
        Kind.LOST, _plain(_OK + b"transfer-encoding: zip\r\n\r\n", close=True)
    ),
    "a body cut short": Fault(Kind.CUT, _bytes(lambda b: answer(b, length=len(b) + 9), close=True)),
    "a body cut short by a reset": Fault(Kind.CUT, _half_then_reset),
    "a body that stops": Fault(Kind.CUT, _then(answer(b"{", length=99), b"", 0.05), waits=True),
    "a byte now and then": Fault(
        Kind.CUT, _then(answer(b"{", length=9999), b" ", 0.02), waits=True
    ),
    "a chunk now and then": Fault(Kind.CUT, _then(_CHUNKED, b"1\r\n \r\n", 0.02), waits=True),
    "a chunk cut short": Fault(Kind.CUT, _plain(_CHUNKED + b"5\r\n{}", close=True)),
    "a chunk of no size": Fault(Kind.CUT, _plain(_CHUNKED + b"xyz\r\n{}\r\n", close=True)),
    "a chunk of another size": Fault(
        Kind.CUT, _plain(_CHUNKED + b"1\r\n{}\r\n0\r\n\r\n", close=True)
    ),
    "no last chunk": Fault(Kind.CUT, _plain(_CHUNKED + b"2\r\n{}\r\n", close=True)),
    "trailers without end": Fault(
        Kind.CUT, _then(_CHUNKED + b"2\r\n{}\r\n0\r\n", b"x: y\r\n", 0.02), waits=True
    ),
    "a trailer without a name": Fault(
        Kind.CUT, _bytes(lambda b: _chunks(b, trailers=b": y\r\n"), close=True)
    ),
    "a chunk size of twenty digits": Fault(
        Kind.CUT, _plain(_CHUNKED + b"0" * 20 + b"2\r\n{}\r\n0\r\n\r\n", close=True)
    ),
    "not gzip": Fault(Kind.CUT, _plain(answer(b"xx", headers=_GZIP))),
    "gzip cut short": Fault(
        Kind.CUT, _bytes(lambda b: answer(gzip.compress(b)[:-5], headers=_GZIP))
    ),
    "gzip with a wrong sum": Fault(
        Kind.CUT, _bytes(lambda b: answer(gzip.compress(b)[:-8] + bytes(8), headers=_GZIP))
    ),
    "a second member cut short": Fault(
        Kind.CUT, _bytes(lambda b: answer(gzip.compress(b) * 2 + b"\x1f\x8b", headers=_GZIP))
    ),
    "gzip and junk": Fault(
        Kind.CUT, _bytes(lambda b: answer(gzip.compress(b) + b"junk", headers=_GZIP))
    ),
    "gzip twice": Fault(
        Kind.CUT,
        _bytes(
            lambda b: answer(
                gzip.compress(gzip.compress(b)), headers=("content-encoding: gzip, gzip",)
            )
        ),
    ),
    "deflate without a head": Fault(
        Kind.CUT,
        _bytes(lambda b: answer(zlib.compress(b)[2:-4], headers=("content-encoding: deflate",))),
    ),
    "brotli": Fault(Kind.CUT, _plain(answer(b"\x8b\0\x80", headers=("content-encoding: br",)))),
    "deflate": Fault(Kind.CUT, _plain(answer(b"x\x9c", headers=("content-encoding: deflate",)))),
    "a body without end": Fault(Kind.LARGE, _then(_OK + b"\r\n", b"x" * 65_536, 0.001)),
    "a chunk without end": Fault(
        Kind.LARGE, _then(_CHUNKED + b"ffffffff\r\n", b"x" * 65_536, 0.001)
    ),
    "chunks without end": Fault(
        Kind.LARGE, _then(_CHUNKED, b"10\r\n%b\r\n" % (b"x" * 16) * 3000, 0.001)
    ),
    "gzip of 40 MB": Fault(Kind.LARGE, _plain(answer(_BOMB, headers=_GZIP))),
    "a long body": Fault(Kind.LARGE, _plain(answer(b" " * (MOST + 1)))),
    "no JSON": Fault(Kind.ODD, _plain(answer(b"<!doctype html><p>Hello"))),
    "an empty body": Fault(Kind.ODD, _plain(answer(b""))),
    "half of JSON": Fault(Kind.ODD, _plain(answer(b'{"id":'))),
    "JSON of nested arrays": Fault(Kind.ODD, _plain(answer(b"[" * 100_000))),
    "not UTF-8": Fault(Kind.ODD, _plain(answer(b'"\xff\xfe'))),
    "another record": Fault(Kind.ANOTHER, _plain(MALLORY)),
    "204": Fault(Kind.EMPTY, _plain(b"HTTP/1.1 204 None\r\n\r\n")),
    **{
        str(code): _status(code) for code in (302, 304, 400, 401, 402, 403, 404, 409, 413, 418, 429)
    },
    **{str(code): _status(code) for code in (500, 501, 502, 503, 504, 520, 524, 530)},
    "302 to nowhere": _status(302, headers=("location: http://[::1",)),
    "302 to another protocol": _status(302, headers=("location: gopher://x",)),
    "400, cut short": _status(400, b"{", cut=True),
    "404, not gzip": _status(404, b"xx", headers=_GZIP),
    "429, not gzip": _status(429, b"xx", headers=_GZIP),
    "429, cut short": _status(429, b"{", cut=True),
    "500, cut short": _status(500, b"{", cut=True),
    "502, of HTML": _status(502, b"<html>Bad gateway"),
    "500, a bomb": _status(500, _BOMB, headers=_GZIP),
    "no listener": Fault(Kind.UNCONNECTED),
    **{name: Fault(Kind.UNCONNECTED, waits="silence" in name) for name in HANDSHAKES},
}
"""Name to fault."""
