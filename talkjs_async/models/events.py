"""
Events: what TalkJS tells your server by webhook.

Reading is lenient, because TalkJS sends an event at most twice. Only the record that an event is
about must be readable; every other field may be None. Each event keeps its raw `data`, and one that
cannot be read is an `UnknownEvent`.

Source: TalkJS docs, Webhooks, for names and occasions (documented). The fields were seen in public
programs that receive them, and are marked where they are inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, TypeAlias

import attrs

from talkjs_async._core.wire import moment_or_none
from talkjs_async.errors import DecodeError
from talkjs_async.models._declare import Declared, model, wire
from talkjs_async.models._field_types import (
    MOMENT,
    TEXT,
    FieldType,
    frozen,
    many,
    mapping,
    one,
)
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models.conversations import Conversation
from talkjs_async.models.messages import Message
from talkjs_async.models.users import User

__all__ = [
    "BaseEvent",
    "ConversationDeleted",
    "MessageDeleted",
    "MessageRead",
    "MessageSent",
    "MessageUpdated",
    "NotificationBounced",
    "NotificationDelivered",
    "NotificationLinkClicked",
    "NotificationOpened",
    "NotificationSent",
    "NotificationTriggered",
    "UnknownEvent",
    "UserCreated",
    "UserUpdated",
    "WebhookEvent",
]


def _read_moment(value: Any) -> int | None:
    # A public program declares it as text; all samples are numbers.
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        return int(value)
    try:
        return MOMENT.read(value)
    except DecodeError:
        return None


def _read_data(value: Any) -> Mapping[str, Any]:
    return frozen(mapping(value))


_MOMENT: Final = FieldType(_read_moment)
_DATA: Final = FieldType(_read_data, dict)


@model
class BaseEvent(Declared):
    """
    What all events have in common.

    Attributes:
        type: What happened, in TalkJS's words.
        id: Identifies the event; the same when TalkJS repeats it.
        created_at_ms: When it happened, in Unix milliseconds. None when TalkJS does not say.
        data: The event's own JSON, as it came.
        extra: Other keys, which this version of the library does not know.
    """

    id: str = wire("id", TEXT)
    created_at_ms: int | None = wire("createdAt", _MOMENT, default=None)
    data: Mapping[str, Any] = wire("data", _DATA, default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @property
    def created_at(self) -> datetime | None:
        """When it happened, in UTC."""
        return moment_or_none(self.created_at_ms)


@model
class _UserEvent(BaseEvent):
    user: User = wire("user", one(User))


@model
class _MessageEvent(BaseEvent):
    message: Message = wire("message", one(Message))
    conversation: Conversation | None = wire("conversation", one(Conversation), default=None)
    sender: User | None = wire("sender", one(User), default=None)


@model
class _NotificationEvent(BaseEvent):
    notification_id: str | None = wire("notificationId", TEXT, default=None)
    recipient: User | None = wire("recipient", one(User), default=None)
    sender: User | None = wire("sender", one(User), default=None)
    conversation: Conversation | None = wire("conversation", one(Conversation), default=None)
    messages: tuple[Message, ...] = wire("messages", many(one(Message)), default=())


@model
class UserCreated(_UserEvent):
    """A user was created."""

    type: ClassVar[Literal["user.created"]] = "user.created"


@model
class UserUpdated(_UserEvent):
    """A user was changed (form inferred)."""

    type: ClassVar[Literal["user.updated"]] = "user.updated"


@model
class MessageSent(_MessageEvent):
    """A message was sent, in any way; *sender* is None for system messages."""

    type: ClassVar[Literal["message.sent"]] = "message.sent"


@model
class MessageUpdated(_MessageEvent):
    """The content or the custom data of a message was changed (form inferred)."""

    type: ClassVar[Literal["message.updated"]] = "message.updated"


@model
class MessageDeleted(_MessageEvent):
    """A message was deleted (form inferred)."""

    type: ClassVar[Literal["message.deleted"]] = "message.deleted"


@model
class MessageRead(BaseEvent):
    """
    A participant saw a message for the first time; *recipient* is that participant.

    Only in conversations of at most 300 participants (documented).
    """

    type: ClassVar[Literal["message.read"]] = "message.read"
    message: Message = wire("message", one(Message))
    recipient: User | None = wire("recipient", one(User), default=None)
    conversation: Conversation | None = wire("conversation", one(Conversation), default=None)


@model
class ConversationDeleted(BaseEvent):
    """A conversation was deleted by the REST API (form inferred)."""

    type: ClassVar[Literal["conversation.deleted"]] = "conversation.deleted"
    conversation: Conversation = wire("conversation", one(Conversation))


@model
class NotificationTriggered(_NotificationEvent):
    """TalkJS decided to notify *recipient* of *messages*, even if it has no address to use."""

    type: ClassVar[Literal["notification.triggered"]] = "notification.triggered"


@model
class NotificationSent(_NotificationEvent):
    """A notification went out: one event for each channel, none for push (form inferred)."""

    type: ClassVar[Literal["notification.sent"]] = "notification.sent"


@model
class NotificationDelivered(_NotificationEvent):
    """A notification e-mail arrived (form inferred)."""

    type: ClassVar[Literal["notification.delivered"]] = "notification.delivered"


@model
class NotificationBounced(_NotificationEvent):
    """A notification e-mail bounced or was called spam (form inferred)."""

    type: ClassVar[Literal["notification.bounced"]] = "notification.bounced"


@model
class NotificationOpened(_NotificationEvent):
    """A notification e-mail was opened (form inferred)."""

    type: ClassVar[Literal["notification.opened"]] = "notification.opened"


@model
class NotificationLinkClicked(_NotificationEvent):
    """A link in a notification e-mail was followed (form inferred)."""

    type: ClassVar[Literal["notification.link.clicked"]] = "notification.link.clicked"


@model
class UnknownEvent(BaseEvent):
    """
    An event that this version of the library does not know, or whose *data* it cannot read.

    Attributes:
        reason: What of *data* cannot be read, where the type is known. None: the type is not known.
    """

    type: str = wire("type", TEXT)
    data: Mapping[str, Any] = wire("data", _DATA, default=EMPTY, hash=False)
    reason: str | None = attrs.field(default=None, eq=False)


WebhookEvent: TypeAlias = (
    UserCreated
    | UserUpdated
    | MessageSent
    | MessageUpdated
    | MessageDeleted
    | MessageRead
    | ConversationDeleted
    | NotificationTriggered
    | NotificationSent
    | NotificationDelivered
    | NotificationBounced
    | NotificationOpened
    | NotificationLinkClicked
    | UnknownEvent
)
"""Any event of a webhook. Tell events apart by their class, or by `type`."""
