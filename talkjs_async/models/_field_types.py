"""
What values in TalkJS's JSON may be: text, moments, maps, arrays, and how each is read and written.

Reading is lenient where TalkJS may change or differ (unknown words stay text, PHP's `[]` is an
empty map) and strict about types. Knows no particular model. Called by the models only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

from talkjs_async.errors import DecodeError
from talkjs_async.models._frozen_map import EMPTY, FrozenMap

T = TypeVar("T")

ABSENT: Final = object()
"""What a key holds that is not there."""


@attrs.frozen
class FieldType(Generic[T]):
    """
    What a value may be, where it is not null.

    Attributes:
        read: From parsed JSON to the value; raises DecodeError with the path "$".
        write: The way back.
        fast: A shortcut for generated code: an expression of Python in which `v` is the JSON value
            and `{read}` the above. It must not give another value than that.
    """

    read: Callable[[Any], T]
    write: Callable[[Any], Any] = lambda value: value
    fast: str = "{read}(v)"


def mismatch(expected: str, value: object) -> DecodeError:
    """Say in words what came instead: a value may be a private message."""
    return DecodeError(json_path="$", expected=expected, got=_in_words(value))


def under(step: str, error: DecodeError) -> DecodeError:
    """Put one step in front of an error's path: `under(".data", ...)`."""
    error.json_path = f"${step}{error.json_path[1:]}"
    return error


def mapping(data: Any) -> Mapping[str, Any]:
    """Read a JSON object. `[]` is one too: PHP writes empty maps so."""
    if isinstance(data, dict):
        return data
    if isinstance(data, list) and not data:
        return EMPTY
    raise mismatch("an object", data)


def frozen(data: Mapping[str, T]) -> FrozenMap[str, T]:
    """A read-only copy; all empty ones are one object."""
    return FrozenMap(data) if data else EMPTY


def array_of(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Make a reader of JSON arrays from a reader of their items."""

    def read_all(data: Any) -> tuple[T, ...]:
        if not isinstance(data, list):
            raise mismatch("an array", data)
        out = []
        for index, item in enumerate(data):
            try:
                out.append(read(item))
            except DecodeError as error:
                raise under(f"[{index}]", error) from None
        return tuple(out)

    return read_all


def map_of(read: Callable[[Any], T]) -> Callable[[Any], FrozenMap[str, T]]:
    """Make a reader of JSON objects with free keys from a reader of their values."""

    def read_all(data: Any) -> FrozenMap[str, T]:
        out = {}
        for key, item in mapping(data).items():
            try:
                out[key] = read(item)
            except DecodeError as error:
                raise under(f".{key}", error) from None
        return frozen(out)

    return read_all


def under_data(read: Callable[[Any], T]) -> Callable[[Any], T]:
    """Make a reader of `{"data": ...}` from a reader of what is in it."""

    def read_data(data: Any) -> T:
        try:
            return read(mapping(data).get("data", ABSENT))
        except DecodeError as error:
            raise under(".data", error) from None

    return read_data


def text_at(data: Any, *keys: str) -> str:
    """Read the one text of an answer, under the first of *keys* that is there."""
    source = mapping(data)
    key = next((key for key in keys if key in source), keys[0])
    try:
        return _text(source.get(key, ABSENT))
    except DecodeError as error:
        raise under(f".{key}", error) from None


def one(model: type[T]) -> FieldType[T]:
    """An object of a class that has `from_wire` and `to_wire`."""
    readable: Any = model
    # Asked for at each use: that of a model is made at its first, which is not at import.
    return FieldType(lambda data: readable.from_wire(data), lambda thing: thing.to_wire())  # noqa: PLW0108


def many(item: FieldType[T]) -> FieldType[tuple[T, ...]]:
    """An array."""
    return FieldType(
        array_of(item.read),
        lambda items: [item.write(thing) for thing in items],
        fast=_EMPTY_ARRAY_FAST,
    )


def mapped(item: FieldType[T]) -> FieldType[Mapping[str, T]]:
    """An object with free keys."""
    return FieldType(
        map_of(item.read),
        lambda items: {key: item.write(thing) for key, thing in items.items()},
        fast=_EMPTY_MAP_FAST,
    )


def or_null(item: FieldType[T]) -> FieldType[T | None]:
    """An item of an array or of a map that may be null."""
    return FieldType(
        lambda value: None if value is None else item.read(value),
        lambda value: None if value is None else item.write(value),
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise mismatch("text", value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise mismatch("true or false", value)


def _flag_or_word(value: Any) -> bool | str:
    if isinstance(value, bool | str):
        return value
    raise mismatch("true, false or text", value)


def _number(value: Any) -> float:
    # `value - value` is not 0 for NaN and the infinities, which json.loads lets through.
    if type(value) in _NUMBERS and value - value == 0:
        number: float = value
        return number
    raise mismatch("a finite number", value)


_NUMBERS: Final = frozenset({int, float})
"""What JSON's numbers become; bool, a subclass of int in Python, is not a number here."""


def _whole(value: Any) -> int:
    # JSON has one kind of number: 1700000000000.0 is whole.
    number = _number(value)
    if isinstance(number, int) or number.is_integer():
        return int(number)
    raise mismatch("a whole number", value)


def _texts(value: Any) -> tuple[str, ...]:
    for item in value if type(value) is list else (None,):
        if type(item) is not str:
            return _read_texts(value)
    return tuple(value)


_read_texts: Final = array_of(_text)


def _text_map(value: Any) -> FrozenMap[str, str]:
    for item in value.values() if type(value) is dict else (None,):
        if type(item) is not str:
            return _read_text_map(value)
    return frozen(value)


_read_text_map: Final = map_of(_text)


def _json(value: Any) -> Any:
    return value


# For JSON, `v.__class__` is what `type(v)` is, and cheaper to ask for.
_EMPTY_ARRAY_FAST: Final = "() if v.__class__ is list and not v else {read}(v)"
_EMPTY_MAP_FAST: Final = "EMPTY if v.__class__ is dict and not v else {read}(v)"

TEXT: Final = FieldType(_text, fast="v if v.__class__ is str else {read}(v)")
WORD: Final[FieldType[Any]] = TEXT
"""Text, for attributes that are typed as a few known words."""
FLAG: Final = FieldType(_flag)
FLAG_OR_WORD: Final = FieldType(_flag_or_word, fast="v if v.__class__ is bool else {read}(v)")
NUMBER: Final = FieldType(_number)
WHOLE: Final = FieldType(_whole, fast="v if v.__class__ is int else {read}(v)")
MOMENT: Final = WHOLE
"""Unix milliseconds, kept as they are; `wire.moment` refuses what no datetime can hold."""
TEXTS: Final = FieldType(_texts, list, fast=_EMPTY_ARRAY_FAST)
TEXT_MAP: Final[FieldType[Mapping[str, str]]] = FieldType(_text_map, dict, fast=_EMPTY_MAP_FAST)
JSON: Final = FieldType(_json, fast="v")
"""Whatever it is, as it came."""
ARRAY: Final = FieldType(
    array_of(_json), list, fast="tuple(v) if v.__class__ is list else {read}(v)"
)


def _in_words(value: object) -> str:
    if value is ABSENT:
        return "nothing"
    return _WORDS.get(type(value), "a Python object")


_WORDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "an array",
    dict: "an object",
}
