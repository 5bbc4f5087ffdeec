"""
What users do in front of a chat, for which the REST API has no call: be online, type, read.

Written messages go the same way as those of the API, only that they come from the web.
"""

import attrs

from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._stored_records import StoredSession
from talkjs_async.emulator._world import World
from talkjs_async.emulator.request_log import Exchange
from talkjs_async.emulator.routes import mark_read, post, read_item

__all__ = ["SimulatedUser"]

# Documented for the JavaScript SDK: a sign of typing lasts 10 seconds.
_TYPING_SECONDS = 10.0


@attrs.frozen
class SimulatedUser(ListsAttributes):
    """One user of the emulator's app. Raises `Problem` (404, 403) for what cannot be."""

    _world: World
    user_id: str

    def come_online(
        self,
        *,
        conversation: str | None = None,
        visible: bool = True,
        has_focus: bool = False,
        custom: dict[str, str] | None = None,
    ) -> str:
        """
        Open a tab, and return its session ID.

        Args:
            conversation: The one that is selected.
            visible: Whether the tab shows any chat at all.
            has_focus: Whether it is the one in front.
            custom: The session's custom data.
        """
        with self._world.lock:
            context = self._context()
            context.user(self.user_id)
            session = StoredSession(
                id=self._world.ids.make("ses_"),
                visible=visible,
                selected_conversation_id=conversation,
                has_focus=has_focus,
                custom=custom or {},
            )
            context.app.sessions.setdefault(self.user_id, []).append(session)
            return session.id

    def go_offline(self) -> None:
        """Close all tabs."""
        with self._world.lock:
            self._context().app.sessions.pop(self.user_id, None)

    def type_in(self, conversation: str) -> None:
        """Start typing, in a tab that is opened if there is none."""
        with self._world.lock:
            context = self._context()
            session = self._session_in(context, conversation)
            session.typing_until = context.now + _TYPING_SECONDS

    def read(self, conversation: str) -> None:
        """See everything in a conversation."""
        with self._world.lock:
            context = self._context()
            mark_read(context, context.conversation(conversation), self.user_id)

    def say(self, conversation: str, text: str) -> str:
        """Write a message, and return its ID."""
        with self._world.lock:
            context = self._context()
            item = {"type": "UserMessage", "sender": self.user_id, "text": text}
            target = context.conversation(conversation)
            content = read_item(context, target, 0, item)
            message_id = post(context, target, item, content, origin="web")
            for session in context.app.sessions.get(self.user_id, ()):
                session.typing_until = 0.0
            return message_id

    def _session_in(self, context: RouteContext, conversation: str) -> StoredSession:
        context.conversation(conversation)
        for session in context.app.sessions.get(self.user_id, ()):
            if session.selected_conversation_id == conversation:
                return session
        session_id = self.come_online(conversation=conversation, has_focus=True)
        sessions = context.app.sessions[self.user_id]
        return next(session for session in sessions if session.id == session_id)

    def _context(self) -> RouteContext:
        nothing = Exchange(number=0, at=0.0, method="", path="")
        return RouteContext(self._world, self._world.main_app, Request("", ""), nothing)
