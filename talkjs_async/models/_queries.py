"""
How lists of conversations are ordered and narrowed.

Source: TalkJS documentation, REST API, Conversations and Users, and the API changelog (read
2026-11-22), unless said otherwise.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import attrs

from talkjs_async._core.pages import Activity
from talkjs_async._core.wire import milliseconds
from talkjs_async.models import _arguments as must_be
from talkjs_async.models.conversations import Conversation, UserConversation
from talkjs_async.models.filters import Filter

Order = Literal["lastActivity", "createdAt"]
Direction = Literal["ASC", "DESC"]

_NEWEST_FIRST = {"orderBy": "lastActivity", "orderDirection": "DESC"}


def _is_moment(value: object) -> bool:
    if isinstance(value, datetime):
        return value.utcoffset() is not None
    return isinstance(value, int) and not isinstance(value, bool)


_MOMENT: Final = must_be.rule(
    "must be an aware datetime (give it a time zone) or whole Unix milliseconds.",
    _is_moment,
    null=True,
)
_FILTER: Final = must_be.rule(
    "must be a Filter, for example Filter(custom={'state': 'open'}).",
    lambda value: isinstance(value, Filter),
    null=True,
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class ConversationQuery:
    """The query parameters of both lists of conversations."""

    order_by: Order = attrs.field(validator=must_be.one_of(("lastActivity", "createdAt")))
    order_direction: Direction = attrs.field(validator=must_be.one_of(("DESC", "ASC")))
    offset: datetime | int | None = attrs.field(validator=_MOMENT)
    last_message_before: datetime | int | None = attrs.field(validator=_MOMENT)
    last_message_after: datetime | int | None = attrs.field(validator=_MOMENT)
    unreads_only: bool = attrs.field(default=False, validator=must_be.FLAG)
    filter: Filter | None = attrs.field(default=None, validator=_FILTER)

    def to_wire(self) -> dict[str, str]:
        """
        Write the parameters as TalkJS spells them.

        The order is always sent: the default has changed once (API version 2021-02-09).
        """
        query: dict[str, str] = {"orderBy": self.order_by, "orderDirection": self.order_direction}
        for key, value in (
            ("offsetTs", self.offset),
            ("lastMessageBefore", self.last_message_before),
            ("lastMessageAfter", self.last_message_after),
        ):
            if value is not None:
                query[key] = str(milliseconds(value) if isinstance(value, datetime) else value)
        if self.unreads_only:
            query["unreadsOnly"] = "true"
        if self.filter is not None:
            query["filter"] = self.filter.to_wire()
        return query


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
