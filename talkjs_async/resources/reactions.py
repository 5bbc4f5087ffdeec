"""
Reactions: emoji on messages.

Source: adding and listing are seen in TalkJS's own program that copies an app (read 2026-11-26);
taking back is a third party's description of the API. The paths are those of TalkJS's JavaScript
SDK, for which the rules are documented (read 2026-11-22). How many reacted says the message itself,
see `Message.reactions`.
"""

from __future__ import annotations

from operator import attrgetter

from talkjs_async._core.call import Call, nothing, path
from talkjs_async._core.endpoint import Resource, endpoint, listing
from talkjs_async._core.listing import Listing, Order
from talkjs_async.models._bodies import check_emoji
from talkjs_async.models.reactions import UserReaction

__all__ = ["Reactions"]

MOST_REACTIONS_PER_PAGE = 100


class Reactions(Resource):
    """Emoji on messages."""

    __slots__ = ()

    @listing
    def list(
        self,
        conversation_id: str,
        *,
        message_id: str,
        emoji: str,
        limit: int | None = None,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Listing[UserReaction]:
        """
        List who reacted to a message with an emoji, the latest first (order inferred).

        Args:
            conversation_id, message_id: The message.
            emoji: As TalkJS returns it: a key of `Message.reactions`.
            limit: Reactions in all, at most. None: every one.
            page_size: Reactions per request, 1 to 100. None: 100, the cheapest.
            starting_after: User ID: begin after the reaction of that user (inferred; a server that
                does not know this shows as a `DecodeError` after the first page).

        Raises:
            NotFound: There is no such message (status inferred).
        """
        return Listing(
            path=_path(conversation_id, message_id, emoji),
            query={},
            most=MOST_REACTIONS_PER_PAGE,
            limit=limit,
            page_size=page_size,
            starting_after=starting_after,
            item=UserReaction.from_wire,
            key=attrgetter("user_id"),
            # The moment of a reaction is not said: all of them count as one moment.
            order=Order(at=_at_once),
            bare=True,
        )

    @endpoint
    def add(self, conversation_id: str, *, message_id: str, emoji: str, user_id: str) -> Call[None]:
        """
        React to a message on behalf of a user. Doing it twice changes nothing.

        Args:
            conversation_id, message_id: The message.
            emoji: One Unicode emoji, or a custom one as ":name:" of at most 50 characters. TalkJS
                may return it with another variation selector.
            user_id: Who reacts.

        Raises:
            BadRequest: 50 different emoji are already on the message, or *emoji* is not one
                (status inferred).
            NotFound: There is no such message (status inferred).
        """
        url = _path(conversation_id, message_id, emoji, user_id=user_id)
        return Call(method="PUT", path=url, body={}, decode=nothing)

    @endpoint
    def remove(
        self, conversation_id: str, *, message_id: str, emoji: str, user_id: str
    ) -> Call[None]:
        """
        Take a user's reaction back. It need not be there.

        Args:
            conversation_id, message_id, emoji, user_id: As for `add`.

        Raises:
            NotFound: There is no such message (status inferred).
        """
        url = _path(conversation_id, message_id, emoji, user_id=user_id)
        return Call(method="DELETE", path=url, decode=nothing)


def _at_once(_: UserReaction) -> float:
    return 0.0


def _path(conversation_id: str, message_id: str, emoji: str, **user_id: str) -> str:
    conversation = path("conversations", conversation_id=conversation_id)
    message = path("messages", message_id=message_id)
    return conversation + message + path("reactions", emoji=check_emoji(emoji), **user_id)
