"""Imports: messages that were written elsewhere, with their own times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar, Literal

from talkjs_async._core.wire import UNSET, Unset, milliseconds
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._declare import Input, argument, model

__all__ = ["ImportedMessage"]


@model
class ImportedMessage(Input):
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

    type: ClassVar[Literal["UserMessage"]] = "UserMessage"
    sender: str = argument("sender", must_be.ID)
    text: str = argument("text", must_be.TEXT)
    sent_at: datetime = argument("timestamp", must_be.MOMENT, write=milliseconds)
    read_by: Iterable[str] | Unset = argument("readBy", must_be.IDS, default=())
    attachment_token: str | None | Unset = argument(
        "attachmentToken", must_be.ID.or_none(), default=UNSET
    )
    custom: Mapping[str, str] | None | Unset = argument(
        "custom", must_be.TEXT_MAP.or_none(), default=UNSET
    )
