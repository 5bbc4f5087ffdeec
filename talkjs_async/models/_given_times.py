"""Reads times in mappings of fields: aware datetimes, Unix milliseconds, ISO 8601."""

from __future__ import annotations

from datetime import datetime

from talkjs_async._core.wire import moment
from talkjs_async.errors import ConfigurationError, shown
from talkjs_async.models._arguments import EARLIEST_MILLISECONDS, LATEST_MILLISECONDS


def as_moment(value: object) -> datetime:
    """
    Read the time of a message.

    Args:
        value: An aware datetime, Unix milliseconds, or ISO 8601 text with a time zone.

    Raises:
        ConfigurationError: It is something else.
    """
    if isinstance(value, str):
        value = _parse(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        # In this form also NaN is refused.
        if not EARLIEST_MILLISECONDS <= value <= LATEST_MILLISECONDS:
            raise ConfigurationError(
                "sent_at",
                f"{shown(value)} cannot be Unix milliseconds, which are above 10^11 since 1973 and "
                "below 10^13 until 2286; seconds must be multiplied by 1000, dates written as ISO "
                "8601 with a time zone.",
            )
        return moment(int(value))
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ConfigurationError(
            "sent_at", "must be a time with a time zone, or Unix milliseconds."
        )
    return value


def _parse(text: str) -> int | datetime:
    try:
        if text.isascii() and text.isdecimal():
            return int(text)
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("sent_at", f"{text[:40]!r} is no ISO 8601 time.") from None
