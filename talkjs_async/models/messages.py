"""Messages: what TalkJS answers, and what may be sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

import attrs

from talkjs_async._core.wire import UNSET, Unset, moment, moment_or_none
from talkjs_async.errors import ConfigurationError
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._block_rules import (
    BLOCKS,
    NO_PLACES,
    RANGES,
    is_on_earth,
    write_blocks,
)
from talkjs_async.models._declare import Input, Model, argument, model, wire
from talkjs_async.models._field_types import (
    ARRAY,
    JSON,
    MOMENT,
    NUMBER,
    TEXT,
    TEXT_MAP,
    TEXTS,
    WHOLE,
    array_of,
    mismatch,
    one,
)
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._parts import read_block, read_reactions
from talkjs_async.models.content import ContentBlock
from talkjs_async.models.markup import plain_text
from talkjs_async.models.reactions import Reaction

__all__ = [
    "Attachment",
    "Location",
    "Message",
    "SendReceipt",
    "SystemMessage",
    "UserMessage",
]


@model
class Attachment(Model):
    """
    The file of a message.

    Attributes:
        url: Where to fetch it.
        size: Bytes.
    """

    url: str = wire("url", TEXT)
    size: int | None = wire("size", WHOLE, default=None)


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
        latitude, longitude = array_of(NUMBER.read)(data)
        return cls(latitude=latitude, longitude=longitude)

    def to_wire(self) -> list[float]:
        """Write TalkJS's pair of numbers."""
        return [self.latitude, self.longitude]


@model
class Message(Model):
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

    Source: TalkJS docs, REST API, Messages, and Concepts, Messages (documented).
    """

    id: str = wire("id", TEXT)
    conversation_id: str = wire("conversationId", TEXT)
    type: Literal["UserMessage", "SystemMessage"] | str = wire("type", TEXT)
    sender_id: str | None = wire("senderId", TEXT, default=None)
    text: str | None = wire("text", TEXT, default=None)
    attachment: Attachment | None = wire("attachment", one(Attachment), default=None)
    location: Location | None = wire("location", one(Location), default=None)
    content_json: tuple[Any, ...] = wire("content", ARRAY, default=(), hash=False)
    read_by: tuple[str, ...] = wire("readBy", TEXTS, default=())
    origin: Literal["web", "rest", "email", "import"] | str | None = wire(
        "origin", TEXT, default=None
    )
    referenced_message_id: str | None = wire("referencedMessageId", TEXT, default=None)
    custom: Mapping[str, str] = wire("custom", TEXT_MAP, default=EMPTY)
    reactions_json: Any = wire("reactions", JSON, default=None, hash=False)
    created_at_ms: int = wire("createdAt", MOMENT)
    edited_at_ms: int | None = wire("editedAt", MOMENT, default=None)

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
    def reactions(self) -> Mapping[str, Reaction]:
        """
        The reactions by emoji, in order of first use; see `Reaction`.

        Read from `reactions_json` at each use. Who reacted is in `reactions.list`.
        """
        return read_reactions(self.reactions_json)

    def plain_text(self) -> str:
        """
        Show the content as text without markup, as TalkJS's SDK does; see `markup.plain_text`.

        An answer without content blocks gives its `text` as it is.
        """
        return plain_text(self.content) if self.content_json else self.text or ""


@model
class SendReceipt(Model):
    """
    TalkJS's receipt for a message.

    Attributes:
        id: Empty when TalkJS stored the message without telling its ID (status 204).
    """

    id: str = wire("id", TEXT)


_PLACE = must_be.Rule(
    f"must be a Location with {RANGES}.",
    lambda value: isinstance(value, Location) and is_on_earth(value.latitude, value.longitude),
    null=False,
)

_SENDER = attrs.evolve(
    must_be.ID,
    says="must be the user ID of a participant: a non-empty text (str). A message without a sender "
    "is a system message: see send_system.",
)


@model
class UserMessage(Input):
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

    type: ClassVar[Literal["UserMessage"]] = "UserMessage"
    sender: str = argument("sender", _SENDER)
    text: str | None | Unset = argument("text", must_be.TEXT.or_none(), default=UNSET)
    attachment_token: str | None | Unset = argument(
        "attachmentToken", must_be.ID.or_none(), default=UNSET
    )
    location: Location | None | Unset = argument(
        "location", _PLACE.or_none(), default=UNSET, write=Location.to_wire
    )
    content: Iterable[ContentBlock] | None | Unset = argument(
        "content", BLOCKS.or_none(), default=UNSET, write=write_blocks
    )
    referenced_message_id: str | None | Unset = argument(
        "referencedMessageId", must_be.ID.or_none(), default=UNSET
    )
    custom: Mapping[str, str] | None | Unset = argument(
        "custom", must_be.TEXT_MAP.or_none(), default=UNSET
    )
    idempotency_key: str | None | Unset = argument(
        "idempotencyKey", must_be.ID.or_none(), default=UNSET
    )

    def __attrs_post_init__(self) -> None:
        _exactly_one(
            text=self.text,
            attachment_token=self.attachment_token,
            location=self.location,
            content=self.content,
        )


@model
class SystemMessage(Input):
    """
    A message to send on behalf of no user.

    It has no sender, cannot show a place and notifies no user (documented). Give exactly one of
    *text*, *attachment_token* and *content*.

    Attributes:
        text, content, referenced_message_id, custom, idempotency_key: As in `UserMessage`.
        attachment_token: The same; only the newer documentation allows it here.

    Raises:
        ConfigurationError: An argument breaks its rule.
    """

    type: ClassVar[Literal["SystemMessage"]] = "SystemMessage"
    text: str | None | Unset = argument("text", must_be.TEXT.or_none(), default=UNSET)
    attachment_token: str | None | Unset = argument(
        "attachmentToken", must_be.ID.or_none(), default=UNSET
    )
    content: Iterable[ContentBlock] | None | Unset = argument(
        "content", BLOCKS.or_none(), NO_PLACES, default=UNSET, write=write_blocks
    )
    referenced_message_id: str | None | Unset = argument(
        "referencedMessageId", must_be.ID.or_none(), default=UNSET
    )
    custom: Mapping[str, str] | None | Unset = argument(
        "custom", must_be.TEXT_MAP.or_none(), default=UNSET
    )
    idempotency_key: str | None | Unset = argument(
        "idempotencyKey", must_be.ID.or_none(), default=UNSET
    )

    def __attrs_post_init__(self) -> None:
        _exactly_one(text=self.text, attachment_token=self.attachment_token, content=self.content)


def _exactly_one(**bodies: object) -> None:
    given = [name for name, body in bodies.items() if body is not UNSET]
    if len(given) == 1:
        return
    names = ", ".join(bodies)
    if given:
        raise ConfigurationError(given[1], f"cannot go with {given[0]}: give one of {names}.")
    raise ConfigurationError("text", f"is missing: give one of {names}.")
