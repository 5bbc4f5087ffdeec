"""What comes out of the emulator, without any I/O."""

import json
from typing import Any, Literal

import attrs

from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator.switches import Switches

# How the answer fails to arrive. None: it arrives.
Cut = Literal["refuse", "drop", "reset", "stall", "truncate", "garbage"]

JSON_HEADERS: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)

# What a server that is not an HTTP server would send.
GARBAGE = b"\x16\x03\x01 this is not HTTP\r\n\r\n"


@attrs.define(eq=False)
class Response:
    """One answer, and how its delivery fails, if it does."""

    status: int
    body: bytes = b"{}"
    headers: tuple[tuple[bytes, bytes], ...] = JSON_HEADERS
    cut: Cut | None = None


def problem_response(problem: Problem) -> Response:
    """Return the answer that a problem stands for."""
    response = json_response(problem.status, problem.body)
    response.headers = problem.headers
    return response


def no_such_app() -> Response:
    """Return the answer to an app ID that does not exist: text, and no type (seen live)."""
    return Response(404, b"Not found.", ())


def too_many_requests(
    switches: Switches, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Response:
    """Return the 429. Only its status is documented."""
    if switches.rate_limit_body == "json":
        response = problem_response(Problem(429, "TOO_MANY_REQUESTS", ["Too many requests."]))
    elif switches.rate_limit_body == "text":
        response = Response(429, b"Too many requests", ((b"content-type", b"text/plain"),))
    else:
        response = Response(429, b"", ())
    response.headers = (*response.headers, *headers)
    return response


def json_response(status: int, body: Any) -> Response:
    """Encode an answer."""
    return Response(status, encode(body))


# ASCII only, so that even half a surrogate pair in a text can be sent back.
_encoder = json.JSONEncoder(separators=(",", ":"))


def encode(body: Any) -> bytes:
    """Encode JSON without spaces."""
    return _encoder.encode(body).encode("ascii")
