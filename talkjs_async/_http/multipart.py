"""
One file as multipart/form-data, read while it is sent.

Holds one piece of the file at a time, however large it is. Knows no particular endpoint.

Source: RFC 7578; file names are escaped as browsers do it (HTML Standard, section 4.10.21.8).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Final

from talkjs_async._core.call import Upload
from talkjs_async._http.upload_sources import Pieces, Source

_ESCAPES: Final = {ord("\r"): "%0D", ord("\n"): "%0A", ord('"'): "%22"}


def multipart(
    source: Source, *, filename: str, content_type: str, fields: Mapping[str, str]
) -> Upload:
    """
    Build the body of a form: some text *fields*, then one part named "file".

    Args:
        source: The content of the file.
        filename: May hold anything.
        content_type: Of the file; one line of ASCII.
        fields: Plain names to texts of one line.
    """
    boundary = secrets.token_hex(16)
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="%s"'
    head = "".join(f"{part % name}\r\n\r\n{value}\r\n" for name, value in fields.items())
    head += f'{part % "file"}; filename="{filename.translate(_ESCAPES)}"\r\n'
    head += f"Content-Type: {content_type}\r\n\r\n"
    before, after = head.encode(), f"\r\n--{boundary}--\r\n".encode()
    length = source.length
    return Upload(
        content_type=f"multipart/form-data; boundary={boundary}",
        length=None if length is None else len(before) + length + len(after),
        open=partial(_form, before, source, after),
        replayable=source.replayable,
    )


def _form(before: bytes, source: Source, after: bytes) -> Pieces:
    return Pieces([before, source.open(), after])
