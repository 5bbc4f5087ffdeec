"""
How lists of conversations are ordered and narrowed.

Source: TalkJS documentation, REST API, Conversations and Users, and the API changelog (read
2026-11-22), unless said otherwise.
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Literal

import attrs

from talkjs_async._core.listing import Order
from talkjs_async._core.wire import given_milliseconds
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._declare import Input, argument, model
from talkjs_async.models.conversations import Conversation, UserConversation
from talkjs_async.models.filters import Filter

OrderBy = Literal["lastActivity", "createdAt"]
Direction = Literal["ASC", "DESC"]


_MOMENT: Final = attrs.evolve(must_be.POINT_IN_TIME, null=True)
_FILTER: Final = must_be.Rule(
    "must be a Filter, for example Filter(custom={'state': 'open'}).",
    lambda value: isinstance(value, Filter),
    null=True,
)


@model
class ConversationQuery(Input):
    """The query parameters of both lists of conversations; None and False ask for nothing."""

    order_by: OrderBy = argument("orderBy", must_be.one_of(("lastActivity", "createdAt")))
    order_direction: Direction = argument("orderDirection", must_be.one_of(("DESC", "ASC")))
    offset: datetime | int | None = argument("offsetTs", _MOMENT, write=given_milliseconds)
    last_message_before: datetime | int | None = argument(
        "lastMessageBefore", _MOMENT, write=given_milliseconds
    )
    last_message_after: datetime | int | None = argument(
        "lastMessageAfter", _MOMENT, write=given_milliseconds
    )
    unreads_only: bool = argument("unreadsOnly", must_be.FLAG, default=False)
    filter: Filter | None = argument("filter", _FILTER, default=None, write=Filter.to_wire)

    def to_wire(self) -> dict[str, str]:
        """
        Write the parameters as TalkJS spells them.

        The order is always sent: the default has changed once (API version 2021-02-09).
        """
        given = {key: value for key, value in super().to_wire().items() if value is not None}
        return {k: _in_query(v) for k, v in given.items() if v is not False}


def _in_query(value: Any) -> str:
    if value is True:
        return "true"
    return value if isinstance(value, str) else str(value)


def list_order(order_by: OrderBy, order_direction: Direction) -> Order[Any]:
    """Say what a list in this order is ordered by."""
    ascending = order_direction == "ASC"
    if order_by == "createdAt":
        return Order(at=attrgetter("created_at_ms"), ascending=ascending)
    return Order(at=_last_activity, ascending=ascending, moves=True)


def _last_activity(conversation: Conversation | UserConversation) -> float:
    last = conversation.last_message
    return conversation.created_at_ms if last is None else last.created_at_ms
