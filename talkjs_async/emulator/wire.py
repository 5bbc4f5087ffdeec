"""
What goes in and out of the emulator, without any I/O.

The in-process transport and the TCP application both turn what they receive into a `Request` and
deliver a `Response`. In between nothing awaits, so every request is atomic.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn

import attrs

from talkjs_async.emulator.switches import Switches

# How the answer fails to arrive. None: it arrives.
Cut = Literal["refuse", "drop", "reset", "stall", "truncate", "garbage"]

JSON_HEADERS: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)

# What a server that is not an HTTP server would send.
GARBAGE = b"\x16\x03\x01 this is not HTTP\r\n\r\n"


@attrs.define(eq=False)
class Request:
    """
    One request as it came over the wire.

    Attributes:
        path: Still percent-encoded.
        headers: Names in lower case.
        origin: Scheme and host as the client sees them.
        client: The client's address.
    """

    method: str
    path: str
    query: str = ""
    # Not in the repr: there is a token in it.
    headers: Mapping[bytes, bytes] = attrs.field(factory=dict, repr=False)
    body: bytes = b""
    origin: str = "http://emulator"
    client: str = ""


@attrs.define(eq=False)
class Response:
    """One answer, and how its delivery fails, if it does."""

    status: int
    body: bytes = b"{}"
    headers: tuple[tuple[bytes, bytes], ...] = JSON_HEADERS
    cut: Cut | None = None


class Problem(Exception):
    """
    An answer other than 200.

    The body is `{"errorCode": ..., "reasons": ...}`; reasons are a list of texts, or an object of
    field name to text or texts. Source: the error handling of TalkJS's JavaScript core package
    and of the public PHP clients (seen in code). Which code the REST API sends when is inferred.
    """

    def __init__(
        self,
        status: int,
        code: str,
        reasons: Sequence[str] | Mapping[str, object],
        *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        body: Any = None,
    ) -> None:
        super().__init__(f"{status} {code}: {reasons}")
        self.status = status
        self.headers = headers
        self.body: Any = {"errorCode": code, "reasons": reasons} if body is None else body


def bad_request(reasons: Sequence[str] | Mapping[str, object]) -> Problem:
    """Return the 400 for wrong arguments. The status is documented, the code is not."""
    return Problem(400, "INVALID_REQUEST", reasons)


def not_found(what: str, id_: str) -> Problem:
    """Return the 404 for a *what* that does not exist, such as `CONVERSATION_NOT_FOUND`."""
    return Problem(404, f"{what.upper()}_NOT_FOUND", [f"There is no {what} {id_!r}."])


def not_implemented(method: str, path: str) -> Problem:
    """Return the answer for what the emulator does not have: never a silent 404."""
    reason = f"The emulator has no {method} {path}. That says nothing about TalkJS."
    return Problem(501, "NOT_IMPLEMENTED_BY_EMULATOR", [reason])


def problem_response(problem: Problem) -> Response:
    """Return the answer that a problem stands for."""
    response = json_response(problem.status, problem.body)
    response.headers = (*JSON_HEADERS, *problem.headers)
    return response


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


def decode(body: bytes) -> Any:
    """Decode a JSON body, or raise the 400 for it."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request([f"The body is not JSON: {error}"]) from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
