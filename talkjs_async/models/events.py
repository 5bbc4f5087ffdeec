"""
Events: what TalkJS tells your server by webhook.

Reading is as lenient as can be, because an event comes once or twice and then never again. Only the
part that an event is about must be readable; everything else may be None. Each event keeps its raw
`data`, and what cannot be read is an `UnknownEvent`.

Source: TalkJS docs, Webhooks (documented), unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, TypeAlias, TypeVar

import attrs

from talkjs_async._core import kinds
from talkjs_async._core.frozen_map import EMPTY
from talkjs_async._core.kinds import Kind
from talkjs_async._core.shapes import Shape
from talkjs_async._core.wire import moment_or_none
from talkjs_async.errors import DecodeError
from talkjs_async.models.conversations import Conversation
from talkjs_async.models.messages import Message
from talkjs_async.models.users import User

T = TypeVar("T")


@attrs.frozen(kw_only=True, weakref_slot=False)
class EventInfo:
    """
    What all events have.

    Attributes:
        id: Identifies the event; the same in a repeated delivery.
        type: What happened, in TalkJS's words.
        created_at_ms: When, in Unix milliseconds. None when TalkJS does not say.
        data: The event's own JSON, as it came.
        extra: Keys beside these that this version of the library does not know.
    """

    id: str
    type: str
    created_at_ms: int | None = None
    data: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @property
    def created_at(self) -> datetime | None:
        """When it happened, in UTC."""
        return moment_or_none(self.created_at_ms)
