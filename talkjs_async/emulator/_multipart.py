"""
Reading a multipart body by hand.

Source: RFC 7578 and RFC 2046, section 5.1.
"""

from email.message import Message as EmailMessage

import attrs

from talkjs_async.emulator._problems import bad_request

# What browsers and httpx escape in a filename. Source: the HTML standard, "Multipart form data".
_ESCAPES = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))


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
