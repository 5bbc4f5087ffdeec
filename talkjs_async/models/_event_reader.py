"""
How the JSON of a webhook becomes an event. Called by `webhooks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import attrs

from talkjs_async.errors import DecodeError
from talkjs_async.models._declare import model, wire
from talkjs_async.models._field_types import TEXT, under
from talkjs_async.models._schema import fields_of, schema_of
from talkjs_async.models.events import BaseEvent, UnknownEvent, WebhookEvent


@model
class Envelope(BaseEvent):
    """What every event has, whatever its type."""

    type: str = wire("type", TEXT)


_KNOWN: Final[Mapping[str, type[WebhookEvent]]] = {
    kind.type: kind for kind in get_args(WebhookEvent) if kind is not UnknownEvent
}
_COMMON: Final = {field.name for field in attrs.fields(BaseEvent)}


def read_event(payload: Any) -> WebhookEvent:
    """
    Read the JSON object of a webhook.

    Raises:
        DecodeError: It is no object, or has no `id` or no `type`.
    """
    envelope = schema_of(Envelope).read(payload)
    common = {name: getattr(envelope, name) for name in _COMMON}
    kind: Any = _KNOWN.get(envelope.type)
    reason = None
    if kind is not None:
        try:
            event: WebhookEvent = kind(**common, **_read_parts(kind, envelope.data))
        except DecodeError as error:
            reason = str(under(".data", error))
        else:
            return event
    return UnknownEvent(**common, type=envelope.type, reason=reason)


def _read_parts(kind: type[WebhookEvent], data: Mapping[str, Any]) -> dict[str, Any]:
    """Read what is in an event's data; a part that it can do without may be unreadable."""
    parts = {}
    for field in fields_of(kind):
        if field.attribute in _COMMON:
            continue
        try:
            parts[field.attribute] = field.read(data)
        except DecodeError:
            if field.needed:
                raise
    return parts
