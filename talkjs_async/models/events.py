"""
Events: what TalkJS tells your server by webhook.

Reading is as lenient as can be, because an event comes once or twice and then never again. Only
what an event is about must be readable; everything else may be None. Each event keeps its raw
`data`, and one that cannot be read is an `UnknownEvent`.

Source: TalkJS docs, Webhooks, for names and occasions (documented). What is in the data was seen in
public programs that receive it, and is marked where it is inferred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, TypeAlias, get_args

import attrs

from talkjs_async._core.wire import moment_or_none
from talkjs_async.errors import DecodeError
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._field_types import FieldType, mapping
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema
from talkjs_async.models.conversations import Conversation
from talkjs_async.models.messages import Message
from talkjs_async.models.users import User

__all__ = [
    "ConversationDeleted",
    "Event",
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
]


class BaseEvent:
    """
    What all events have in common.

    Attributes:
        type: What happened, in TalkJS's words.
        id: Identifies the event; the same when TalkJS repeats it.
        created_at_ms: When it happened, in Unix milliseconds. None when TalkJS does not say.
        data: The event's own JSON, as it came.
        extra: Keys beside these that this version of the library does not know.
    """

    __slots__ = ()

    id: str
    created_at_ms: int | None

    @property
    def created_at(self) -> datetime | None:
        """When it happened, in UTC."""
        return moment_or_none(self.created_at_ms)


@attrs.frozen(kw_only=True, weakref_slot=False)
class UserCreated(BaseEvent):
    """A user was created."""

    type: ClassVar[Literal["user.created"]] = "user.created"
    id: str
    created_at_ms: int | None = None
    user: User
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class UserUpdated(BaseEvent):
    """A user was changed (form inferred)."""

    type: ClassVar[Literal["user.updated"]] = "user.updated"
    id: str
    created_at_ms: int | None = None
    user: User
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class MessageSent(BaseEvent):
    """A message was sent, by whatever way; *sender* is None for system messages."""

    type: ClassVar[Literal["message.sent"]] = "message.sent"
    id: str
    created_at_ms: int | None = None
    message: Message
    conversation: Conversation | None = None
    sender: User | None = None
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class MessageUpdated(BaseEvent):
    """The content or the custom data of a message was changed (form inferred)."""

    type: ClassVar[Literal["message.updated"]] = "message.updated"
    id: str
    created_at_ms: int | None = None
    message: Message
    conversation: Conversation | None = None
    sender: User | None = None
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class MessageDeleted(BaseEvent):
    """A message was deleted (form inferred)."""

    type: ClassVar[Literal["message.deleted"]] = "message.deleted"
    id: str
    created_at_ms: int | None = None
    message: Message
    conversation: Conversation | None = None
    sender: User | None = None
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class MessageRead(BaseEvent):
    """A participant saw a message, for the first time; *recipient* is that participant.

    Only in conversations of at most 300 participants (documented).
    """

    type: ClassVar[Literal["message.read"]] = "message.read"
    id: str
    created_at_ms: int | None = None
    message: Message
    recipient: User | None = None
    conversation: Conversation | None = None
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class ConversationDeleted(BaseEvent):
    """A conversation was deleted by the REST API (form inferred)."""

    type: ClassVar[Literal["conversation.deleted"]] = "conversation.deleted"
    id: str
    created_at_ms: int | None = None
    conversation: Conversation
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class NotificationTriggered(BaseEvent):
    """TalkJS decided to notify *recipient* of *messages*, even if it has no address for it."""

    type: ClassVar[Literal["notification.triggered"]] = "notification.triggered"
    id: str
    created_at_ms: int | None = None
    notification_id: str | None = None
    recipient: User | None = None
    sender: User | None = None
    conversation: Conversation | None = None
    messages: tuple[Message, ...] = ()
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class NotificationSent(BaseEvent):
    """A notification went out: one event for each channel, none for push (form inferred)."""

    type: ClassVar[Literal["notification.sent"]] = "notification.sent"
    id: str
    created_at_ms: int | None = None
    notification_id: str | None = None
    recipient: User | None = None
    sender: User | None = None
    conversation: Conversation | None = None
    messages: tuple[Message, ...] = ()
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class NotificationDelivered(BaseEvent):
    """A notification e-mail arrived (form inferred)."""

    type: ClassVar[Literal["notification.delivered"]] = "notification.delivered"
    id: str
    created_at_ms: int | None = None
    notification_id: str | None = None
    recipient: User | None = None
    sender: User | None = None
    conversation: Conversation | None = None
    messages: tuple[Message, ...] = ()
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class NotificationBounced(BaseEvent):
    """A notification e-mail bounced or was called spam (form inferred)."""

    type: ClassVar[Literal["notification.bounced"]] = "notification.bounced"
    id: str
    created_at_ms: int | None = None
    notification_id: str | None = None
    recipient: User | None = None
    sender: User | None = None
    conversation: Conversation | None = None
    messages: tuple[Message, ...] = ()
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class NotificationOpened(BaseEvent):
    """A notification e-mail was opened (form inferred)."""

    type: ClassVar[Literal["notification.opened"]] = "notification.opened"
    id: str
    created_at_ms: int | None = None
    notification_id: str | None = None
    recipient: User | None = None
    sender: User | None = None
    conversation: Conversation | None = None
    messages: tuple[Message, ...] = ()
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class NotificationLinkClicked(BaseEvent):
    """A link in a notification e-mail was followed (form inferred)."""

    type: ClassVar[Literal["notification.link.clicked"]] = "notification.link.clicked"
    id: str
    created_at_ms: int | None = None
    notification_id: str | None = None
    recipient: User | None = None
    sender: User | None = None
    conversation: Conversation | None = None
    messages: tuple[Message, ...] = ()
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


@attrs.frozen(kw_only=True, weakref_slot=False)
class UnknownEvent(BaseEvent):
    """An event that this version of the library does not know, or whose *data* it cannot read."""

    type: str
    id: str
    created_at_ms: int | None = None
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)


KnownEvent: TypeAlias = (
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
)

Event: TypeAlias = KnownEvent | UnknownEvent
"""Whatever a webhook may bring. Tell the events apart by their class, or by `type`."""


def read_event(payload: Any) -> Event:
    """
    Read the JSON object of a webhook.

    Raises:
        DecodeError: It is no object, or has no `id` or no `type`.
    """
    envelope = _ENVELOPE.read(payload)
    kind = _KNOWN.get(envelope.type)
    if kind is None:
        return envelope
    try:
        parts = _read_parts(kind, envelope.data)
    except DecodeError:
        return envelope
    return kind(
        id=envelope.id,
        created_at_ms=envelope.created_at_ms,
        data=envelope.data,
        extra=envelope.extra,
        **parts,
    )


_KNOWN: Final[dict[str, type[KnownEvent]]] = {kind.type: kind for kind in get_args(KnownEvent)}

_COMMON: Final = {"id", "created_at_ms", "data", "extra"}

_PARTS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "user": ("user", User.from_wire),
    "message": ("message", Message.from_wire),
    "messages": ("messages", field_type.array_of(Message.from_wire)),
    "conversation": ("conversation", Conversation.from_wire),
    "sender": ("sender", User.from_wire),
    "recipient": ("recipient", User.from_wire),
    "notification_id": ("notificationId", field_type.TEXT.read),
}


def _read_parts(kind: type[KnownEvent], data: Mapping[str, Any]) -> dict[str, Any]:
    parts = {}
    for field in attrs.fields(kind):
        if field.name in _COMMON:
            continue
        key, read = _PARTS[field.name]
        try:
            parts[field.name] = read(data.get(key))
        except DecodeError:
            if field.default is attrs.NOTHING:
                raise
    return parts


def _read_moment(value: Any) -> int | None:
    # A public program types it as text; all samples are numbers.
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        return int(value)
    try:
        return field_type.MOMENT.read(value)
    except DecodeError:
        return None


def _read_data(value: Any) -> Mapping[str, Any]:
    return field_type.frozen(mapping(value))


_ENVELOPE = Schema(
    UnknownEvent,
    id=("id", field_type.TEXT),
    type=("type", field_type.TEXT),
    created_at_ms=("createdAt", FieldType(_read_moment, absent=None)),
    data=("data", FieldType(_read_data, dict, absent=EMPTY)),
)
