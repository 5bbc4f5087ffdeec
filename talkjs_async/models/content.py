"""
Message content: blocks, and the tree of formatted text within a text block.

The names of blocks and nodes are those of TalkJS's SDKs, which is where they are documented
(JavaScript Data API, Message content). What this version does not know is kept as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, TypeAlias

import attrs

from talkjs_async.models import _field_types as field_type
from talkjs_async.models._declare import Declared, Model, model, wire
from talkjs_async.models._field_types import NUMBER, TEXT, TEXT_MAP, WHOLE, WORD
from talkjs_async.models._frozen_map import EMPTY

__all__ = [
    "ActionNode",
    "AutoLinkNode",
    "BulletListNode",
    "BulletPointNode",
    "CodeSpanNode",
    "ContentBlock",
    "CustomEmojiNode",
    "FileBlock",
    "LinkNode",
    "LocationBlock",
    "MarkupNode",
    "MentionNode",
    "TextBlock",
    "TextNode",
    "UnknownBlock",
    "UnknownNode",
]


def _read_node(data: Any) -> TextNode:
    if isinstance(data, str):
        return data
    if not isinstance(data, dict):
        raise field_type.mismatch("text or a node", data)
    kind = field_type.text_at(data, "type")
    if kind not in _NODES:
        return UnknownNode(type=kind, data=field_type.frozen(data))
    node: TextNode = _NODES[kind].from_wire(data)
    return node


def _write_node(node: TextNode) -> Any:
    return node if isinstance(node, str) else node.to_wire()


_CHILDREN: Final = field_type.many(field_type.FieldType(_read_node, _write_node))


@model
class MarkupNode(Model):
    """Bold (`*text*`), italic (`_text_`) or struck through (`~text~`) nodes."""

    type: Literal["bold", "italic", "strikethrough"] = wire("type", WORD)
    children: tuple[TextNode, ...] = wire("children", _CHILDREN)


@model
class BulletListNode(Model):
    """A list; its children are `BulletPointNode`s."""

    type: ClassVar[Literal["bulletList"]] = "bulletList"
    children: tuple[TextNode, ...] = wire("children", _CHILDREN)


@model
class BulletPointNode(Model):
    """One point of a list (a line that began with "-", "*" or "+")."""

    type: ClassVar[Literal["bulletPoint"]] = "bulletPoint"
    children: tuple[TextNode, ...] = wire("children", _CHILDREN)


@model
class CodeSpanNode(Model):
    """Code within a line."""

    type: ClassVar[Literal["codeSpan"]] = "codeSpan"
    text: str = wire("text", TEXT)


@model
class LinkNode(Model):
    """A link with a label of its own (`<url|label>`)."""

    type: ClassVar[Literal["link"]] = "link"
    url: str = wire("url", TEXT)
    children: tuple[TextNode, ...] = wire("children", _CHILDREN)


@model
class AutoLinkNode(Model):
    """An address that stood in the text. TalkJS refuses a *text* that does not match its *url*."""

    type: ClassVar[Literal["autoLink"]] = "autoLink"
    url: str = wire("url", TEXT)
    text: str = wire("text", TEXT)


@model
class ActionNode(Model):
    """
    A link or a button that runs code of yours (`<actionbutton:action?key=value|label>`).

    Attributes:
        type: "actionLink" or "actionButton".
        action: Name of the action.
        params: What the action gets.
        children: The label.
    """

    type: Literal["actionLink", "actionButton"] = wire("type", WORD)
    action: str = wire("action", TEXT)
    params: Mapping[str, str] = wire("params", TEXT_MAP, default=EMPTY)
    children: tuple[TextNode, ...] = wire("children", _CHILDREN)


@model
class CustomEmojiNode(Model):
    """One of the app's own emoji; *text* is ":name:"."""

    type: ClassVar[Literal["customEmoji"]] = "customEmoji"
    text: str = wire("text", TEXT)


@model
class MentionNode(Model):
    """A mentioned user: *id* is the user's ID, *text* the name without "@"."""

    type: ClassVar[Literal["mention"]] = "mention"
    id: str = wire("id", TEXT)
    text: str = wire("text", TEXT)


@model
class UnknownNode(Declared):
    """A node that this version does not know; *data* has `text` or `children` (documented)."""

    type: str
    data: Mapping[str, Any] = attrs.field(hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write the JSON object as it came."""
        return dict(self.data)


TextNode: TypeAlias = (
    str
    | MarkupNode
    | BulletListNode
    | BulletPointNode
    | CodeSpanNode
    | LinkNode
    | AutoLinkNode
    | ActionNode
    | CustomEmojiNode
    | MentionNode
    | UnknownNode
)
"""Plain text, or a node of formatted text."""

_NODES: Final[Mapping[str, type[Any]]] = {
    "bold": MarkupNode,
    "italic": MarkupNode,
    "strikethrough": MarkupNode,
    "actionLink": ActionNode,
    "actionButton": ActionNode,
    **{
        node.type: node
        for node in (
            BulletListNode,
            BulletPointNode,
            CodeSpanNode,
            LinkNode,
            AutoLinkNode,
            CustomEmojiNode,
            MentionNode,
        )
    },
}


@model
class TextBlock(Model):
    """
    Formatted text.

    Sent as a block, text is shown as it is: nothing in it is read as markup (documented for
    TalkJS's SDKs, inferred for REST).
    """

    type: ClassVar[Literal["text"]] = "text"
    children: tuple[TextNode, ...] = wire("children", _CHILDREN)


@model
class FileBlock(Model):
    """
    A file.

    Attributes:
        file_token: Identifies the file; sends it again. Opaque, and not to be stored for long.
        url: Where to fetch it. None in a block that you are about to send.
        size: Bytes.
        filename: With extension.
        subtype: "image", "video", "audio" or "voice". None for any other file.
        width, height: Pixels; None when unknown.
        duration: Seconds; None when unknown.
    """

    type: ClassVar[Literal["file"]] = "file"
    file_token: str = wire("fileToken", TEXT)
    url: str | None = wire("url", TEXT, default=None)
    size: int | None = wire("size", WHOLE, default=None)
    filename: str | None = wire("filename", TEXT, default=None)
    subtype: Literal["image", "video", "audio", "voice"] | str | None = wire(
        "subtype", TEXT, default=None
    )
    width: float | None = wire("width", NUMBER, default=None)
    height: float | None = wire("height", NUMBER, default=None)
    duration: float | None = wire("duration", NUMBER, default=None)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object, without what is not set: a request has the token only."""
        return {k: v for k, v in super().to_wire().items() if v is not None}


@model
class LocationBlock(Model):
    """A place on the map: *latitude* -90 to 90, *longitude* -180 to 180, in degrees."""

    type: ClassVar[Literal["location"]] = "location"
    latitude: float = wire("latitude", NUMBER)
    longitude: float = wire("longitude", NUMBER)


@model
class UnknownBlock(Declared):
    """
    A block that this version does not know, or cannot read.

    Attributes:
        type: What TalkJS calls it. Empty if it has no type.
        data: The JSON as it came.
    """

    type: str
    data: Any = attrs.field(hash=False)

    def to_wire(self) -> Any:
        """Write the JSON as it came."""
        return self.data


ContentBlock: TypeAlias = TextBlock | FileBlock | LocationBlock | UnknownBlock
"""
One part of a message.

Today a message has exactly one; readers must accept several (documented).
"""
