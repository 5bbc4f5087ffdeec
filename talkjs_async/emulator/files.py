"""
Uploaded files: reading a multipart body by hand, and what is remembered of a file.

Source of the multipart form: RFC 7578 and RFC 2046, section 5.1.
"""

import re
from email.message import Message as EmailMessage
from urllib.parse import quote

import attrs

from talkjs_async.emulator.wire import bad_request

# Where uploaded files can be got from. TalkJS has its own storage hosts for that.
FILES = "/_emulator/files/"

# What browsers and httpx escape in a filename. Source: the HTML standard, "Multipart form data".
_ESCAPES = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))


_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


@attrs.frozen(kw_only=True)
class File:
    """An uploaded file. Its token is opaque."""

    token: str
    app_id: str
    filename: str
    content_type: str
    content: bytes = attrs.field(repr=False)
    subtype: str | None = None
    width: float | None = None
    height: float | None = None
    duration: float | None = None

    @property
    def size(self) -> int:
        """Return its size in bytes."""
        return len(self.content)

    @property
    def media_type(self) -> bytes:
        """Return its type, as far as it may stand in a header."""
        known = _MEDIA_TYPE.fullmatch(self.content_type)
        return known[0].encode() if known else b"application/octet-stream"

    def url(self, origin: str) -> str:
        """Return the absolute URL to get it from."""
        return f"{origin}{FILES}{self.app_id}/{self.token}/{quote(self.filename, safe='')}"


@attrs.frozen
class Part:
    """One part of a multipart body."""

    name: str
    filename: str | None
    content_type: str
    content: bytes


def read_multipart(content_type: str, body: bytes) -> dict[str, Part]:
    """Return the parts of a `multipart/form-data` body by name, or raise the 400."""
    header = _header(content_type)
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise bad_request(["The Content-Type must be multipart/form-data with a boundary."])
    delimiter = b"\r\n--" + boundary.encode()
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise bad_request(["The multipart body is not complete."])
    parts = (_part(piece) for piece in pieces[1:-1])
    return {part.name: part for part in parts}


def _part(piece: bytes) -> Part:
    head, separator, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise bad_request(["A part of the multipart body has no headers."])
    headers = EmailMessage()
    for line in head.decode(errors="replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    field = headers.get_param("name", header="content-disposition")
    if not isinstance(field, str):
        raise bad_request(["A part of the multipart body has no name."])
    filename = headers.get_filename()
    if filename is not None:
        for escape, character in _ESCAPES:
            filename = filename.replace(escape, character)
    return Part(field, filename, headers.get("content-type", "text/plain"), content)


def _header(content_type: str) -> EmailMessage:
    header = EmailMessage()
    header["content-type"] = content_type
    return header
