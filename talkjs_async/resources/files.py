"""
Files: what messages can carry.

Source: TalkJS's own programs that upload with the secret key, and its JavaScript SDK, which posts
to the same host and path with a user's token (seen in code, read 2026-11-26).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable
from mimetypes import guess_type
from pathlib import Path
from typing import Literal

from talkjs_async._core.call import Call
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async._core.wire import UNSET, Unset
from talkjs_async._http import multipart
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._answers import read_file_token
from talkjs_async.models._requests import FileDetails

__all__ = ["Files"]


class Files(Resource):
    """What messages can carry."""

    __slots__ = ()

    @endpoint
    def upload(
        self,
        file: bytes | str | os.PathLike[str] | AsyncIterable[bytes],
        *,
        filename: str | Unset = UNSET,
        content_type: str | Unset = UNSET,
        size: int | Unset = UNSET,
        subtype: Literal["image", "video", "audio", "voice"] | Unset = UNSET,
        width: float | Unset = UNSET,
        height: float | Unset = UNSET,
        duration: float | Unset = UNSET,
    ) -> Call[str]:
        """
        Upload a file, to be sent as `messages.send(..., attachment_token=token)`.

        It is read while it is sent, a piece at a time. A repeat after a failure uploads it once
        more, which leaves a file that nobody has the token of; a stream can be read only once, so
        it has one attempt.

        Args:
            file: The path of a file, or its content: bytes, or an asynchronous stream of them,
                which is closed afterwards.
            filename: Shown to the readers. Left out: the name in the path.
            content_type: Media type. Left out: guessed from *filename*.
            size: Bytes in a stream, if you know it. Without it a stream is sent in HTTP chunks;
                whether TalkJS takes these is not known.
            subtype: "image", "video", "audio" or "voice". Left out: any other file.
            width, height: Pixels.
            duration: Seconds.

        Returns:
            The attachment token. It is opaque, its form may change, and it is not for keeping;
            sending it more than once is allowed. (TalkJS's newest program reads it as `fileToken`,
            an older one as `attachmentToken`: either is read.)

        Raises:
            BadRequest: TalkJS refuses the file. Anonymous projects take 1 MB at most; no general
                limit is documented.
        """
        source = multipart.source_of(_checked(file), _checked_size(file, size))
        name = _filename(file, filename)
        details = FileDetails(
            filename=name, subtype=subtype, width=width, height=height, duration=duration
        )
        upload = multipart.multipart(
            source,
            filename=name,
            content_type=_content_type(name, content_type),
            fields=details.to_wire(),
        )
        return Call(
            method="POST", path="/files", upload=upload, decode=read_file_token, batchable=False
        )


def _checked(
    file: bytes | str | os.PathLike[str] | AsyncIterable[bytes],
) -> bytes | Path | AsyncIterable[bytes]:
    if isinstance(file, str | os.PathLike):
        return Path(file)
    if isinstance(file, bytes | AsyncIterable):
        return file
    raise ConfigurationError(
        "file", f"must be a path, bytes or an async stream of bytes, not {type(file).__name__}."
    )


def _checked_size(file: object, size: int | Unset) -> int | None:
    if size is UNSET:
        return None
    if not isinstance(file, AsyncIterable):
        raise ConfigurationError("size", "is for streams: that of other files is known.")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ConfigurationError("size", f"must be a whole number of bytes, not {size!r}.")
    return size


def _filename(file: object, filename: str | Unset) -> str:
    if filename is UNSET:
        if not isinstance(file, str | os.PathLike):
            raise ConfigurationError("filename", "is missing: only a path says it by itself.")
        filename = Path(file).name
    if not isinstance(filename, str) or not filename:
        raise ConfigurationError("filename", "must be a non-empty text (str).")
    try:
        filename.encode()
    except UnicodeEncodeError:
        raise ConfigurationError("filename", "must be valid Unicode.") from None
    return filename


def _content_type(filename: str, content_type: str | Unset) -> str:
    if content_type is UNSET:
        return guess_type(filename)[0] or "application/octet-stream"
    if not (
        isinstance(content_type, str) and content_type.isascii() and content_type.isprintable()
    ):
        raise ConfigurationError("content_type", "must be a media type such as 'image/png'.")
    return content_type
