"""The message as pydantic v2 models: same fields, same types, frozen, unknown keys kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Shared(BaseModel):
    """What all models have in common."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)


class Attachment(Shared):
    """A file."""

    url: str
    size: int | None = None


class Reaction(Shared):
    """One emoji."""

    count: int | None = None
    created_at: int | None = None


class Markup(Shared):
    """A node of formatted text."""

    type: str
    children: tuple[str | Markup, ...]


class TextBlock(Shared):
    """Formatted text."""

    type: Literal["text"]
    children: tuple[str | Markup, ...]


class FileBlock(Shared):
    """A file."""

    type: Literal["file"]
    file_token: str
    url: str | None = None
    size: int | None = None
    filename: str | None = None
    subtype: str | None = None
    width: float | None = None
    height: float | None = None
    duration: float | None = None


class LocationBlock(Shared):
    """A place."""

    type: Literal["location"]
    latitude: float
    longitude: float


class Message(Shared):
    """A message; its content stays JSON."""

    id: str
    conversation_id: str
    type: str
    sender_id: str | None = None
    text: str | None = None
    attachment: Attachment | None = None
    location: tuple[float, float] | None = None
    content: tuple[Any, ...] = ()
    read_by: tuple[str, ...] = ()
    origin: str | None = None
    referenced_message_id: str | None = None
    custom: dict[str, str] = {}
    reactions: dict[str, Reaction] = {}
    created_at: int
    edited_at: int | None = None


class FullMessage(Message):
    """A message with typed content."""

    content: tuple[
        Annotated[TextBlock | FileBlock | LocationBlock, Field(discriminator="type")], ...
    ] = ()


class Page(BaseModel):
    """A page of messages."""

    data: list[Message]


class FullPage(BaseModel):
    """A page of messages with typed content."""

    data: list[FullMessage]
