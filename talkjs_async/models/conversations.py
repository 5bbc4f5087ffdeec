"""Conversations: as the app sees them, as one user sees them, and what may be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from talkjs_async._core.wire import UNSET, Unset, moment, moment_or_none
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._declare import Input, Model, argument, model, wire
from talkjs_async.models._field_types import (
    FLAG,
    FLAG_OR_WORD,
    MOMENT,
    TEXT,
    TEXT_MAP,
    TEXTS,
    WHOLE,
    mapped,
    one,
)
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models.messages import Message
from talkjs_async.models.participants import Access, Notify, Participation

__all__ = ["Conversation", "ConversationInput", "UserConversation"]


@model
class Conversation(Model):
    """
    A conversation, as TalkJS knows it.

    Attributes:
        id: Chosen by you.
        subject, photo_url: None when not set.
        topic_id: Legacy; None for new conversations (seen in code).
        welcome_messages: Texts shown on top of an empty conversation; no real messages.
        custom: Your own data, texts only.
        last_message: None when there is none.
        participants: User ID to participation. Empty when none is left. Participants whose access
            is "None" are probably not in it (inferred).
        created_at_ms: In Unix milliseconds.
        everyone_read_until_ms: The moment up to which all have read, in Unix milliseconds; 0 when
            not all have read something (seen in code). None when TalkJS does not say.

    Source: TalkJS docs, REST API, Conversations (documented).
    """

    id: str = wire("id", TEXT)
    subject: str | None = wire("subject", TEXT, default=None)
    photo_url: str | None = wire("photoUrl", TEXT, default=None)
    topic_id: str | None = wire("topicId", TEXT, default=None)
    welcome_messages: tuple[str, ...] = wire("welcomeMessages", TEXTS, default=())
    custom: Mapping[str, str] = wire("custom", TEXT_MAP, default=EMPTY)
    last_message: Message | None = wire("lastMessage", one(Message), default=None)
    participants: Mapping[str, Participation] = wire(
        "participants", mapped(one(Participation)), default=EMPTY
    )
    created_at_ms: int = wire("createdAt", MOMENT)
    everyone_read_until_ms: int | None = wire("everyoneReadUntil", MOMENT, default=None)

    @property
    def created_at(self) -> datetime:
        """When the conversation began, in UTC."""
        return moment(self.created_at_ms)

    @property
    def everyone_read_until(self) -> datetime | None:
        """The moment up to which all participants have read, in UTC."""
        return moment_or_none(self.everyone_read_until_ms)


@model
class UserConversation(Conversation):
    """
    A conversation as one of its users sees it.

    Attributes:
        unread_message_count: Messages that the user has not read.
        is_unread: Whether there are any, or the user marked it as unread.
        access, notify: The user's own participation.
        joined_at_ms, read_until_ms, last_message_at_ms: In Unix milliseconds.

    All the others are those of `Conversation`. The ones above are None when TalkJS does not say:
    newer answers carry such fields (documented), their names are those of TalkJS's SDK (inferred).
    """

    unread_message_count: int | None = wire("unreadMessageCount", WHOLE, default=None)
    is_unread: bool | None = wire("isUnread", FLAG, default=None)
    access: Access | str | None = wire("access", TEXT, default=None)
    notify: Notify | str | None = wire("notify", FLAG_OR_WORD, default=None)
    joined_at_ms: int | None = wire("joinedAt", MOMENT, default=None)
    read_until_ms: int | None = wire("readUntil", MOMENT, default=None)
    last_message_at_ms: int | None = wire("lastMessageAt", MOMENT, default=None)

    @property
    def joined_at(self) -> datetime | None:
        """When the user joined, in UTC."""
        return moment_or_none(self.joined_at_ms)

    @property
    def read_until(self) -> datetime | None:
        """The moment up to which the user has read, in UTC."""
        return moment_or_none(self.read_until_ms)

    @property
    def last_message_at(self) -> datetime | None:
        """When the last message was sent, in UTC."""
        return moment_or_none(self.last_message_at_ms)


@model
class ConversationInput(Input):
    """
    What to write about a conversation.

    Fields that are not given stay as they are; None clears a field.

    Attributes:
        participants: User IDs to add. No participant is removed by omission (documented).
        subject, photo_url: Texts.
        welcome_messages: All of them; they replace the earlier ones (inferred).
        custom: Merged key by key (inferred); a key with None goes away (inferred from TalkJS's
            SDK); None as a whole removes all (seen in code).

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, Conversations (documented).
    """

    participants: Iterable[str] | Unset = argument("participants", must_be.IDS, default=UNSET)
    subject: str | None | Unset = argument("subject", must_be.TEXT_OR_NULL, default=UNSET)
    welcome_messages: Iterable[str] | None | Unset = argument(
        "welcomeMessages", must_be.TEXTS_OR_NULL, default=UNSET
    )
    custom: Mapping[str, str | None] | None | Unset = argument(
        "custom", must_be.TEXT_MAP_OR_NULL, default=UNSET
    )
    photo_url: str | None | Unset = argument("photoUrl", must_be.URL_OR_NULL, default=UNSET)
