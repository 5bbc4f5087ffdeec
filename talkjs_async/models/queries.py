"""
How lists of conversations are ordered and narrowed.

Source: TalkJS documentation, REST API, Conversations and Users, and the API changelog (read
2026-11-22), unless said otherwise.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import attrs

from talkjs_async._core.pages import Activity
from talkjs_async.errors import ConfigurationError
from talkjs_async.models.conversations import Conversation, UserConversation

Order = Literal["lastActivity", "createdAt"]
Direction = Literal["ASC", "DESC"]

_NEWEST_FIRST = {"orderBy": "lastActivity", "orderDirection": "DESC"}


@attrs.frozen(kw_only=True, weakref_slot=False)
class ConversationQuery:
    """The query parameters that both lists of conversations share."""

    order_by: Order
    order_direction: Direction
    offset: datetime | int | None
    last_message_before: datetime | int | None
    last_message_after: datetime | int | None
    unreads_only: bool = False

    def to_wire(self) -> dict[str, str]:
        """
        Write the parameters as TalkJS spells them.

        The order is always sent: the default has changed once (API version 2021-02-09).
        """
        if self.order_by not in {"lastActivity", "createdAt"}:
            raise ConfigurationError("order_by", "must be 'lastActivity' or 'createdAt'.")
        if self.order_direction not in {"ASC", "DESC"}:
            raise ConfigurationError("order_direction", "must be 'ASC' or 'DESC'.")
        query: dict[str, str] = {"orderBy": self.order_by, "orderDirection": self.order_direction}
        for argument, key, value in (
            ("offset", "offsetTs", self.offset),
            ("last_message_before", "lastMessageBefore", self.last_message_before),
            ("last_message_after", "lastMessageAfter", self.last_message_after),
        ):
            if value is not None:
                query[key] = str(_milliseconds(argument, value))
        if self.unreads_only:
            query["unreadsOnly"] = "true"
        return query


def _milliseconds(argument: str, value: datetime | int) -> int:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigurationError(argument, "must be an aware datetime: give it a time zone.")
        return round(value.timestamp() * 1000)
    return value


def activity(order_by: Order, order_direction: Direction) -> Activity[Any] | None:
    """Say how a list in this order moves while it is read. None: it stands still."""
    if order_by == "createdAt":
        return None
    return Activity(
        at=_last_activity, newest_first=_NEWEST_FIRST, ascending=order_direction == "ASC"
    )


def _last_activity(conversation: Conversation | UserConversation) -> float:
    last = conversation.last_message
    return conversation.created_at_ms if last is None else last.created_at_ms
