"""What content blocks must be to be sent or imported, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from talkjs_async.models import _arguments as must_be
from talkjs_async.models.content import ContentBlock, LocationBlock

RANGES: Final = "latitude -90 to 90 and longitude -180 to 180, in degrees"


def is_on_earth(latitude: object, longitude: object) -> bool:
    """Whether two numbers are a place on the map."""
    return must_be.is_number(latitude, low=-90, high=90) and must_be.is_number(
        longitude, low=-180, high=180
    )


def _are_blocks(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(isinstance(block, ContentBlock) for block in value)
        and all(
            is_on_earth(block.latitude, block.longitude)
            for block in value
            if isinstance(block, LocationBlock)
        )
    )


BLOCKS: Final = must_be.Rule(
    f"must be a non-empty collection of content blocks; a LocationBlock has {RANGES}.",
    _are_blocks,
    null=False,
    convert=must_be.as_tuple,
)
NO_PLACES: Final = must_be.Rule(
    "must hold no LocationBlock: system messages cannot show a place.",
    lambda value: not any(isinstance(block, LocationBlock) for block in value),
    null=False,
)


def write_blocks(content: Iterable[ContentBlock]) -> list[Any]:
    """Write blocks as TalkJS's JSON."""
    return [block.to_wire() for block in content]
