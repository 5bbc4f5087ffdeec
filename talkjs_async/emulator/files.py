"""What is remembered of an uploaded file, and where it can be got from."""

import re
from urllib.parse import quote

import attrs

from talkjs_async.emulator._paths import FILES

__all__ = ["File"]

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
