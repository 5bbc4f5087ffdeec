"""Files: what is said about one when it is uploaded, and the token that comes back."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset
from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type

__all__ = ["FileDetails"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class FileDetails:
    """
    What TalkJS cannot find out about a file by itself.

    Attributes:
        subtype: "image", "video", "audio" or "voice". Not given: any other file.
        width, height: Pixels.
        duration: Seconds.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS's SDK (seen in code); that REST uploads take the same is documented there.
    """

    subtype: Literal["image", "video", "audio", "voice"] | Unset = attrs.field(
        default=UNSET, validator=must_be.one_of(("image", "video", "audio", "voice"))
    )
    width: float | Unset = attrs.field(default=UNSET, validator=must_be.NOT_NEGATIVE)
    height: float | Unset = attrs.field(default=UNSET, validator=must_be.NOT_NEGATIVE)
    duration: float | Unset = attrs.field(default=UNSET, validator=must_be.NOT_NEGATIVE)

    def to_wire(self) -> dict[str, str]:
        """Write the given details as fields of a form: all of them are texts."""
        fields = {
            "subtype": self.subtype,
            "width": self.width,
            "height": self.height,
            "duration": self.duration,
        }
        return {key: str(value) for key, value in drop_unset(fields).items()}


def read_file_token(data: Any) -> str:
    """
    Read the token of an uploaded file.

    TalkJS's SDK is answered `fileToken` (seen in code); the REST documentation speaks of an
    `attachmentToken`. Either is understood.

    Raises:
        DecodeError: Neither is there.
    """
    return field_type.text_at(data, "attachmentToken", "fileToken")
