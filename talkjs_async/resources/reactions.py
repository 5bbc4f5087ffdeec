"""
Reactions: emoji on messages.

Source: the path is a third party's description of the API and identical to that of TalkJS's
JavaScript SDK (seen in code); the rules are documented for that SDK (read 2026-11-22). To read
reactions, read the message.
"""

from __future__ import annotations

from talkjs_async._core.call import Call, nothing, path
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async.models._requests import check_emoji

__all__ = ["Reactions"]


class Reactions(Resource):
    """Emoji on messages."""

    __slots__ = ()

    @endpoint
    def add(self, conversation_id: str, message_id: str, emoji: str, user_id: str) -> Call[None]:
        """
        React to a message on behalf of a user. Doing it twice changes nothing.

        Args:
            conversation_id, message_id: The message.
            emoji: One Unicode emoji, or a custom one as ":name:" of at most 50 characters. TalkJS
                may return it with another variation selector.
            user_id: Who reacts.

        Raises:
            BadRequest: 50 different emoji are already on the message, or *emoji* is none (status
                inferred).
            NotFound: There is no such message (status inferred).
        """
        url = _path(conversation_id, message_id, emoji, user_id)
        return Call(method="PUT", path=url, body={}, decode=nothing)

    @endpoint
    def remove(self, conversation_id: str, message_id: str, emoji: str, user_id: str) -> Call[None]:
        """
        Take a user's reaction back. It need not be there.

        Args:
            conversation_id, message_id, emoji, user_id: As for `add`.

        Raises:
            NotFound: There is no such message (status inferred).
        """
        url = _path(conversation_id, message_id, emoji, user_id)
        return Call(method="DELETE", path=url, decode=nothing)


def _path(conversation_id: str, message_id: str, emoji: str, user_id: str) -> str:
    conversation = path("conversations", conversation_id=conversation_id)
    message = path("messages", message_id=message_id)
    return conversation + message + path("reactions", emoji=check_emoji(emoji), user_id=user_id)
