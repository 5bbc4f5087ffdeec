"""
Rules for what callers pass in, as attrs validators.

Each names the argument and the rule in a ConfigurationError. UNSET passes where it is the default;
None passes where null clears the field at TalkJS. Knows no particular model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, cast

import attrs

from talkjs_async._core.wire import (
    MOST_ID_BYTES,
    UNSET,
    id_inside,
    is_id,
    is_real,
    is_text,
    is_whole,
    meant,
    milliseconds,
)
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._frozen_map import FrozenMap


@attrs.frozen
class Rule:
    """
    What an argument must be, as an attrs validator.

    Args:
        says: The rule, as the end of a sentence that begins with the argument's name.
        allows: Whether a value obeys it.
        null: Whether None is allowed as well.
        convert: What is made of the argument before it is checked, and kept.
        words: What it may be, where that is one of a few: to guess what is meant.
    """

    says: str
    allows: Callable[[Any], bool]
    null: bool = attrs.field(kw_only=True)
    convert: Callable[[Any], Any] | None = attrs.field(default=None, kw_only=True)
    words: tuple[object, ...] = attrs.field(default=(), kw_only=True)

    def __call__(self, _instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is UNSET and attribute.default is UNSET:
            return
        if (self.null and value is None) or self.allows(value):
            return
        raise ConfigurationError(attribute.name, f"{self.says}{self._way_out(attribute, value)}")

    def _way_out(self, attribute: attrs.Attribute[Any], value: Any) -> str:
        if value is None and not self.null and attribute.default is UNSET:
            return " None is not allowed: leave the argument out."
        if self.allows is is_id:
            return id_inside(value)
        guess = meant(value, self.words)
        return "" if guess is None else f" Did you mean {guess!r}?"

    def or_none(self) -> Rule:
        """The same rule, where None says that the argument is not given, for nothing to clear."""
        convert = self.convert

        def not_given(value: Any) -> Any:
            if value is None:
                return UNSET
            return value if convert is None else convert(value)

        return attrs.evolve(self, convert=not_given)


def is_number(value: object, *, low: float, high: float) -> bool:
    """A finite number within the bounds, both included; true and false are not numbers."""
    return is_real(value) and low <= value <= high


def _is_value(value: object) -> bool:
    """A text; halves of surrogate pairs travel as escapes."""
    return isinstance(value, str)


def _are_values(value: object) -> bool:
    return isinstance(value, tuple) and all(map(_is_value, value))


def are_texts(value: object) -> bool:
    """A tuple of texts."""
    return isinstance(value, tuple) and all(map(is_text, value))


def _are_ids(value: object) -> bool:
    return isinstance(value, tuple) and all(map(is_id, value))


def _are_push_tokens(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        is_id(key) and (item is None or item is True) for key, item in value.items()
    )


def _is_text_map(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        is_text(key) and (item is None or _is_value(item)) for key, item in value.items()
    )


def _is_whole_text_map(value: object) -> bool:
    return _is_text_map(value) and None not in cast("Mapping[str, object]", value).values()


def as_tuple(value: Any) -> Any:
    """Converter: a collection becomes a tuple; a lone text stays, for the rule to refuse."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return tuple(value)
    return value


def sealed(value: Any) -> Any:
    """Converter: a mapping becomes a read-only copy; anything else is left to the rule."""
    return FrozenMap(value) if isinstance(value, Mapping) else value


EARLIEST_MILLISECONDS: Final = 10**11
"""In March 1973. As seconds it would be the year 5138, so that no number may be meant as both."""
LATEST_MILLISECONDS: Final = 10**13
"""In November 2286. Digits of a date and time (20240131235959) and microseconds are more."""
_FIRST_MILLISECONDS: Final = -62_135_596_800_000
"""The beginning of the year 1, with which a datetime begins."""
_LATEST_MILLISECONDS: Final = 253_402_300_800_000
"""The end of the year 9999, with which a datetime ends."""


def _is_moment(value: object) -> bool:
    """An aware datetime that can be read back: a zone may lead out of the years 1 to 9999."""
    return (
        isinstance(value, datetime)
        and value.utcoffset() is not None
        and _FIRST_MILLISECONDS <= milliseconds(value) < _LATEST_MILLISECONDS
    )


def is_point_in_time(value: object) -> bool:
    """An aware datetime, or Unix milliseconds that cannot be mistaken for anything else."""
    if isinstance(value, datetime):
        return _is_moment(value)
    return is_whole(value, least=EARLIEST_MILLISECONDS) and value <= LATEST_MILLISECONDS


def one_of(words: Collection[Any]) -> Rule:
    """One of a few words or values; nothing else, and not None."""
    listed = ", ".join(repr(word) for word in words)
    # `1 in (True,)` holds in Python and 1 is not true in JSON.
    return Rule(
        f"must be one of {listed}.",
        lambda value: isinstance(value, str | bool) and value in words,
        null=False,
        words=tuple(words),
    )


def instance_of(kind: type[object]) -> Rule:
    """An object of one class."""
    return Rule(
        f"must be an object of {kind.__name__}.",
        lambda value: isinstance(value, kind),
        null=False,
    )


_ID_RULE = f"must be a non-empty text (str) of at most {MOST_ID_BYTES:,} bytes in UTF-8."
_TEXT_RULE = "must be text (str)."
_URL_RULE = "must be text (str) of valid Unicode."
TEXTS_RULE: Final = (
    'must be a collection of texts (str), as ["one", "two"]: no single text, and no None in it.'
)
_MAP_RULE = "must map texts to texts; None as a value removes that key."

TEXT: Final = Rule(_TEXT_RULE, _is_value, null=False)
TEXT_OR_NULL: Final = Rule(_TEXT_RULE, _is_value, null=True)
URL_OR_NULL: Final = Rule(_URL_RULE, is_text, null=True)
ID: Final = Rule(_ID_RULE, is_id, null=False)
ID_OR_NULL: Final = Rule(_ID_RULE, is_id, null=True)
TEXTS: Final = Rule(TEXTS_RULE, _are_values, null=False, convert=as_tuple)
TEXTS_OR_NULL: Final = Rule(TEXTS_RULE, _are_values, null=True, convert=as_tuple)
TEXT_MAP: Final = Rule("must map texts to texts.", _is_whole_text_map, null=False, convert=sealed)
TEXT_MAP_OR_NULL: Final = Rule(_MAP_RULE, _is_text_map, null=True, convert=sealed)
KEYS: Final = Rule(
    "must map keys (str) to what JSON can hold.",
    lambda value: isinstance(value, Mapping) and all(map(is_text, value)),
    null=False,
)
IDS: Final = Rule(
    "must be a collection of non-empty texts (str), each of at most "
    f"{MOST_ID_BYTES:,} bytes in UTF-8.",
    _are_ids,
    null=False,
    convert=as_tuple,
)
PUSH_TOKENS_OR_NULL: Final = Rule(
    'must map "fcm:<token>" or "apns:<token>" to True, or to None to unregister it.',
    _are_push_tokens,
    null=True,
    convert=sealed,
)
FLAG: Final = Rule("must be True or False.", lambda value: isinstance(value, bool), null=False)
NOT_NEGATIVE: Final = Rule(
    "must be a finite number, 0 or more.",
    lambda value: is_number(value, low=0, high=float("inf")),
    null=False,
)
POINT_IN_TIME: Final = Rule(
    "must be an aware datetime (give it a time zone) or whole Unix milliseconds; numbers below "
    "100,000,000,000 are refused: as milliseconds they are before 1974, so seconds may be meant.",
    is_point_in_time,
    null=False,
)
MOMENT: Final = Rule(
    "must be an aware datetime, in the years 1 to 9999 of UTC: give it a time zone, such as UTC.",
    _is_moment,
    null=False,
)
