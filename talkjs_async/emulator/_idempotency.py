"""The idempotency keys that a request to send messages carries."""

from typing import Any

from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator._requests import decode


def keys_in_body(body: bytes) -> tuple[str, ...]:
    """Return the keys in the body of a request that is not going to be handled."""
    try:
        items = decode(body)
    except Problem:
        return ()
    return keys_of(items) if isinstance(items, list) else ()


def keys_of(items: list[Any]) -> tuple[str, ...]:
    """Return the keys of messages that are not checked yet."""
    keys = (item.get("idempotencyKey") for item in items if isinstance(item, dict))
    return tuple(key for key in keys if isinstance(key, str))
