"""
How a model is declared: a field's name in Python, its key at TalkJS and its type, in one line.

    @model
    class Reaction(Model):
        emoji: str = wire("emoji", TEXT)
        count: int | None = wire("count", WHOLE, default=None)

`Model` is what TalkJS answers, `Input` what a caller writes. Knows no particular model. Called by
the models only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar, dataclass_transform, overload

import attrs

from talkjs_async._core.wire import UNSET
from talkjs_async.models._arguments import Rule
from talkjs_async.models._field_types import FieldType
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import WIRE, Wire, schema_of, tag_of

T = TypeVar("T")
D = TypeVar("D")
M = TypeVar("M")

ARGUMENT: Final = "talkjs_async.argument"
"""Where attrs keeps a field's `InputField`: in its metadata."""


@attrs.frozen
class InputField:
    """What a field of an `Input` declares of itself: TalkJS's key, and how the value is written."""

    key: str
    write: Callable[[Any], Any] | None


@overload
def wire(key: str, type: FieldType[T], *, hash: bool | None = ..., repr: bool = ...) -> T: ...
@overload
def wire(
    key: str,
    type: FieldType[T],
    *,
    default: D,
    hash: bool | None = ...,
    repr: bool = ...,
    rule: Rule | None = ...,
    older: str | None = ...,
) -> T | D: ...
def wire(
    key: str,
    type: FieldType[Any],
    *,
    default: Any = attrs.NOTHING,
    hash: bool | None = None,
    repr: bool = True,
    rule: Rule | None = None,
    older: str | None = None,
) -> Any:
    """
    Declare a field of a `Model`.

    Args:
        key: What TalkJS calls it.
        type: What its value may be.
        default: What null and a missing key mean. Left out: neither is allowed.
        hash, repr: As for `attrs.field`.
        rule: For a model that callers make as well: what they may pass.
        older: What TalkJS used to call it. Looked at where *key* is missing; it stays in `extra`.
    """
    return attrs.field(
        default=default,
        hash=hash,
        repr=repr,
        converter=None if rule is None else rule.convert,
        validator=rule,
        metadata={WIRE: Wire(key, type, older)},
    )


def argument(
    key: str,
    *rules: Rule,
    default: Any = attrs.NOTHING,
    write: Callable[[Any], Any] | None = None,
) -> Any:
    """
    Declare a field of an `Input`.

    Its annotation says what a caller may pass; the first rule may make something else of that,
    a tuple for example.

    Args:
        key: What TalkJS calls it.
        rules: What its value must be.
        default: UNSET where it may be left out of the request.
        write: What becomes of the value on the wire. None: it stays.
    """
    return attrs.field(
        default=default,
        converter=rules[0].convert,
        validator=rules,
        metadata={ARGUMENT: InputField(key, write)},
    )


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(wire, argument, attrs.field)
)
def model(cls: type[M]) -> type[M]:
    """
    Make a class of declared fields an attrs class: frozen, keyword-only, with slots.

    Fields of base classes stand first in its repr, `extra` last.
    """
    return attrs.frozen(kw_only=True, weakref_slot=False, field_transformer=_extra_last)(cls)


def _extra_last(_: type[Any], fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    return sorted(fields, key=lambda field: field.name == "extra")


class _FromWire:
    """A model's attribute `from_wire`: the function that reads its objects, made at first use."""

    def __get__(self, _: object, model: type[M]) -> Callable[[Any], M]:
        return schema_of(model).read


@attrs.frozen(kw_only=True, weakref_slot=False)
class Declared:
    """What all of them are to type checkers: `attrs.evolve` and `attrs.fields` take them."""


@model
class Model(Declared):
    """
    What TalkJS answers.

    Attributes:
        extra: Keys that this version of the library does not know.
    """

    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    from_wire: ClassVar[_FromWire] = _FromWire()

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object, with what this version of the library does not know."""
        return schema_of(type(self)).write(self)


@model
class Input(Declared):
    """What a caller writes."""

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        fields = dict(tag_of(type(self)))
        for field in attrs.fields(type(self)):
            declared: InputField | None = field.metadata.get(ARGUMENT)
            value = getattr(self, field.name)
            if declared is None or value is UNSET:
                continue
            if value is not None and declared.write is not None:
                value = declared.write(value)
            fields[declared.key] = value
        return fields
