"""Answers other than 200, as exceptions: what a request's handler raises."""

from collections.abc import Mapping, Sequence
from typing import Any

from talkjs_async.emulator._attributes import ListsAttributes


class Problem(ListsAttributes, Exception):
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
        content_type: bytes = b"application/json",
    ) -> None:
        super().__init__(f"{status} {code}: {reasons}")
        self.status: int = status
        self.headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", content_type), *headers)
        self.body: Any = {"errorCode": code, "reasons": reasons} if body is None else body


def bad_request(reasons: Sequence[str] | Mapping[str, object]) -> Problem:
    """Return the 400 for wrong arguments. The status is documented, the code is not."""
    return Problem(400, "INVALID_REQUEST", reasons)


def not_found(what: str, id_: str) -> Problem:
    """Return the 404 for a *what* that does not exist, such as `CONVERSATION_NOT_FOUND`."""
    return Problem(404, f"{what.upper()}_NOT_FOUND", [f"There is no {what} {id_!r}."])


def too_large() -> Problem:
    """Return the 413 for a body that is not even read. What TalkJS takes is not documented."""
    return Problem(413, "BODY_TOO_LARGE", ["The emulator takes no body above 64 MiB."])


def no_such_call() -> Problem:
    """Return the answer to a path or method that the API does not have (seen live)."""
    return Problem(404, "", [], body="Not found", content_type=b"application/json; charset=utf-8")


def not_implemented(method: str, path: str) -> Problem:
    """Return the answer that says that the emulator does not have something."""
    reason = f"The emulator has no {method} {path}. That says nothing about TalkJS."
    return Problem(501, "NOT_IMPLEMENTED_BY_EMULATOR", [reason])
