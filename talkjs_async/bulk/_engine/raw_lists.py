"""
Lists whose records come as TalkJS wrote them, so that a field this library does not know is kept.

As in all lists, every record that exists during the whole walk comes once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, TypeAlias

import attrs

from talkjs_async._core.endpoint import listing_of
from talkjs_async._core.pages import Records
from talkjs_async._core.walk import Walk
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.errors import DecodeError

RawRecord: TypeAlias = dict[str, Any]
"""The JSON object of a record, with an "id"."""


def raw_walk(
    context: JobContext,
    place: Mapping[str, Any] | None,
    method: Callable[..., Records[Any]],
    *ids: str,
    **arguments: Any,
) -> Walk[RawRecord]:
    """
    Begin to read a list, or go on.

    Args:
        place: Where an earlier walk stopped. None: at the beginning.
        method: A list method of the client, such as `talkjs.users.list`.
        ids, arguments: Its arguments.
    """
    listing = listing_of(method, *ids, **arguments)
    raw = attrs.evolve(
        listing,
        item=_record,
        key=itemgetter("id"),
        order=attrs.evolve(listing.order, at=activity_of if listing.order.moves else _created_at),
    )
    return Walk(raw, context.read, place)


def _record(data: Any) -> RawRecord:
    if not isinstance(data, dict) or not isinstance(data.get("id"), str):
        raise DecodeError(json_path="$.id", expected="an ID", got="something else")
    return data


def _created_at(record: RawRecord) -> float:
    at = record.get("createdAt")
    return at if isinstance(at, int | float) else 0.0


def activity_of(conversation: RawRecord) -> float:
    """When the latest message of a conversation was sent, or the conversation was made."""
    last = conversation.get("lastMessage")
    return _created_at(last if isinstance(last, dict) else conversation)
