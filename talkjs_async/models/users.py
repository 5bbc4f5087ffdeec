"""Users: what TalkJS answers, and what may be written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset, moment
from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema

__all__ = ["User", "UserInput"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class User:
    """
    A user, as TalkJS knows it.

    Attributes:
        id: Chosen by you; permanent.
        name: Shown in the chat.
        email, phone: Addresses for notifications. Empty when there are none: TalkJS answers null or
            an empty array for that (both were seen in code).
        photo_url, welcome_message, availability_text: None when not set.
        locale: IETF language tag. None means the app's default.
        role: Name of the user's role. "default" when none was set (documented sample).
        custom: Your own data, texts only.
        push_tokens: Registered devices as "fcm:..." or "apns:...", each mapped to True.
        created_at_ms: When TalkJS first heard of the user, in Unix milliseconds.
        extra: Keys that this version of the library does not know.

    Source: TalkJS docs, REST API, Users (documented).
    """

    id: str
    name: str
    email: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    photo_url: str | None = None
    welcome_message: str | None = None
    locale: str | None = None
    role: str | None = None
    availability_text: str | None = None
    custom: Mapping[str, str] = EMPTY
    push_tokens: Mapping[str, bool | None] = EMPTY
    created_at_ms: int
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @property
    def created_at(self) -> datetime:
        """When TalkJS first heard of the user, in UTC."""
        return moment(self.created_at_ms)

    @classmethod
    def from_wire(cls, data: Any) -> User:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _USER.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _USER.write(self)


_PUSH_TOKENS = field_type.mapped(field_type.MAYBE_FLAG.or_absent, field_type.MAYBE_FLAG.write)

_USER = Schema(
    User,
    id=("id", field_type.TEXT),
    name=("name", field_type.TEXT),
    email=("email", field_type.TEXTS),
    phone=("phone", field_type.TEXTS),
    photo_url=("photoUrl", field_type.MAYBE_TEXT),
    welcome_message=("welcomeMessage", field_type.MAYBE_TEXT),
    locale=("locale", field_type.MAYBE_TEXT),
    role=("role", field_type.MAYBE_TEXT),
    availability_text=("availabilityText", field_type.MAYBE_TEXT.if_any()),
    custom=("custom", field_type.TEXT_MAP),
    push_tokens=("pushTokens", _PUSH_TOKENS.if_any()),
    created_at_ms=("createdAt", field_type.MOMENT),
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class UserInput:
    """
    What to write about a user. Fields that are not given stay as they are; None clears a field.

    Attributes:
        name: Required by TalkJS for a user that is new; cannot be cleared.
        email, phone: All of them; they replace the earlier ones. Numbers as "+31612345678".
        photo_url, welcome_message, locale, role, availability_text: As in `User`.
        custom: Merged key by key (inferred); a key with None goes away (inferred from TalkJS's
            SDK); None as a whole removes all (seen in code).
        push_tokens: "fcm:<token>" or "apns:<token>" to True, or to None to unregister that device.
            None as a whole unregisters all (documented).

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, Users (documented); availabilityText is written by TalkJS's own
    examples only (seen in code).
    """

    name: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)
    email: tuple[str, ...] | None | Unset = attrs.field(
        default=UNSET, converter=must_be.as_texts_or_null, validator=must_be.TEXTS_OR_NULL
    )
    phone: tuple[str, ...] | None | Unset = attrs.field(
        default=UNSET, converter=must_be.as_texts_or_null, validator=must_be.TEXTS_OR_NULL
    )
    photo_url: str | None | Unset = attrs.field(default=UNSET, validator=must_be.TEXT_OR_NULL)
    welcome_message: str | None | Unset = attrs.field(default=UNSET, validator=must_be.TEXT_OR_NULL)
    locale: str | None | Unset = attrs.field(default=UNSET, validator=must_be.TEXT_OR_NULL)
    role: str | None | Unset = attrs.field(default=UNSET, validator=must_be.TEXT_OR_NULL)
    availability_text: str | None | Unset = attrs.field(
        default=UNSET, validator=must_be.TEXT_OR_NULL
    )
    custom: Mapping[str, str | None] | None | Unset = attrs.field(
        default=UNSET, converter=must_be.as_map_or_null, validator=must_be.TEXT_MAP_OR_NULL
    )
    push_tokens: Mapping[str, Literal[True] | None] | None | Unset = attrs.field(
        default=UNSET, converter=must_be.as_switches_or_null, validator=must_be.PUSH_TOKENS_OR_NULL
    )

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return drop_unset(
            {
                "name": self.name,
                "email": self.email,
                "phone": self.phone,
                "photoUrl": self.photo_url,
                "welcomeMessage": self.welcome_message,
                "locale": self.locale,
                "role": self.role,
                "availabilityText": self.availability_text,
                "custom": self.custom,
                "pushTokens": self.push_tokens,
            }
        )
