"""Conversations: as the app sees them, as one user sees them, and what may be written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset, moment, moment_or_none
from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._field_types import FieldType
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema
from talkjs_async.models.messages import Message
from talkjs_async.models.participants import NOTIFY, Access, Notify, Participation

__all__ = ["Conversation", "ConversationInput", "UserConversation"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class Conversation:
    """
    A conversation, as TalkJS knows it.

    Attributes:
        id: Chosen by you.
        subject, photo_url: None when not set.
        topic_id: Legacy; None for new conversations (seen in code).
        welcome_messages: Texts shown on top of an empty conversation; no real messages.
        custom: Your own data, texts only.
        last_message: None when there is none.
        participants: User ID to participation. Empty when nobody is left.
        created_at_ms: In Unix milliseconds.
        everyone_read_until_ms: The moment up to which all have read, in Unix milliseconds. None
            when TalkJS does not say: only third parties and TalkJS's SDK name it.
        extra: Keys that this version of the library does not know.

    Source: TalkJS docs, REST API, Conversations (documented).
    """

    id: str
    subject: str | None = None
    photo_url: str | None = None
    topic_id: str | None = None
    welcome_messages: tuple[str, ...] = ()
    custom: Mapping[str, str] = EMPTY
    last_message: Message | None = None
    participants: Mapping[str, Participation] = EMPTY
    created_at_ms: int
    everyone_read_until_ms: int | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @property
    def created_at(self) -> datetime:
        """When the conversation began, in UTC."""
        return moment(self.created_at_ms)

    @property
    def everyone_read_until(self) -> datetime | None:
        """The moment up to which all participants have read, in UTC."""
        return moment_or_none(self.everyone_read_until_ms)

    @classmethod
    def from_wire(cls, data: Any) -> Conversation:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _CONVERSATION.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _CONVERSATION.write(self)


_FIELDS: Final[dict[str, tuple[str, FieldType[Any]]]] = {
    "id": ("id", field_type.TEXT),
    "subject": ("subject", field_type.MAYBE_TEXT),
    "photo_url": ("photoUrl", field_type.MAYBE_TEXT),
    "topic_id": ("topicId", field_type.MAYBE_TEXT),
    "welcome_messages": ("welcomeMessages", field_type.TEXTS),
    "custom": ("custom", field_type.TEXT_MAP),
    "last_message": ("lastMessage", field_type.one(Message.from_wire, Message.to_wire).or_none()),
    "participants": (
        "participants",
        field_type.mapped(Participation.from_wire, Participation.to_wire),
    ),
    "created_at_ms": ("createdAt", field_type.MOMENT),
    "everyone_read_until_ms": ("everyoneReadUntil", field_type.MAYBE_MOMENT.if_any()),
}

_CONVERSATION = Schema(Conversation, **_FIELDS)


@attrs.frozen(kw_only=True, weakref_slot=False)
class UserConversation:
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

    id: str
    subject: str | None = None
    photo_url: str | None = None
    topic_id: str | None = None
    welcome_messages: tuple[str, ...] = ()
    custom: Mapping[str, str] = EMPTY
    last_message: Message | None = None
    participants: Mapping[str, Participation] = EMPTY
    created_at_ms: int
    everyone_read_until_ms: int | None = None
    unread_message_count: int | None = None
    is_unread: bool | None = None
    access: Access | str | None = None
    notify: Notify | str | None = None
    joined_at_ms: int | None = None
    read_until_ms: int | None = None
    last_message_at_ms: int | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @property
    def created_at(self) -> datetime:
        """When the conversation began, in UTC."""
        return moment(self.created_at_ms)

    @property
    def everyone_read_until(self) -> datetime | None:
        """The moment up to which all participants have read, in UTC."""
        return moment_or_none(self.everyone_read_until_ms)

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

    @classmethod
    def from_wire(cls, data: Any) -> UserConversation:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _USER_CONVERSATION.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _USER_CONVERSATION.write(self)


_USER_CONVERSATION = Schema(
    UserConversation,
    **_FIELDS,
    unread_message_count=("unreadMessageCount", field_type.MAYBE_WHOLE.if_any()),
    is_unread=("isUnread", field_type.MAYBE_FLAG.if_any()),
    access=("access", field_type.MAYBE_TEXT.if_any()),
    notify=("notify", NOTIFY.or_none().if_any()),
    joined_at_ms=("joinedAt", field_type.MAYBE_MOMENT.if_any()),
    read_until_ms=("readUntil", field_type.MAYBE_MOMENT.if_any()),
    last_message_at_ms=("lastMessageAt", field_type.MAYBE_MOMENT.if_any()),
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class ConversationInput:
    """
    What to write about a conversation.

    Fields that are not given stay as they are; None clears a field.

    Attributes:
        participants: User IDs to add. Nobody is removed by omission (documented).
        subject, photo_url: Texts.
        welcome_messages: All of them; they replace the earlier ones (inferred).
        custom: Merged key by key (inferred); a key with None goes away (inferred from TalkJS's
            SDK); None as a whole removes all (seen in code).

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, Conversations (documented).
    """

    participants: tuple[str, ...] | Unset = attrs.field(
        default=UNSET, converter=must_be.as_texts, validator=must_be.IDS
    )
    subject: str | None | Unset = attrs.field(default=UNSET, validator=must_be.TEXT_OR_NULL)
    welcome_messages: tuple[str, ...] | None | Unset = attrs.field(
        default=UNSET, converter=must_be.as_texts_or_null, validator=must_be.TEXTS_OR_NULL
    )
    custom: Mapping[str, str | None] | None | Unset = attrs.field(
        default=UNSET, converter=must_be.as_map_or_null, validator=must_be.TEXT_MAP_OR_NULL
    )
    photo_url: str | None | Unset = attrs.field(default=UNSET, validator=must_be.TEXT_OR_NULL)

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return drop_unset(
            {
                "participants": self.participants,
                "subject": self.subject,
                "welcomeMessages": self.welcome_messages,
                "custom": self.custom,
                "photoUrl": self.photo_url,
            }
        )
