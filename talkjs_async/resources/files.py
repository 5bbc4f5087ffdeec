"""
Files: what messages can carry.

Source: TalkJS's JavaScript SDK, which posts to the same host and path with a user's token (seen in
code); that REST uploads may give the same details is documented there (read 2026-11-22).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable
from mimetypes import guess_type
from typing import Any, BinaryIO, Literal

import attrs

from talkjs_async._core.call import Call
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async._core.wire import UNSET, is_whole
from talkjs_async._http.multipart import multipart
from talkjs_async._http.upload_sources import AsyncFile, source_of
from talkjs_async.errors import ConfigurationError, shown
from talkjs_async.models._answers import read_file_token
from talkjs_async.models._bodies import FileDetails
from talkjs_async.models.files import UploadedFile

__all__ = ["Files"]


class Files(Resource):
    """What messages can carry."""

    __slots__ = ()

    @endpoint
    def upload(
        self,
        file: bytes
        | bytearray
        | memoryview
        | str
        | os.PathLike[str]
        | BinaryIO
        | AsyncIterable[bytes]
        | AsyncFile,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        size: int | None = None,
        subtype: Literal["image", "video", "audio", "voice"] | None = None,
        width: float | None = None,
        height: float | None = None,
        duration: float | None = None,
    ) -> Call[UploadedFile]:
        """
        Upload a file, to be sent as `messages.send(..., attachment_token=uploaded.token)`.

        It is read while it is sent, a piece at a time. A repeat after a failure uploads it once
        more, which leaves a file whose token is not known; a stream can be read only once, so it
        has one attempt.

        Args:
            file: The path of a regular file, or its content: bytes, a file that is open for reading
                bytes (sent from where it stands, left open), an asynchronous stream of bytes
                (closed afterwards), or Starlette's `UploadFile`, as FastAPI hands it over (left
                open).
            filename: Shown to the readers. None: the name that the file has.
            content_type: Media type. None: what an UploadFile says, else guessed from the name.
            size: Bytes in a stream, if you know it. Without it a stream is sent in HTTP chunks;
                whether TalkJS takes these is not known.
            subtype: "image", "video", "audio" or "voice". None: any other file.
            width, height: Pixels.
            duration: Seconds.

        Returns:
            What TalkJS calls it. (Both names of the token in TalkJS's answer, `attachmentToken` and
            `fileToken`, are read; which one REST uses is not documented.)

        Raises:
            BadRequest: TalkJS refuses the file. Anonymous projects take 1 MB at most; no general
                limit is documented.
        """
        source = source_of(file, _checked_size(file, size))
        name = _filename(source.filename if filename is None else filename, filename)
        media_type = _content_type(
            name, source.content_type if content_type is None else content_type
        )
        details = FileDetails(
            filename=name,
            subtype=UNSET if subtype is None else subtype,
            width=UNSET if width is None else width,
            height=UNSET if height is None else height,
            duration=UNSET if duration is None else duration,
        )
        upload = multipart(source, filename=name, content_type=media_type, fields=details.to_wire())
        read = _ReadUploadedFile(name, media_type, source.length)
        return Call(method="POST", path="/files", upload=upload, decode=read, batchable=False)


@attrs.frozen
class _ReadUploadedFile:
    """Reads the answer. A class, so that calls can be pickled."""

    filename: str
    content_type: str
    size: int | None

    def __call__(self, data: Any) -> UploadedFile:
        return UploadedFile(
            token=read_file_token(data),
            filename=self.filename,
            content_type=self.content_type,
            size=self.size,
        )


def _checked_size(file: object, size: int | None) -> int | None:
    if size is None:
        return None
    if not isinstance(file, AsyncIterable):
        raise ConfigurationError("size", "is for streams: that of other files is known.")
    if not is_whole(size, least=0):
        raise ConfigurationError("size", f"must be a whole number of bytes, not {shown(size)}.")
    return size


def _filename(filename: object, given: object) -> str:
    if given is not None and (not isinstance(given, str) or not given):
        raise ConfigurationError("filename", "must be a non-empty text (str).")
    if not isinstance(filename, str):
        raise ConfigurationError("filename", "is missing: this file does not say it by itself.")
    try:
        filename.encode()
    except UnicodeEncodeError:
        raise ConfigurationError("filename", "must be valid Unicode.") from None
    return filename


def _content_type(filename: str, content_type: object) -> str:
    if content_type is None:
        return guess_type(filename)[0] or "application/octet-stream"
    if (
        isinstance(content_type, str)
        and content_type
        and content_type.isascii()
        and content_type.isprintable()
    ):
        return content_type
    raise ConfigurationError("content_type", "must be a media type such as 'image/png'.")
