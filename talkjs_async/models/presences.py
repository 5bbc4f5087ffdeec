"""Presences: who is online, and what they look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset
from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema

__all__ = ["Presence", "PresenceSession", "UserSession"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class PresenceSession:
    """
    One open chat of an online user.

    Attributes:
        selected_conversation_id: None when none is selected.
        custom: Your own data, as given to the UI.
        has_focus, is_typing: None when TalkJS does not say.
        session_id: None when TalkJS does not say.
        extra: Keys that this version of the library does not know.
    """

    selected_conversation_id: str | None = None
    custom: Mapping[str, str] = EMPTY
    has_focus: bool | None = None
    is_typing: bool | None = None
    session_id: str | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @classmethod
    def from_wire(cls, data: Any) -> PresenceSession:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _SESSION.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _SESSION.write(self)


_SESSION = Schema(
    PresenceSession,
    selected_conversation_id=("selectedConversationId", field_type.MAYBE_TEXT),
    custom=("custom", field_type.TEXT_MAP),
    has_focus=("hasFocus", field_type.MAYBE_FLAG),
    is_typing=("isTyping", field_type.MAYBE_FLAG),
    session_id=("sessionId", field_type.MAYBE_TEXT),
)
_SESSIONS = field_type.many(PresenceSession.from_wire, PresenceSession.to_wire)


@attrs.frozen(kw_only=True, weakref_slot=False)
class Presence:
    """
    One online user.

    Attributes:
        status: "online"; other words are kept. None in older answers, which have only widgets.
        background_sessions: Sessions without a visible chat.
        widgets: Visible chats.
        extra: Keys that this version of the library does not know.

    Source: TalkJS docs, REST API, User presence (documented).
    """

    status: Literal["online"] | str | None = None
    background_sessions: tuple[PresenceSession, ...] = ()
    widgets: tuple[PresenceSession, ...] = ()
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @classmethod
    def from_wire(cls, data: Any) -> Presence:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _PRESENCE.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _PRESENCE.write(self)


_PRESENCE = Schema(
    Presence,
    status=("status", field_type.MAYBE_TEXT),
    background_sessions=("backgroundSessions", _SESSIONS),
    widgets=("widgets", _SESSIONS),
)


def read_presences(data: Any) -> Mapping[str, Presence]:
    """
    Read `{"data": {user ID: presence}}`. Users who are offline are absent (inferred).

    Raises:
        DecodeError: It is something else.
    """
    return _PRESENCES(data)


_PRESENCES = field_type.under_data(field_type.map_of(Presence.from_wire))


@attrs.frozen(kw_only=True, weakref_slot=False)
class PresenceQuery:
    """
    Which online users to ask for.

    Attributes:
        include_background_sessions: True: everybody online. Else only users with a visible chat.
        selected_conversation_id: Only users who look at this conversation; None: at none of them.
        has_focus, is_typing: Only users whose chat has the focus (or not), who type (or not).
        user_ids: Only these users.
        expand_user: Put the user objects into the answer (seen in a public program; they end up in
            `Presence.extra`).

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, User presence (documented).
    """

    include_background_sessions: bool | Unset = attrs.field(default=UNSET, validator=must_be.FLAG)
    selected_conversation_id: str | None | Unset = attrs.field(
        default=UNSET, validator=must_be.ID_OR_NULL
    )
    has_focus: bool | Unset = attrs.field(default=UNSET, validator=must_be.FLAG)
    is_typing: bool | Unset = attrs.field(default=UNSET, validator=must_be.FLAG)
    user_ids: tuple[str, ...] | Unset = attrs.field(
        default=UNSET, converter=must_be.as_texts, validator=must_be.IDS
    )
    expand_user: bool | Unset = attrs.field(default=UNSET, validator=must_be.FLAG)

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return drop_unset(
            {
                "includeBackgroundSessions": self.include_background_sessions,
                "selectedConversationId": self.selected_conversation_id,
                "hasFocus": self.has_focus,
                "isTyping": self.is_typing,
                "userIds": self.user_ids,
                "expandUser": self.expand_user,
            }
        )


@attrs.frozen(kw_only=True, weakref_slot=False)
class UserSession:
    """
    One open chat of a user, in the older form of presence.

    Attributes:
        is_typing: Whether the user types right now.
        current_conversation_id: None when none is selected.
        extra: Keys that this version of the library does not know.

    Source: TalkJS docs, REST API, User presence, copy of 2018 (documented, superseded).
    """

    is_typing: bool
    current_conversation_id: str | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @classmethod
    def from_wire(cls, data: Any) -> UserSession:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _USER_SESSION.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _USER_SESSION.write(self)


_USER_SESSION = Schema(
    UserSession,
    is_typing=("isTyping", field_type.FLAG),
    current_conversation_id=("currentConversationId", field_type.MAYBE_TEXT),
)


def read_user_sessions(data: Any) -> tuple[UserSession, ...]:
    """Read the bare array of a user's sessions; empty when offline. Raises DecodeError."""
    return _USER_SESSIONS(data)


_USER_SESSIONS = field_type.array_of(UserSession.from_wire)
