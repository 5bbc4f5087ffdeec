"""
How the JSON of a webhook becomes an event. Called by `webhooks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import attrs

from talkjs_async.errors import DecodeError
from talkjs_async.models._schema import fields_of, schema_of
from talkjs_async.models.events import BaseEvent, UnknownEvent, WebhookEvent

_KNOWN: Final[Mapping[str, type[WebhookEvent]]] = {
    kind.type: kind for kind in get_args(WebhookEvent) if kind is not UnknownEvent
}
_ENVELOPE: Final = {field.name for field in attrs.fields(BaseEvent)}


def read_event(payload: Any) -> WebhookEvent:
    """
    Read the JSON object of a webhook.

    Raises:
        DecodeError: It is no object, or has no `id` or no `type`.
    """
    envelope = schema_of(UnknownEvent).read(payload)
    kind: Any = _KNOWN.get(envelope.type)
    if kind is None:
        return envelope
    common = {name: getattr(envelope, name) for name in _ENVELOPE}
    try:
        event: WebhookEvent = kind(**common, **_read_parts(kind, envelope.data))
    except DecodeError:
        return envelope
    return event


def _read_parts(kind: type[WebhookEvent], data: Mapping[str, Any]) -> dict[str, Any]:
    """Read what is in an event's data; a part that it can do without may be unreadable."""
    parts = {}
    for field in fields_of(kind):
        if field.attribute in _ENVELOPE:
            continue
        try:
            parts[field.attribute] = field.read(data)
        except DecodeError:
            if field.needed:
                raise
    return parts
