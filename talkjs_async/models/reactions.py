"""Reactions: emoji on a message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from talkjs_async._core.wire import is_id, moment_or_none
from talkjs_async.errors import ConfigurationError, DecodeError
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._field_types import mapping
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema

__all__ = ["Reaction"]

LONGEST_CUSTOM_EMOJI: Final = 50


@attrs.frozen(kw_only=True, weakref_slot=False)
class Reaction:
    """
    One emoji on one message.

    How the REST API shows reactions is not documented. TalkJS's SDK gets a map from emoji to an
    object with the count and the time of first use. A bare count or a list of user IDs in its
    place, and a list of objects instead of the map, are understood as well.

    Attributes:
        emoji: One Unicode emoji, or a custom one as ":name:". TalkJS may return it with another
            variation selector than it was sent with (documented).
        count: How many users chose it. None when TalkJS does not say.
        user_ids: Who chose it. Empty when TalkJS does not say.
        created_at_ms: Time of first use, in Unix milliseconds. None when TalkJS does not say.
        current_user_reacted: The SDK's view of one user. None in answers to the app.
        extra: Keys that this version of the library does not know.

    Source: TalkJS's SDK (seen in code).
    """

    emoji: str
    count: int | None = None
    user_ids: tuple[str, ...] = ()
    created_at_ms: int | None = None
    current_user_reacted: bool | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @property
    def created_at(self) -> datetime | None:
        """Time of first use, in UTC."""
        return moment_or_none(self.created_at_ms)

    @classmethod
    def from_wire(cls, data: Any) -> Reaction:
        """Read an object that has the emoji in it. Raises DecodeError, which names the place."""
        return _REACTION.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _REACTION.write(self)


_REACTION = Schema(
    Reaction,
    emoji=("emoji", field_type.TEXT),
    count=("count", field_type.MAYBE_WHOLE),
    user_ids=("userIds", field_type.TEXTS.if_any()),
    created_at_ms=("createdAt", field_type.MAYBE_MOMENT.if_any()),
    current_user_reacted=("currentUserReacted", field_type.MAYBE_FLAG.if_any()),
)


def read_reactions(data: Any) -> tuple[Reaction, ...]:
    """
    Read a message's reactions, in order of first use.

    It never fails, because no message should get lost for them: what cannot be read is in `extra`
    under "value".
    """
    if isinstance(data, list):
        return tuple(_read(_emoji_in(item), item) for item in data)
    if isinstance(data, dict):
        return tuple(_read(emoji, value) for emoji, value in data.items())
    return ()


def _emoji_in(item: Any) -> str:
    emoji = item.get("emoji") if isinstance(item, dict) else None
    return emoji if isinstance(emoji, str) else ""


def _read(emoji: str, value: Any) -> Reaction:
    try:
        return _REACTION.read({**_details(value), "emoji": emoji})
    except DecodeError:
        return Reaction(emoji=emoji, extra={"value": value})


def _details(value: Any) -> Mapping[str, Any]:
    if isinstance(value, int):
        return {"count": value}
    if isinstance(value, list):
        return {"count": len(value), "userIds": value}
    return mapping(value)


def check_emoji(emoji: str) -> str:
    """
    Check an emoji before it is sent.

    Args:
        emoji: One Unicode emoji, or a custom one as ":name:" of at most 50 characters, the colons
            included (documented for TalkJS's SDK).

    Returns:
        The same text.

    Raises:
        ConfigurationError: It is empty, no text, or a custom emoji that breaks the rule. Whether a
            text is one Unicode emoji is left to TalkJS, which may know newer ones.
    """
    if not is_id(emoji):
        raise ConfigurationError("emoji", "must be one emoji, or a custom one as ':name:'.")
    custom = emoji.startswith(":") or emoji.endswith(":")
    if custom and not (len(emoji) > 2 and emoji[0] == emoji[-1] == ":" and ":" not in emoji[1:-1]):
        raise ConfigurationError("emoji", "must have one colon at each end if it is a custom one.")
    if custom and len(emoji) > LONGEST_CUSTOM_EMOJI:
        raise ConfigurationError(
            "emoji", f"must have at most {LONGEST_CUSTOM_EMOJI} characters, colons included."
        )
    return emoji
