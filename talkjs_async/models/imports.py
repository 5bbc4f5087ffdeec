"""Imports: messages that were written elsewhere, with their own times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar, Literal

from talkjs_async._core.wire import UNSET, Unset, milliseconds
from talkjs_async.errors import ConfigurationError
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._block_rules import BLOCKS, write_blocks
from talkjs_async.models._declare import Input, argument, model
from talkjs_async.models.content import ContentBlock

__all__ = ["ImportedMessage", "ImportedSystemMessage"]


@model
class _Imported(Input):
    """
    What both have in common. Give exactly one of *text* and *content*.

    Attributes:
        sent_at: When; an aware datetime.
        text: What was said.
        content: The same as blocks; exactly one at present.
        custom: Your own data, texts only.
    """

    sent_at: datetime = argument("createdAt", must_be.MOMENT, write=milliseconds)
    text: str | None | Unset = argument("text", must_be.TEXT.or_none(), default=UNSET)
    content: Iterable[ContentBlock] | None | Unset = argument(
        "content", BLOCKS.or_none(), default=UNSET, write=write_blocks
    )
    custom: Mapping[str, str] | None | Unset = argument(
        "custom", must_be.TEXT_MAP.or_none(), default=UNSET
    )

    def __attrs_post_init__(self) -> None:
        if self.text is UNSET and self.content is UNSET:
            raise ConfigurationError("text", "is missing: give one of text, content.")
        if self.text is not UNSET and self.content is not UNSET:
            raise ConfigurationError("content", "cannot go with text: give one of them.")


@model
class ImportedMessage(_Imported):
    """
    A user's message to import. Give exactly one of *text* and *content*.

    Attributes:
        sender: User ID of a participant.
        sent_at: When; an aware datetime.
        text: What was said.
        content: The same as blocks; exactly one at present.
        read_by: User IDs of those who have read it. TalkJS's own program does not send it any more.
        attachment_token: A file that was uploaded before, next to a text that stands for it
            (documented for the older rules; a `FileBlock` is the newer way).
        custom: Your own data, texts only.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS's own program that copies an app (seen in code, 2026); TalkJS docs, Importing
    messages, for *read_by* and *attachment_token*.
    """

    type: ClassVar[Literal["UserMessage"]] = "UserMessage"
    sender: str = argument("sender", must_be.ID)
    read_by: Iterable[str] | None | Unset = argument("readBy", must_be.IDS.or_none(), default=UNSET)
    attachment_token: str | None | Unset = argument(
        "attachmentToken", must_be.ID.or_none(), default=UNSET
    )


@model
class ImportedSystemMessage(_Imported):
    """
    A message of the system to import. Give exactly one of *text* and *content*.

    Attributes:
        sent_at, text, content, custom: As in `ImportedMessage`.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS's own program that copies an app (seen in code, 2026). The older rules have none.
    """

    type: ClassVar[Literal["SystemMessage"]] = "SystemMessage"
