"""Imports: messages that were written elsewhere, with their own times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset, milliseconds
from talkjs_async.models import _arguments as must_be

__all__ = ["ImportedMessage"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class ImportedMessage:
    """
    A message to import.

    Attributes:
        sender: User ID of a participant.
        text: What was said.
        sent_at: When; an aware datetime.
        read_by: User IDs of those who have read it.
        attachment_token: A file that was uploaded before.
        custom: Your own data, texts only.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, Importing messages (documented). Third parties of 2026 send the time as
    `createdAt`; the documentation says `timestamp`.
    """

    sender: str = attrs.field(validator=must_be.ID)
    text: str = attrs.field(validator=must_be.TEXT)
    sent_at: datetime = attrs.field(validator=must_be.MOMENT)
    read_by: tuple[str, ...] | Unset = attrs.field(
        default=(), converter=must_be.as_texts, validator=must_be.IDS
    )
    attachment_token: str | Unset = attrs.field(default=UNSET, validator=must_be.ID)
    custom: Mapping[str, str] | Unset = attrs.field(
        default=UNSET, converter=must_be.as_map, validator=must_be.TEXT_MAP
    )

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return drop_unset(
            {
                "type": "UserMessage",
                "sender": self.sender,
                "text": self.text,
                "timestamp": milliseconds(self.sent_at),
                "readBy": self.read_by,
                "attachmentToken": self.attachment_token,
                "custom": self.custom,
            }
        )
