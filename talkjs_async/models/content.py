"""
Message content: blocks, and the tree of formatted text within a text block.

The names of blocks and nodes are those of TalkJS's SDKs, which is where they are documented
(JavaScript Data API, Message content). What this version does not know is kept as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, TypeAlias

import attrs

from talkjs_async.errors import DecodeError
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._field_types import mismatch
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema

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


@attrs.frozen(kw_only=True, weakref_slot=False)
class MarkupNode:
    """Bold (`*text*`), italic (`_text_`) or struck through (`~text~`) nodes."""

    type: Literal["bold", "italic", "strikethrough"]
    children: tuple[TextNode, ...]
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _MARKUP.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class BulletListNode:
    """A list; its children are `BulletPointNode`s."""

    type: ClassVar[Literal["bulletList"]] = "bulletList"
    children: tuple[TextNode, ...]
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _BULLET_LIST.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class BulletPointNode:
    """One point of a list (a line that began with "-", "*" or "+")."""

    type: ClassVar[Literal["bulletPoint"]] = "bulletPoint"
    children: tuple[TextNode, ...]
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _BULLET_POINT.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class CodeSpanNode:
    """Code within a line."""

    type: ClassVar[Literal["codeSpan"]] = "codeSpan"
    text: str
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _CODE_SPAN.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class LinkNode:
    """A link with a label of its own (`<url|label>`)."""

    type: ClassVar[Literal["link"]] = "link"
    url: str
    children: tuple[TextNode, ...]
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _LINK.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class AutoLinkNode:
    """An address that stood in the text. TalkJS refuses a *text* that does not match its *url*."""

    type: ClassVar[Literal["autoLink"]] = "autoLink"
    url: str
    text: str
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _AUTO_LINK.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class ActionNode:
    """
    A link or a button that runs code of yours (`<actionbutton:action?key=value|label>`).

    Attributes:
        type: "actionLink" or "actionButton".
        action: Name of the action.
        params: What the action gets.
        children: The label.
    """

    type: Literal["actionLink", "actionButton"]
    action: str
    params: Mapping[str, str] = EMPTY
    children: tuple[TextNode, ...]
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _ACTION.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class CustomEmojiNode:
    """One of the app's own emoji; *text* is ":name:"."""

    type: ClassVar[Literal["customEmoji"]] = "customEmoji"
    text: str
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _CUSTOM_EMOJI.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class MentionNode:
    """A mentioned user: *id* is the user's ID, *text* the name without "@"."""

    type: ClassVar[Literal["mention"]] = "mention"
    id: str
    text: str
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _MENTION.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class UnknownNode:
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


def read_node(data: Any) -> TextNode:
    """Read one node of a text block. Raises DecodeError, which names the place."""
    if isinstance(data, str):
        return data
    if not isinstance(data, dict):
        raise mismatch("text or a node", data)
    kind = field_type.text_at(data, "type")
    if kind not in _NODES:
        return UnknownNode(type=kind, data=field_type.frozen(data))
    node: TextNode = _NODES[kind].read(data)
    return node


def write_node(node: TextNode) -> Any:
    """Write one node of a text block."""
    return node if isinstance(node, str) else node.to_wire()


_TYPE: Final = ("type", field_type.TEXT)
_CHILDREN: Final = ("children", field_type.many(read_node, write_node))
_TEXT: Final = ("text", field_type.TEXT)

_MARKUP = Schema(MarkupNode, type=_TYPE, children=_CHILDREN)
_BULLET_LIST = Schema(BulletListNode, "bulletList", children=_CHILDREN)
_BULLET_POINT = Schema(BulletPointNode, "bulletPoint", children=_CHILDREN)
_CODE_SPAN = Schema(CodeSpanNode, "codeSpan", text=_TEXT)
_LINK = Schema(LinkNode, "link", url=("url", field_type.TEXT), children=_CHILDREN)
_AUTO_LINK = Schema(AutoLinkNode, "autoLink", url=("url", field_type.TEXT), text=_TEXT)
_ACTION = Schema(
    ActionNode,
    type=_TYPE,
    action=("action", field_type.TEXT),
    params=("params", field_type.TEXT_MAP),
    children=_CHILDREN,
)
_CUSTOM_EMOJI = Schema(CustomEmojiNode, "customEmoji", text=_TEXT)
_MENTION = Schema(MentionNode, "mention", id=("id", field_type.TEXT), text=_TEXT)

_NODES: Final[dict[str, Schema[Any]]] = {
    "bold": _MARKUP,
    "italic": _MARKUP,
    "strikethrough": _MARKUP,
    "bulletList": _BULLET_LIST,
    "bulletPoint": _BULLET_POINT,
    "codeSpan": _CODE_SPAN,
    "link": _LINK,
    "autoLink": _AUTO_LINK,
    "actionLink": _ACTION,
    "actionButton": _ACTION,
    "customEmoji": _CUSTOM_EMOJI,
    "mention": _MENTION,
}


@attrs.frozen(kw_only=True, weakref_slot=False)
class TextBlock:
    """
    Formatted text.

    Sent as a block, text is shown as it is: nothing in it is read as markup (documented for
    TalkJS's SDKs, inferred for REST).
    """

    type: ClassVar[Literal["text"]] = "text"
    children: tuple[TextNode, ...]
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _TEXT_BLOCK.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class FileBlock:
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
    file_token: str
    url: str | None = None
    size: int | None = None
    filename: str | None = None
    subtype: Literal["image", "video", "audio", "voice"] | str | None = None
    width: float | None = None
    height: float | None = None
    duration: float | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object, without what is not set: a request has the token only."""
        return {k: v for k, v in _FILE_BLOCK.write(self).items() if v is not None}


@attrs.frozen(kw_only=True, weakref_slot=False)
class LocationBlock:
    """A place on the map: *latitude* -90 to 90, *longitude* -180 to 180, in degrees."""

    type: ClassVar[Literal["location"]] = "location"
    latitude: float
    longitude: float
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        return _LOCATION_BLOCK.write(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class UnknownBlock:
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


def read_block(data: Any) -> ContentBlock:
    """
    Read one block.

    It never fails: what cannot be read is an `UnknownBlock`, because no message should get lost
    for its form.
    """
    kind = data.get("type") if isinstance(data, dict) else None
    if not isinstance(kind, str):
        return UnknownBlock(type="", data=data)
    try:
        block: ContentBlock = _BLOCKS[kind].read(data)
    except (KeyError, DecodeError, RecursionError):
        block = UnknownBlock(type=kind, data=data)
    return block


_TEXT_BLOCK = Schema(TextBlock, "text", children=_CHILDREN)
_FILE_BLOCK = Schema(
    FileBlock,
    "file",
    file_token=("fileToken", field_type.TEXT),
    url=("url", field_type.MAYBE_TEXT),
    size=("size", field_type.MAYBE_WHOLE),
    filename=("filename", field_type.MAYBE_TEXT),
    subtype=("subtype", field_type.MAYBE_TEXT.if_any()),
    width=("width", field_type.MAYBE_NUMBER.if_any()),
    height=("height", field_type.MAYBE_NUMBER.if_any()),
    duration=("duration", field_type.MAYBE_NUMBER.if_any()),
)
_LOCATION_BLOCK = Schema(
    LocationBlock,
    "location",
    latitude=("latitude", field_type.NUMBER),
    longitude=("longitude", field_type.NUMBER),
)

_BLOCKS: Final[dict[str, Schema[Any]]] = {
    "text": _TEXT_BLOCK,
    "file": _FILE_BLOCK,
    "location": _LOCATION_BLOCK,
}
