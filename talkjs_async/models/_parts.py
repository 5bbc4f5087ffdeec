"""
Parts of a message that no single model reads: a block of any type, reactions in any form.

Reading never fails here: no message should get lost for the form of a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from talkjs_async.errors import DecodeError
from talkjs_async.models._field_types import frozen, mapping
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models.content import (
    ContentBlock,
    FileBlock,
    LocationBlock,
    TextBlock,
    UnknownBlock,
)
from talkjs_async.models.reactions import Reaction

BLOCK_TYPES: Final[Mapping[str, type[TextBlock | FileBlock | LocationBlock]]] = {
    block.type: block for block in (TextBlock, FileBlock, LocationBlock)
}


def read_block(data: Any) -> ContentBlock:
    """Read one content block. What cannot be read is an `UnknownBlock`."""
    kind = data.get("type") if isinstance(data, dict) else None
    if not isinstance(kind, str):
        return UnknownBlock(type="", data=data)
    try:
        return BLOCK_TYPES[kind].from_wire(data)
    except (KeyError, DecodeError, RecursionError):
        return UnknownBlock(type=kind, data=data)


def read_reactions(data: Any) -> Mapping[str, Reaction]:
    """
    Read a message's reactions by emoji, in order of first use.

    What cannot be read is in the `extra` of its reaction under "value".
    """
    if isinstance(data, list):
        data = {_emoji_in(item): item for item in data}
    if not isinstance(data, dict):
        return EMPTY
    return frozen({emoji: _reaction(emoji, value) for emoji, value in data.items()})


def _emoji_in(item: Any) -> str:
    emoji = item.get("emoji") if isinstance(item, dict) else None
    return emoji if isinstance(emoji, str) else ""


def _reaction(emoji: str, value: Any) -> Reaction:
    try:
        return Reaction.from_wire({**_details(value), "emoji": emoji})
    except DecodeError:
        return Reaction(emoji=emoji, extra={"value": value})


def _details(value: Any) -> Mapping[str, Any]:
    if isinstance(value, int):
        return {"count": value}
    if isinstance(value, list):
        return {"count": len(value), "userIds": value}
    return mapping(value)
