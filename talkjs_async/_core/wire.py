"""
What travels between Python and TalkJS's JSON: text, moments, and what is not given.

Knows no particular model and no transport. Models, resources and tokens call it.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, Final, NoReturn, TypeGuard

import attrs

from talkjs_async.errors import ConfigurationError, DecodeError, shown


class Unset(enum.Enum):
    """
    The type of `UNSET`.

    An enumeration of one member, because type checkers then understand `value is UNSET`.
    """

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> NoReturn:
        # `if name:` would treat "not given", "send null" and "send an empty text" alike.
        raise TypeError("UNSET is neither true nor false: compare with `is UNSET`.")


UNSET: Final = Unset.UNSET
"""Not given: the field is left out of the request. None is something else: it sends null."""


def drop_unset(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the fields that were given. None was given: it clears the field at TalkJS."""
    return {key: value for key, value in fields.items() if value is not UNSET}


def is_text(value: object) -> bool:
    """Text that UTF-8 can carry: no half of a surrogate pair."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8(json_text: str) -> bytes:
    """
    Encode JSON, half of a surrogate pair as its escape.

    JavaScript makes such halves when it cuts a text inside of an emoji. No UTF-8 has them, and JSON
    has an escape for them, which looks as Python's does.
    """
    return json_text.encode(errors="backslashreplace")


TOO_DEEP: Final[Any] = object()
"""Stands for JSON that is nested too deep to be read."""

MOST_ID_BYTES: Final = 4_096
"""
In UTF-8. TalkJS documents no limit. This one keeps every URL, with its three IDs, each byte of them
percent-encoded, below the 65,536 characters at which the HTTP libraries refuse it.
"""


def is_whole(value: object, *, least: int) -> TypeGuard[int]:
    """A whole number from *least* up; true and false are not numbers."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_real(value: object) -> TypeGuard[float]:
    """A finite number that a float can hold; true and false are not numbers."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return isfinite(value)
    except OverflowError:
        return False


def checked_flag(argument: str, value: object) -> bool:
    """Return *value*, True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(argument, f"must be True or False, not {shown(value)}.")
    return value


def checked_word(argument: str, value: object, words: Collection[str]) -> None:
    """
    Check that *value* is one of a few words.

    Raises:
        ConfigurationError: It is none of them; the error says which one may have been meant.
    """
    if isinstance(value, str) and value in words:
        return
    listed = " or ".join(repr(word) for word in words)
    guess = meant(value, words)
    hint = "" if guess is None else f": did you mean {guess!r}?"
    raise ConfigurationError(argument, f"must be {listed}, not {shown(value)}{hint or '.'}")


def meant(value: object, words: Collection[object]) -> str | None:
    """Return the one of *words* that *value* is probably a misspelling of."""
    from difflib import get_close_matches  # noqa: PLC0415 - for wrong arguments only

    spellings = {word.casefold(): word for word in words if isinstance(word, str)}
    close = get_close_matches(value.casefold(), spellings, 1) if isinstance(value, str) else []
    return spellings[close[0]] if close else None


def is_id(value: object) -> bool:
    """Text that can name something."""
    return id_problem(value) is None


def id_inside(value: object) -> str:
    """Say which attribute of *value* is the ID that is meant, as a sentence. Empty: none is."""
    kind = type(value)
    names = {each.name for each in attrs.fields(kind)} if attrs.has(kind) else set()
    return next((f" Give its {each}." for each in ("id", "token") if each in names), "")


def id_problem(value: object) -> str | None:
    """Say what keeps *value* from being an ID, as the end of a sentence. None: nothing does."""
    if not isinstance(value, str):
        return f"must be a non-empty text (str), not {type(value).__name__}.{id_inside(value)}"
    if value == "":
        return "must be a non-empty text (str)."
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "must be valid Unicode: it holds half of a surrogate pair."
    if size > MOST_ID_BYTES:
        return f"must have at most {MOST_ID_BYTES:,} bytes in UTF-8, not {size:,}."
    return None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(milliseconds: int) -> datetime:
    """
    Turn TalkJS's time into an aware UTC datetime.

    Args:
        milliseconds: Since 1970-01-01 UTC.

    Raises:
        DecodeError: It lies outside the years 1 to 9999.
    """
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        raise DecodeError(
            json_path="$",
            expected="Unix milliseconds between the years 1 and 9999",
            got="a number out of that range",
        ) from None


def moment_or_none(milliseconds: int | None) -> datetime | None:
    """Like `moment`, where None means that it never happened or was not said."""
    return None if milliseconds is None else moment(milliseconds)


def milliseconds(value: datetime) -> int:
    """
    Turn a datetime into TalkJS's time: whole milliseconds since 1970-01-01 UTC, rounded down.

    Args:
        value: Must be aware.
    """
    return (value - _EPOCH) // timedelta(milliseconds=1)


def given_milliseconds(value: datetime | int) -> int:
    """Like `milliseconds`, for a moment that may be given as TalkJS's time already."""
    return milliseconds(value) if isinstance(value, datetime) else value
