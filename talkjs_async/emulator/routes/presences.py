"""
Presences: who is online, and where. Source: the REST API page "User Presence" of TalkJS's
documentation. Nothing in the API makes a user come online: see `Emulator.simulate_user`.
"""

from collections.abc import Mapping
from typing import Any

from talkjs_async.emulator._checks import Check, boolean, list_of, nullable, read, text
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator._stored_records import StoredSession
from talkjs_async.emulator.routes._rendering import render_user

__all__ = ["routes"]

routes: Routes = Routes()

_FIELDS: dict[str, Check] = {
    "includeBackgroundSessions": boolean,
    "selectedConversationId": nullable(text),
    "hasFocus": boolean,
    "isTyping": boolean,
    "userIds": list_of(text),
    "expandUser": boolean,
}


@routes.add("presences.query", "POST", "/presences", mark="documented", source="User Presence")
def query(context: RouteContext) -> Any:
    """
    Return the users who are online, restricted by what is given.

    A user is in if any one session fits everything that is asked for (inferred). Without
    `includeBackgroundSessions`, sessions that show no user interface do not count.
    """
    body = read(context.json(), _FIELDS, context.switches)
    wanted = body.get("userIds")
    found = {
        user_id: sessions
        for user_id, sessions in context.app.sessions.items()
        if (wanted is None or user_id in wanted)
        and any(_fits(context, session, body) for session in sessions)
    }
    expand = body.get("expandUser", False)
    return {
        "data": {
            user_id: _render(context, user_id, sessions, expand=expand)
            for user_id, sessions in found.items()
        }
    }


def _fits(context: RouteContext, session: StoredSession, asked: Mapping[str, Any]) -> bool:
    shown = _render_session(context, session)
    return (session.visible or asked.get("includeBackgroundSessions", False)) and all(
        shown[name] == asked[name]
        for name in ("selectedConversationId", "hasFocus", "isTyping")
        if name in asked
    )


def _render(
    context: RouteContext, user_id: str, sessions: list[StoredSession], *, expand: bool
) -> dict[str, Any]:
    visible = [_render_session(context, one) for one in sessions if one.visible]
    background = [_render_session(context, one) for one in sessions if not one.visible]
    presence: dict[str, Any] = {"widgets": visible}
    if context.switches.presence_shape == "full":
        presence.update(status="online", backgroundSessions=background)
    if expand:
        # The name of the option was seen in the documentation's type; its effect is inferred.
        presence["user"] = render_user(context, context.app.users[user_id])
    return presence


def _render_session(context: RouteContext, session: StoredSession) -> dict[str, Any]:
    return {
        "selectedConversationId": session.selected_conversation_id,
        "custom": session.custom,
        "hasFocus": session.has_focus,
        "isTyping": session.typing_until > context.now,
        "sessionId": session.id,
    }
