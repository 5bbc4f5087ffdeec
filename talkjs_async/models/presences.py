"""Presences: who is online, and what they look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from talkjs_async.models._declare import Model, model, wire
from talkjs_async.models._field_types import FLAG, TEXT, TEXT_MAP, many, one
from talkjs_async.models._frozen_map import EMPTY

__all__ = ["Presence", "PresenceSession", "UserSession"]


@model
class PresenceSession(Model):
    """
    One open chat of an online user.

    Attributes:
        selected_conversation_id: None when none is selected.
        custom: Your own data, as given to the UI.
        has_focus, is_typing: None when TalkJS does not say.
        session_id: None when TalkJS does not say.
    """

    selected_conversation_id: str | None = wire("selectedConversationId", TEXT, default=None)
    custom: Mapping[str, str] = wire("custom", TEXT_MAP, default=EMPTY)
    has_focus: bool | None = wire("hasFocus", FLAG, default=None)
    is_typing: bool | None = wire("isTyping", FLAG, default=None)
    session_id: str | None = wire("sessionId", TEXT, default=None)


@model
class Presence(Model):
    """
    One online user.

    Attributes:
        status: "online"; other words are kept. None in older answers, which have only widgets.
        background_sessions: Sessions without a visible chat.
        widgets: Visible chats.

    Source: TalkJS docs, REST API, User presence (documented).
    """

    status: Literal["online"] | str | None = wire("status", TEXT, default=None)
    background_sessions: tuple[PresenceSession, ...] = wire(
        "backgroundSessions", many(one(PresenceSession)), default=()
    )
    widgets: tuple[PresenceSession, ...] = wire("widgets", many(one(PresenceSession)), default=())


@model
class UserSession(Model):
    """
    One open chat of a user, in the older form of presence.

    Attributes:
        is_typing: Whether the user types right now.
        current_conversation_id: None when none is selected.

    Source: TalkJS docs, REST API, User presence, copy of 2018 (documented, superseded).
    """

    is_typing: bool = wire("isTyping", FLAG)
    current_conversation_id: str | None = wire("currentConversationId", TEXT, default=None)
