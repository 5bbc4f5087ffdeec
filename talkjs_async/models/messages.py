"""Messages: what TalkJS answers, and what may be sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset, moment, moment_or_none
from talkjs_async.errors import ConfigurationError
from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._field_types import mismatch
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema
from talkjs_async.models.content import (
    ContentBlock,
    LocationBlock,
    read_block,
)
from talkjs_async.models.markup import plain_text
from talkjs_async.models.reactions import Reaction, read_reactions

__all__ = [
    "Attachment",
    "Location",
    "Message",
    "SentMessage",
    "SystemMessage",
    "UserMessage",
]


@attrs.frozen(kw_only=True, weakref_slot=False)
class Attachment:
    """
    The file of a message.

    Attributes:
        url: Where to fetch it.
        size: Bytes.
    """

    url: str
    size: int | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @classmethod
    def from_wire(cls, data: Any) -> Attachment:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _ATTACHMENT.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _ATTACHMENT.write(self)


_ATTACHMENT = Schema(
    Attachment, url=("url", field_type.TEXT), size=("size", field_type.MAYBE_WHOLE)
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class Location:
    """
    A place on the map.

    On the wire it is a pair of numbers. The documentation calls the pair longitude and latitude,
    but its own sample has the latitude first, and that is what is read and written here (inferred).
    Content blocks name both numbers: prefer `LocationBlock` where you can.

    Attributes:
        latitude: Degrees north, -90 to 90.
        longitude: Degrees east, -180 to 180.
    """

    latitude: float
    longitude: float

    @classmethod
    def from_wire(cls, data: Any) -> Location:
        """Read TalkJS's pair of numbers. Raises DecodeError."""
        if not isinstance(data, list) or len(data) != 2:
            raise mismatch("a pair of numbers", data)
        latitude, longitude = _read_numbers(data)
        return cls(latitude=latitude, longitude=longitude)

    def to_wire(self) -> list[float]:
        """Write TalkJS's pair of numbers."""
        return [self.latitude, self.longitude]


_read_numbers = field_type.array_of(field_type.NUMBER.read)


@attrs.frozen(kw_only=True, weakref_slot=False)
class Message:
    """
    A message, as TalkJS knows it.

    Attributes:
        id: Given by TalkJS.
        conversation_id: Where it stands.
        type: "UserMessage" or "SystemMessage"; other words are kept.
        sender_id: None for system messages.
        text: None for files and places.
        attachment, location: The older forms of what the content holds. None when it is neither.
        content_json: The content blocks as they came; `content` reads them. Empty in answers older
            than content blocks.
        read_by: IDs of the users who have read it, never the sender; at most 300.
        origin: "web", "rest", "email" or "import"; other words are kept. None: TalkJS does not say.
        referenced_message_id: The message that this one answers.
        custom: Your own data, texts only.
        reactions_json: The reactions as they came; `reactions` reads them. None when TalkJS says
            nothing of them.
        created_at_ms, edited_at_ms: In Unix milliseconds. edited_at_ms is None if it never was.
        extra: Keys that this version of the library does not know.

    Source: TalkJS docs, REST API, Messages, and Concepts, Messages (documented).
    """

    id: str
    conversation_id: str
    type: Literal["UserMessage", "SystemMessage"] | str
    sender_id: str | None = None
    text: str | None = None
    attachment: Attachment | None = None
    location: Location | None = None
    content_json: tuple[Any, ...] = attrs.field(default=(), hash=False)
    read_by: tuple[str, ...] = ()
    origin: Literal["web", "rest", "email", "import"] | str | None = None
    referenced_message_id: str | None = None
    custom: Mapping[str, str] = EMPTY
    reactions_json: Any = attrs.field(default=None, hash=False)
    created_at_ms: int
    edited_at_ms: int | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @property
    def created_at(self) -> datetime:
        """When it was sent, in UTC."""
        return moment(self.created_at_ms)

    @property
    def edited_at(self) -> datetime | None:
        """When it was last edited, in UTC. None: never."""
        return moment_or_none(self.edited_at_ms)

    @property
    def content(self) -> tuple[ContentBlock, ...]:
        """
        The content as typed blocks, usually one. What cannot be read is an `UnknownBlock`.

        Read from `content_json` at each use: most programs never look at it, and it would double
        the time that reading a message takes.
        """
        return tuple(map(read_block, self.content_json))

    @property
    def reactions(self) -> tuple[Reaction, ...]:
        """
        The reactions, in order of first use. Their form in this API is inferred, see `Reaction`.

        Read from `reactions_json` at each use.
        """
        return read_reactions(self.reactions_json)

    def plain_text(self) -> str:
        """
        Show the content as text without markup, as TalkJS's SDK does; see `markup.plain_text`.

        An answer without content blocks gives its `text` as it is.
        """
        return plain_text(self.content) if self.content_json else self.text or ""

    @classmethod
    def from_wire(cls, data: Any) -> Message:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return MESSAGE.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return MESSAGE.write(self)


MESSAGE = Schema(
    Message,
    id=("id", field_type.TEXT),
    conversation_id=("conversationId", field_type.TEXT),
    type=("type", field_type.TEXT),
    sender_id=("senderId", field_type.MAYBE_TEXT),
    text=("text", field_type.MAYBE_TEXT),
    attachment=("attachment", field_type.one(Attachment.from_wire, Attachment.to_wire).or_none()),
    location=("location", field_type.one(Location.from_wire, Location.to_wire).or_none()),
    content_json=("content", field_type.ARRAY.if_any()),
    read_by=("readBy", field_type.TEXTS),
    origin=("origin", field_type.MAYBE_TEXT),
    referenced_message_id=("referencedMessageId", field_type.MAYBE_TEXT),
    custom=("custom", field_type.TEXT_MAP),
    reactions_json=("reactions", field_type.JSON.if_any()),
    created_at_ms=("createdAt", field_type.MOMENT),
    edited_at_ms=("editedAt", field_type.MAYBE_MOMENT),
)
"""Its `read` is `Message.from_wire` without one more function in between: for long lists."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class SentMessage:
    """TalkJS's receipt for a message: its *id*."""

    id: str
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @classmethod
    def from_wire(cls, data: Any) -> SentMessage:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _SENT.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _SENT.write(self)


_SENT = Schema(SentMessage, id=("id", field_type.TEXT))


def read_sent_messages(data: Any) -> tuple[SentMessage, ...]:
    """Read the bare array that answers a POST of messages. Raises DecodeError."""
    return _ALL_SENT(data)


_ALL_SENT = field_type.array_of(SentMessage.from_wire)


def _as_blocks(value: Iterable[ContentBlock] | Unset) -> tuple[ContentBlock, ...] | Unset:
    blocks: tuple[ContentBlock, ...] | Unset = must_be.as_tuple(value)
    return blocks


def _on_earth(place: object) -> bool:
    return (
        isinstance(place, Location | LocationBlock)
        and must_be.is_number(place.latitude, low=-90, high=90)
        and must_be.is_number(place.longitude, low=-180, high=180)
    )


def _are_blocks(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(isinstance(block, ContentBlock) for block in value)
        and all(_on_earth(block) for block in value if isinstance(block, LocationBlock))
    )


_RANGES = "latitude -90 to 90 and longitude -180 to 180, in degrees"
_PLACE = must_be.rule(
    f"must be a Location with {_RANGES}.",
    lambda value: isinstance(value, Location) and _on_earth(value),
    null=False,
)
_BLOCKS = must_be.rule(
    f"must be a non-empty collection of content blocks; a LocationBlock has {_RANGES}.",
    _are_blocks,
    null=False,
)
_NO_PLACES = must_be.rule(
    "must hold no LocationBlock: system messages cannot show a place.",
    lambda value: not any(isinstance(block, LocationBlock) for block in value),
    null=False,
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class UserMessage:
    """
    A message to send on behalf of a user.

    Give exactly one of *text*, *attachment_token*, *location* and *content*.

    Attributes:
        sender: User ID of a participant.
        text: May hold markup; `escape_markup` keeps a user's words from becoming some.
        attachment_token: A file that was uploaded before.
        location: A place on the map (the name of this field in requests is inferred).
        content: Blocks; TalkJS takes exactly one today (documented for its SDKs, inferred here).
        referenced_message_id: The message that this one answers.
        custom: Your own data, texts only.
        idempotency_key: The same key never makes a second message (documented; for 24 hours,
            according to third parties). The client adds one when you give none.

    Raises:
        ConfigurationError: An argument breaks its rule.

    Source: TalkJS docs, REST API, Messages (documented).
    """

    sender: str = attrs.field(validator=must_be.ID)
    text: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)
    attachment_token: str | Unset = attrs.field(default=UNSET, validator=must_be.ID)
    location: Location | Unset = attrs.field(default=UNSET, validator=_PLACE)
    content: tuple[ContentBlock, ...] | Unset = attrs.field(
        default=UNSET, converter=_as_blocks, validator=_BLOCKS
    )
    referenced_message_id: str | Unset = attrs.field(default=UNSET, validator=must_be.ID)
    custom: Mapping[str, str] | Unset = attrs.field(
        default=UNSET, converter=must_be.as_map, validator=must_be.TEXT_MAP
    )
    idempotency_key: str | Unset = attrs.field(default=UNSET, validator=must_be.ID)

    def __attrs_post_init__(self) -> None:
        _exactly_one(
            text=self.text,
            attachment_token=self.attachment_token,
            location=self.location,
            content=self.content,
        )

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        location = self.location if self.location is UNSET else self.location.to_wire()
        return drop_unset(
            {
                "type": "UserMessage",
                "sender": self.sender,
                "text": self.text,
                "attachmentToken": self.attachment_token,
                "location": location,
                "content": _content(self.content),
                "referencedMessageId": self.referenced_message_id,
                "custom": self.custom,
                "idempotencyKey": self.idempotency_key,
            }
        )


@attrs.frozen(kw_only=True, weakref_slot=False)
class SystemMessage:
    """
    A message to send on behalf of nobody.

    It has no sender, cannot show a place and notifies nobody (documented). Give exactly one of
    *text*, *attachment_token* and *content*.

    Attributes:
        text, content, referenced_message_id, custom, idempotency_key: As in `UserMessage`.
        attachment_token: The same; only the newer documentation allows it here.

    Raises:
        ConfigurationError: An argument breaks its rule.
    """

    text: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)
    attachment_token: str | Unset = attrs.field(default=UNSET, validator=must_be.ID)
    content: tuple[ContentBlock, ...] | Unset = attrs.field(
        default=UNSET, converter=_as_blocks, validator=[_BLOCKS, _NO_PLACES]
    )
    referenced_message_id: str | Unset = attrs.field(default=UNSET, validator=must_be.ID)
    custom: Mapping[str, str] | Unset = attrs.field(
        default=UNSET, converter=must_be.as_map, validator=must_be.TEXT_MAP
    )
    idempotency_key: str | Unset = attrs.field(default=UNSET, validator=must_be.ID)

    def __attrs_post_init__(self) -> None:
        _exactly_one(text=self.text, attachment_token=self.attachment_token, content=self.content)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return drop_unset(
            {
                "type": "SystemMessage",
                "text": self.text,
                "attachmentToken": self.attachment_token,
                "content": _content(self.content),
                "referencedMessageId": self.referenced_message_id,
                "custom": self.custom,
                "idempotencyKey": self.idempotency_key,
            }
        )


@attrs.frozen(kw_only=True, weakref_slot=False)
class MessageEdit:
    """
    What to change about a message. Give at least one.

    Attributes:
        text: Replaces what it says; may hold markup.
        custom: Merged key by key; a key with None goes away; None as a whole removes all (all
            inferred).

    Raises:
        ConfigurationError: A value breaks its rule, or nothing is given.

    Source: TalkJS's own programs (seen in code).
    """

    text: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)
    custom: Mapping[str, str | None] | None | Unset = attrs.field(
        default=UNSET, converter=must_be.as_map_or_null, validator=must_be.TEXT_MAP_OR_NULL
    )

    def __attrs_post_init__(self) -> None:
        if self.text is UNSET and self.custom is UNSET:
            raise ConfigurationError("text", "or custom must be given: there is nothing to change.")

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return drop_unset({"text": self.text, "custom": self.custom})


def _exactly_one(**bodies: object) -> None:
    given = [name for name, body in bodies.items() if body is not UNSET]
    if len(given) == 1:
        return
    names = ", ".join(bodies)
    if given:
        raise ConfigurationError(given[1], f"cannot go with {given[0]}: give one of {names}.")
    raise ConfigurationError("text", f"is missing: give one of {names}.")


def _content(content: tuple[ContentBlock, ...] | Unset) -> list[Any] | Unset:
    return content if content is UNSET else [block.to_wire() for block in content]
