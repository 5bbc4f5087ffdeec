"""Reactions: emoji on a message."""

from __future__ import annotations

from datetime import datetime

from talkjs_async._core.wire import moment_or_none
from talkjs_async.models._declare import Model, model, wire
from talkjs_async.models._field_types import FLAG, MOMENT, TEXT, TEXTS, WHOLE

__all__ = ["Reaction", "UserReaction"]


@model
class Reaction(Model):
    """
    One emoji on one message.

    A message holds a map from emoji to an object (seen in TalkJS's own program); what is in that is
    not documented. TalkJS's SDK gets the count and the time of first use. A bare count or a list of
    user IDs in its place, and a list of objects instead of the map, are understood as well.

    Attributes:
        emoji: One Unicode emoji, or a custom one as ":name:". TalkJS may return it with another
            variation selector than it was sent with (documented).
        count: How many users chose it. None when TalkJS does not say.
        user_ids: Who chose it. Empty when TalkJS does not say.
        created_at_ms: Time of first use, in Unix milliseconds. None when TalkJS does not say.
        current_user_reacted: The SDK's view of one user. None in answers to the app.

    Source: TalkJS's SDK (seen in code).
    """

    emoji: str = wire("emoji", TEXT)
    count: int | None = wire("count", WHOLE, default=None)
    user_ids: tuple[str, ...] = wire("userIds", TEXTS, default=())
    created_at_ms: int | None = wire("createdAt", MOMENT, default=None)
    current_user_reacted: bool | None = wire("currentUserReacted", FLAG, default=None)

    @property
    def created_at(self) -> datetime | None:
        """Time of first use, in UTC."""
        return moment_or_none(self.created_at_ms)


@model
class UserReaction(Model):
    """
    One user's reaction to a message, in the list of those with the same emoji.

    Attributes:
        user_id: Who reacted.

    Source: TalkJS's own program that copies an app (seen in code).
    """

    user_id: str = wire("userId", TEXT)
