"""Participants: who takes part in a conversation, and how."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from talkjs_async._core.wire import moment_or_none
from talkjs_async.models._declare import Model, model, wire
from talkjs_async.models._field_types import FLAG, FLAG_OR_WORD, MOMENT, TEXT

__all__ = ["Access", "Notify", "Participation"]

Access: TypeAlias = Literal["ReadWrite", "Read", "None"]
"""What a participant may do. The word "None" hides the conversation and keeps the participation."""

Notify: TypeAlias = Literal["MentionsOnly"] | bool
"""Whether a participant is notified: of all messages, of none, or of those that mention them."""


@model
class Participation(Model):
    """
    How one user takes part in one conversation.

    Attributes:
        access: "ReadWrite", "Read" or "None"; other words are kept.
        notify: True, False or "MentionsOnly"; other words are kept.
        is_unread: Whether messages wait to be read. None when TalkJS does not say (older answers).
        joined_at_ms, read_until_ms: In Unix milliseconds. None when TalkJS does not say, and, for
            the latter, when nothing was read (both seen in TalkJS's own program).

    Source: TalkJS docs, REST API, Conversations and Participation (documented).
    """

    access: Access | str = wire("access", TEXT, default="ReadWrite")
    notify: Notify | str = wire("notify", FLAG_OR_WORD, default=True)
    is_unread: bool | None = wire("isUnread", FLAG, default=None)
    joined_at_ms: int | None = wire("joinedAt", MOMENT, default=None)
    read_until_ms: int | None = wire("readUntil", MOMENT, default=None)

    @property
    def joined_at(self) -> datetime | None:
        """When the user joined, in UTC."""
        return moment_or_none(self.joined_at_ms)

    @property
    def read_until(self) -> datetime | None:
        """The moment up to which the user has read, in UTC."""
        return moment_or_none(self.read_until_ms)
