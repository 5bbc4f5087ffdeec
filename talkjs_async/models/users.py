"""Users: what TalkJS answers, and what may be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

from talkjs_async._core.wire import UNSET, Unset, moment
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._declare import Input, Model, argument, model, wire
from talkjs_async.models._field_types import (
    FLAG,
    MOMENT,
    TEXT,
    TEXT_MAP,
    TEXTS,
    mapped,
    or_null,
)
from talkjs_async.models._frozen_map import EMPTY

__all__ = ["User", "UserInput"]

_PUSH_TOKENS: Final = mapped(or_null(FLAG))


@model
class User(Model):
    """
    A user, as TalkJS knows it.

    Attributes:
        id: Chosen by you; permanent.
        name: Shown in the chat.
        email, phone: Addresses for notifications. Empty when there are none: TalkJS answers null or
            an empty array for that (both were seen in code).
        photo_url, welcome_message, availability_text: None when not set.
        locale: IETF language tag. None means the app's default.
        role: Name of the user's role. "default" when none was set (documented sample). Read under
            its older name `configuration`, too.
        custom: Your own data, texts only.
        push_tokens: Registered devices as "fcm:..." or "apns:...", each mapped to True.
        created_at_ms: When TalkJS first heard of the user, in Unix milliseconds.

    Source: TalkJS docs, REST API, Users (documented).
    """

    id: str = wire("id", TEXT)
    name: str = wire("name", TEXT)
    email: tuple[str, ...] = wire("email", TEXTS, default=())
    phone: tuple[str, ...] = wire("phone", TEXTS, default=())
    photo_url: str | None = wire("photoUrl", TEXT, default=None)
    welcome_message: str | None = wire("welcomeMessage", TEXT, default=None)
    locale: str | None = wire("locale", TEXT, default=None)
    role: str | None = wire("role", TEXT, default=None, older="configuration")
    availability_text: str | None = wire("availabilityText", TEXT, default=None)
    custom: Mapping[str, str] = wire("custom", TEXT_MAP, default=EMPTY)
    push_tokens: Mapping[str, bool | None] = wire("pushTokens", _PUSH_TOKENS, default=EMPTY)
    created_at_ms: int = wire("createdAt", MOMENT)

    @property
    def created_at(self) -> datetime:
        """When TalkJS first heard of the user, in UTC."""
        return moment(self.created_at_ms)


@model
class UserInput(Input):
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

    name: str | Unset = argument("name", must_be.TEXT, default=UNSET)
    email: Iterable[str] | None | Unset = argument("email", must_be.TEXTS_OR_NULL, default=UNSET)
    phone: Iterable[str] | None | Unset = argument("phone", must_be.TEXTS_OR_NULL, default=UNSET)
    photo_url: str | None | Unset = argument("photoUrl", must_be.URL_OR_NULL, default=UNSET)
    welcome_message: str | None | Unset = argument(
        "welcomeMessage", must_be.TEXT_OR_NULL, default=UNSET
    )
    locale: str | None | Unset = argument("locale", must_be.TEXT_OR_NULL, default=UNSET)
    role: str | None | Unset = argument("role", must_be.TEXT_OR_NULL, default=UNSET)
    availability_text: str | None | Unset = argument(
        "availabilityText", must_be.TEXT_OR_NULL, default=UNSET
    )
    custom: Mapping[str, str | None] | None | Unset = argument(
        "custom", must_be.TEXT_MAP_OR_NULL, default=UNSET
    )
    push_tokens: Mapping[str, Literal[True] | None] | None | Unset = argument(
        "pushTokens", must_be.PUSH_TOKENS_OR_NULL, default=UNSET
    )
