"""
Files: what became of an upload.

Source: TalkJS's own programs and its SDK (seen in code).
"""

from __future__ import annotations

import attrs

__all__ = ["UploadedFile"]


@attrs.frozen(kw_only=True)
class UploadedFile:
    """
    A file that TalkJS has taken.

    Attributes:
        token: For `messages.send(..., attachment_token=...)`, any number of times. It is opaque,
            its form may change, and it is not for keeping.
        filename, content_type: As they were sent.
        size: Bytes. None: a stream whose length was not known.
    """

    token: str
    filename: str
    content_type: str
    size: int | None
