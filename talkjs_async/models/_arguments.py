"""
Rules for what callers pass in, as attrs validators.

Each names the argument and the rule in a ConfigurationError. UNSET passes where it is the default;
None passes where null clears the field at TalkJS. Knows no noun of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final, Literal, TypeAlias, cast

import attrs

from talkjs_async._core.wire import UNSET, Unset, is_id, is_text
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._frozen_map import FrozenMap

Validator: TypeAlias = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def rule(says: str, allows: Callable[[Any], bool], *, null: bool) -> Validator:
    """
    Make an attrs validator.

    Args:
        says: The rule, as the end of a sentence that begins with the argument's name.
        allows: Whether a value obeys it.
        null: Whether None is allowed as well.
    """

    def check(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is UNSET and attribute.default is UNSET:
            return
        if (null and value is None) or allows(value):
            return
        way_out = (
            "" if null or value is not None else " None is not allowed: leave the argument out."
        )
        raise ConfigurationError(attribute.name, f"{says}{way_out}")

    return check


def is_number(value: object, *, low: float, high: float) -> bool:
    """A finite number within the bounds, both included; true and false are none."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and isfinite(value)
        and low <= value <= high
    )


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
        is_text(key) and (item is None or is_text(item)) for key, item in value.items()
    )


def _is_whole_text_map(value: object) -> bool:
    return _is_text_map(value) and None not in cast("Mapping[str, object]", value).values()


def as_tuple(value: Any) -> Any:
    """Converter: a collection becomes a tuple; a lone text stays, for the rule to refuse."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return tuple(value)
    return value


def as_texts(value: Iterable[str] | Unset) -> tuple[str, ...] | Unset:
    """Converter: the same, with the types that callers see."""
    texts: tuple[str, ...] | Unset = as_tuple(value)
    return texts


def as_texts_or_null(value: Iterable[str] | None | Unset) -> tuple[str, ...] | None | Unset:
    """Converter: the same, where None clears the field."""
    texts: tuple[str, ...] | None | Unset = as_tuple(value)
    return texts


def sealed(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Converter: a mapping becomes a read-only copy; anything else is left to the rule."""
    anything: Any = value
    return FrozenMap(anything) if isinstance(anything, Mapping) else value


# Not generic: mypy cannot tell what a generic converter accepts.
def as_map(value: Mapping[str, str] | Unset) -> Mapping[str, str] | Unset:
    """Converter: the same, where the argument may be left out."""
    return value if value is UNSET else sealed(value)


def as_map_or_null(
    value: Mapping[str, str | None] | None | Unset,
) -> Mapping[str, str | None] | None | Unset:
    """Converter: the same, where None clears the field."""
    return value if value is UNSET or value is None else sealed(value)


def as_switches_or_null(
    value: Mapping[str, Literal[True] | None] | None | Unset,
) -> Mapping[str, Literal[True] | None] | None | Unset:
    """Converter: the same, for a map of what to switch on (True) or off (None)."""
    return value if value is UNSET or value is None else sealed(value)


def one_of(words: Collection[Any]) -> Validator:
    """One of a few words or values; nothing else, and not None."""
    listed = ", ".join(repr(word) for word in words)
    # `1 in {True}` holds in Python and 1 is not true in JSON.
    allowed = {(type(word), word) for word in words}
    return rule(
        f"must be one of {listed}.",
        lambda value: isinstance(value, str | bool) and (type(value), value) in allowed,
        null=False,
    )


def instance_of(kind: type[object]) -> Validator:
    """An object of one class."""
    return rule(
        f"must be an object of {kind.__name__}.",
        lambda value: isinstance(value, kind),
        null=False,
    )


_TEXT_RULE = "must be text (str) of valid Unicode."
_TEXTS_RULE = "must be a collection of texts (str), not one text."
_MAP_RULE = "must map texts to texts; None as a value removes that key."

TEXT: Final = rule(_TEXT_RULE, is_text, null=False)
TEXT_OR_NULL: Final = rule(_TEXT_RULE, is_text, null=True)
ID: Final = rule("must be a non-empty text (str).", is_id, null=False)
ID_OR_NULL: Final = rule("must be a non-empty text (str).", is_id, null=True)
TEXTS: Final = rule(_TEXTS_RULE, are_texts, null=False)
TEXTS_OR_NULL: Final = rule(_TEXTS_RULE, are_texts, null=True)
TEXT_MAP: Final = rule("must map texts to texts.", _is_whole_text_map, null=False)
TEXT_MAP_OR_NULL: Final = rule(_MAP_RULE, _is_text_map, null=True)
IDS: Final = rule("must be a collection of non-empty texts (str).", _are_ids, null=False)
PUSH_TOKENS_OR_NULL: Final = rule(
    'must map "fcm:<token>" or "apns:<token>" to True, or to None to unregister it.',
    _are_push_tokens,
    null=True,
)
FLAG: Final = rule("must be True or False.", lambda value: isinstance(value, bool), null=False)
NOT_NEGATIVE: Final = rule(
    "must be a finite number, 0 or more.",
    lambda value: is_number(value, low=0, high=float("inf")),
    null=False,
)
MOMENT: Final = rule(
    "must be an aware datetime: give it a time zone, for example UTC.",
    lambda value: isinstance(value, datetime) and value.utcoffset() is not None,
    null=False,
)
