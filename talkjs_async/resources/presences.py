"""
Presences: who is online, and what they look at.

Source: TalkJS documentation, REST API, User presence (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from talkjs_async._core.call import Call
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async._core.wire import UNSET, Unset
from talkjs_async.models._answers import read_presences
from talkjs_async.models._bodies import PresenceQuery
from talkjs_async.models.presences import Presence

__all__ = ["Presences"]


class Presences(Resource):
    """Who is online, and what they look at."""

    __slots__ = ()

    @endpoint
    def query(
        self,
        *,
        include_background_sessions: bool | None = None,
        selected_conversation_id: str | None | Unset = UNSET,
        has_focus: bool | None = None,
        is_typing: bool | None = None,
        user_ids: Iterable[str] | None = None,
        expand_user: bool | None = None,
    ) -> Call[Mapping[str, Presence]]:
        """
        Find the users who are online.

        None means not given, except in *selected_conversation_id*.

        Args:
            include_background_sessions: True: all users online. Else only users with a visible
                chat.
            selected_conversation_id: Only users who look at this conversation; None: at none.
            has_focus: Only users whose chat has the focus (True) or has not (False).
            is_typing: Only users who are typing (True) or are not (False).
            user_ids: Only these users.
            expand_user: Put the user into each presence's `extra` (seen in a public program).

        Returns:
            User ID to presence. Who is offline is not in it (inferred).
        """
        query = PresenceQuery(
            include_background_sessions=include_background_sessions,
            selected_conversation_id=selected_conversation_id,
            has_focus=has_focus,
            is_typing=is_typing,
            user_ids=user_ids,
            expand_user=expand_user,
        )
        # It reads, though it is a POST.
        return Call(method="POST", path="/presences", body=query.to_wire(), decode=read_presences)
