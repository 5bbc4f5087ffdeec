"""Files of messages in bulk: downloaded to the disk, and uploaded from there, once each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import anyio
import attrs

from talkjs_async.bulk._downloads import DownloadRefused, Downloads
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_type import RecordRefused, RecordType
from talkjs_async.bulk._engine.scratch import Scratch
from talkjs_async.bulk._engine.source_records import BadRecord, Record, make_record
from talkjs_async.errors import ConfigurationError

_AT_A_TIME: Final = 10
"""Files that are on the disk at a time: the budget lets nine per second go."""
_SUBTYPES: Final = ("image", "video", "audio", "voice")


@attrs.frozen(kw_only=True)
class CopiedFile:
    """
    A file of another app's.

    Attributes:
        name: What a report calls it.
        url: Where it is.
        filename, size, subtype, width, height, duration: As in a `FileBlock`.
    """

    name: str
    url: str = attrs.field(repr=False)
    filename: str
    size: int | None = None
    subtype: str | None = None
    width: float | None = None
    height: float | None = None
    duration: float | None = None


class FileRecordType(RecordType[CopiedFile]):
    """What is special about files: they come from somewhere else, and no batch takes them."""

    kind = "files"
    per_request = 1
    batchable = False
    window = 100

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads
        self._scratch = Scratch()
        self._slots: anyio.CapacityLimiter | None = None
        self._count = 0

    def read(self, thing: object, number: int) -> Record[CopiedFile] | BadRecord:
        """Make a record of a `CopiedFile`."""
        assert isinstance(thing, CopiedFile)  # noqa: S101 - the sources are our own
        return make_record(thing.name, number, thing, thing.name)

    async def send(
        self, context: JobContext, records: Sequence[Record[CopiedFile]]
    ) -> Sequence[str | None]:
        """Download a file, upload it, and return its token."""
        file = records[0].value
        if self._slots is None:
            # Made here, since only here a loop is sure to run.
            self._slots = anyio.CapacityLimiter(_AT_A_TIME)
        async with self._slots:
            self._count += 1
            path = self._scratch.path / str(self._count)
            try:
                media_type = await self._downloads.download(file.url, path)
                _check_size(file, path.stat().st_size)
                uploaded = await context.talkjs.files.upload(
                    path, filename=file.filename, content_type=media_type, **_details(file)
                )
            except DownloadRefused as error:
                raise RecordRefused(f"its file cannot be read: {error}") from error
            except ConfigurationError as error:
                raise RecordRefused(f"its file cannot be uploaded: {error}") from error
            finally:
                path.unlink(missing_ok=True)
        return [uploaded.token]


def _check_size(file: CopiedFile, size: int) -> None:
    """Refuse what is not the whole file, or is a page in its place: it would be stored for it."""
    if file.size is not None and size != file.size:
        raise DownloadRefused(f"its host gives {size:,} bytes, and TalkJS says {file.size:,}")


def _details(file: CopiedFile) -> dict[str, Any]:
    found = {
        "subtype": file.subtype if file.subtype in _SUBTYPES else None,
        "width": file.width,
        "height": file.height,
        "duration": file.duration,
    }
    return {name: value for name, value in found.items() if value is not None}
