"""
What values in TalkJS's JSON may be: text, moments, maps, arrays, and how each is read and written.

Reading is lenient where TalkJS may change or differ (unknown words stay text, PHP's `[]` is an
empty map) and strict about types. Knows no noun of the API. Called by the models only.
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

NEEDED: Final = object()
"""What a missing key means where it must not be missing."""


@attrs.frozen
class FieldType(Generic[T]):
    """
    What a value may be.

    Attributes:
        read: From parsed JSON to the value; raises DecodeError with the path "$".
        write: The way back.
        absent: What a missing key and null mean. `NEEDED`: neither is allowed.
        fast: A shortcut for generated code: an expression of Python in which `v` is the JSON value,
            and `{read}` and `{absent}` are the above. It must not give another value than they do.
        sparse: Whether TalkJS often leaves the key out. It only says which way is tried first.
    """

    read: Callable[[Any], T]
    write: Callable[[T], Any] = lambda value: value
    absent: Any = NEEDED
    fast: str = "{read}(v)"
    sparse: bool = False

    def or_absent(self, value: Any) -> T:
        """Read a value that may be missing or null."""
        if value is None and self.absent is not NEEDED:
            absent: T = self.absent
            return absent
        return self.read(value)

    def or_none(self) -> FieldType[T | None]:
        """The same, where a missing key and null mean None."""
        return FieldType(
            read=self.read,
            write=lambda value: None if value is None else self.write(value),
            absent=None,
            fast=f"None if v is None else {self.fast}",
        )

    def if_any(self) -> FieldType[T]:
        """The same, for a key that TalkJS often leaves out."""
        return attrs.evolve(self, sparse=True)


def mismatch(expected: str, value: object) -> DecodeError:
    """Say in words what came instead: a value may be somebody's private message."""
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


def one(read: Callable[[Any], T], write: Callable[[T], Any]) -> FieldType[T]:
    """An object with a model of its own."""
    return FieldType(read, write)


def many(read: Callable[[Any], T], write: Callable[[T], Any]) -> FieldType[tuple[T, ...]]:
    """An array; a missing one is empty."""
    return FieldType(
        array_of(read),
        lambda items: [write(item) for item in items],
        absent=(),
        fast=_EMPTY_ARRAY_FAST,
    )


def mapped(read: Callable[[Any], T], write: Callable[[T], Any]) -> FieldType[Mapping[str, T]]:
    """An object with free keys; a missing one is empty."""
    return FieldType(
        map_of(read),
        lambda items: {key: write(item) for key, item in items.items()},
        absent=EMPTY,
        fast=_EMPTY_MAP_FAST,
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise mismatch("text", value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise mismatch("true or false", value)


def _number(value: Any) -> float:
    # `value - value` is not 0 for NaN and the infinities, which json.loads lets through.
    if type(value) in _NUMBERS and value - value == 0:
        number: float = value
        return number
    raise mismatch("a finite number", value)


_NUMBERS: Final = frozenset({int, float})
"""What JSON's numbers become; bool, which is an int in Python, is none."""


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
_EMPTY_ARRAY_FAST: Final = "{absent} if v.__class__ is list and not v else {read}(v)"
_EMPTY_MAP_FAST: Final = "{absent} if v.__class__ is dict and not v else {read}(v)"

TEXT: Final = FieldType(_text, fast="v if v.__class__ is str else {read}(v)")
MAYBE_TEXT: Final = TEXT.or_none()
FLAG: Final = FieldType(_flag)
MAYBE_FLAG: Final = FLAG.or_none()
NUMBER: Final = FieldType(_number)
MAYBE_NUMBER: Final = NUMBER.or_none()
WHOLE: Final = FieldType(_whole, fast="v if v.__class__ is int else {read}(v)")
MAYBE_WHOLE: Final = WHOLE.or_none()
MOMENT: Final = WHOLE
"""Unix milliseconds, kept as they are; `wire.moment` refuses what no datetime can hold."""
MAYBE_MOMENT: Final = MAYBE_WHOLE
TEXTS: Final = FieldType(_texts, list, absent=(), fast=_EMPTY_ARRAY_FAST)
TEXT_MAP: Final = FieldType(_text_map, dict, absent=EMPTY, fast=_EMPTY_MAP_FAST)
JSON: Final = FieldType(_json, absent=None, fast="v")
"""Whatever it is, as it came."""
ARRAY: Final = FieldType(
    array_of(_json), list, absent=(), fast="tuple(v) if v.__class__ is list else {read}(v)"
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
