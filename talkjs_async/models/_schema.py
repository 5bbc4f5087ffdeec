"""
How JSON objects become models and back: one schema per class, from what its fields declare.

A field declares under which key TalkJS sends it, and what it may be (see `_declare`). Unknown keys
are kept. Knows no particular model. Called by `_declare` only.

There are two readers. One is generated from the schema and takes what is as it should be, which is
nearly everything. It is the reason that a page of messages costs less than half of what
`json.loads` takes for it. Whatever it stumbles over goes to the other, which looks at one thing
after the other and so can say what is wrong, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

import attrs

from talkjs_async.errors import DecodeError
from talkjs_async.models._field_types import ABSENT, FieldType, frozen, mapping, mismatch, under
from talkjs_async.models._frozen_map import FrozenMap

M = TypeVar("M")


@attrs.frozen
class Wire:
    """What a field declares of itself: TalkJS's key, what the value may be, and an older key."""

    key: str
    type: FieldType[Any]
    older: str | None


WIRE: Final = "talkjs_async.wire"
"""Where attrs keeps a field's `Wire`: in its metadata."""


@attrs.frozen
class Field:
    """One field of a schema; *default* is what null and a missing key mean, NOTHING: an error."""

    attribute: str
    key: str
    type: FieldType[Any]
    default: Any
    older: str | None

    @property
    def needed(self) -> bool:
        """Whether null and a missing key are errors."""
        return self.default is attrs.NOTHING

    def read(self, source: Mapping[str, Any]) -> Any:
        """Read the field out of its object; a DecodeError names the place."""
        value = source.get(self.key)
        if self.older is not None and self.key not in source:
            value = source.get(self.older)
        if value is None and not self.needed:
            return self.default
        try:
            return self.type.read(value)
        except DecodeError as error:
            missing = self.key not in source
            wrong = mismatch("a value", ABSENT) if missing else error
            raise under(f".{self.key}", wrong) from None


def fields_of(model: type[Any]) -> list[Field]:
    """List what the fields of a class declare; a field that declares nothing is left out."""
    return [
        Field(field.name, wire.key, wire.type, field.default, wire.older)
        for field in attrs.fields(model)
        if (wire := field.metadata.get(WIRE)) is not None
    ]


def tag_of(model: type[Any]) -> dict[str, Any]:
    """Return the key "type" with its value, where all objects of a class have the same."""
    tag = getattr(model, "type", None)
    return {"type": tag} if isinstance(tag, str) else {}


class Schema(Generic[M]):
    """
    The schema of one model.

    Args:
        model: A frozen attrs class with slots, without weak references. Its attribute `extra` holds
            the keys that it does not declare. Where its `type` is a text of the class, all its
            objects have that under TalkJS's key "type".
    """

    def __init__(self, model: type[M]) -> None:
        self.fields = fields_of(model)
        self._model = model
        self._draft = _draft_of(model)
        self._tag = tag_of(model)
        self._keys = {field.key for field in self.fields} | self._tag.keys()

    @cached_property
    def read(self) -> Callable[[Any], M]:
        """
        From a JSON object to the model.

        The model's validators do not run: they are for callers. Generated at first use, not at
        import: most programs use few of the models.
        """
        return self._generate()

    def write(self, model: M) -> dict[str, Any]:
        """Build the JSON object, unknown keys included."""
        extra: Mapping[str, Any] = getattr(model, "extra")  # noqa: B009 - every model here has it
        values = ((field, getattr(model, field.attribute)) for field in self.fields)
        written = {f.key: None if value is None else f.type.write(value) for f, value in values}
        return {**extra, **self._tag, **written}

    def read_carefully(self, data: Any) -> M:
        """Read one thing after the other, to say what is wrong, and where."""
        source = mapping(data)
        draft = self._draft()
        for field in self.fields:
            setattr(draft, field.attribute, field.read(source))
        draft.extra = self._rest(source)
        draft.__class__ = self._model
        finished: M = draft
        return finished

    def _rest(self, data: Mapping[str, Any]) -> FrozenMap[str, Any]:
        return frozen({key: value for key, value in data.items() if key not in self._keys})

    def _generate(self) -> Callable[[Any], M]:
        names: dict[str, Any] = {
            "Model": self._model,
            "Draft": self._draft,
            "EMPTY": frozen({}),
            "read_rest": self._rest,
            "read_carefully": self.read_carefully,
            "DecodeError": DecodeError,
        }
        for field in self.fields:
            names[f"read_{field.attribute}"] = field.type.read
            names[f"default_{field.attribute}"] = field.default
        source = "\n".join(self._source())
        # Only names of attributes and keys from our own classes get into it; attrs does the same.
        exec(compile(source, f"<reader of {self._model.__name__}>", "exec"), names)  # noqa: S102
        reader: Callable[[Any], M] = names["from_wire"]
        reader.__module__ = self._model.__module__
        reader.__qualname__ = f"{self._model.__qualname__}.from_wire"
        return reader

    def _source(self) -> Iterator[str]:
        """
        Yield the lines of the generated reader.

        An object of fewer keys than the schema has is read by a function of its own: to ask for
        each key whether it is there would cost the complete ones a fifth of their time.
        """
        most = len(self._keys)
        yield "def from_wire(data):"
        yield '  """Read TalkJS\'s JSON object. Raises DecodeError, which names the place."""'
        yield "  try:"
        yield f"    if len(data) < {most}: return read_shorter(data)"
        yield "    draft = Draft()"
        for field in self.fields:
            yield f"    {self._assignment(field)}"
        yield f"    draft.extra = EMPTY if len(data) == {most} else read_rest(data)"
        yield "  except (LookupError, TypeError, AttributeError, DecodeError):"
        yield "    return read_carefully(data)"
        yield "  draft.__class__ = Model"
        yield "  return draft"

        yield "def read_shorter(data):"
        yield "  draft = Draft()"
        yield f"  known = {most}"
        for key in self._tag:
            yield f"  if {key!r} not in data: known -= 1"
        for field in self.fields:
            if field.needed:
                yield f"  {self._assignment(field)}"
            else:
                yield f"  if {field.key!r} in data: {self._assignment(field)}"
                name = field.attribute
                yield f"  else: draft.{name} = default_{name}; known -= 1"
                if field.older is not None:
                    yield f"  if {field.key!r} not in data: {self._assignment(field, older=True)}"
        yield "  draft.extra = EMPTY if len(data) == known else read_rest(data)"
        yield "  draft.__class__ = Model"
        yield "  return draft"

    @staticmethod
    def _assignment(field: Field, *, older: bool = False) -> str:
        """Write the statements that give a draft's attribute the value of a key that is there."""
        value_of = f"data.get({field.older!r})" if older else f"data[{field.key!r}]"
        value = field.type.fast.format(read=f"read_{field.attribute}")
        if not field.needed:
            default = "None" if field.default is None else f"default_{field.attribute}"
            value = f"{default} if v is None else {value}"
        return f"v = {value_of}; draft.{field.attribute} = {value}"


def _draft_of(model: type[Any]) -> type[Any]:
    """
    Make a class whose objects can become objects of *model*.

    A frozen class pays object.__setattr__ for every attribute, which is half of the time that
    reading takes. A draft has the same slots and no lock: it is filled, then made a *model* by
    changing its class, which Python allows for classes of one layout. (A slot for weak references
    would come between; the models do without.)
    """
    bare = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(model.__name__, model.__bases__, {"__slots__": model.__slots__, **bare})


_SCHEMAS: Final[dict[type[Any], Schema[Any]]] = {}


def schema_of(model: type[M]) -> Schema[M]:
    """Return the schema of a model: one object per class, made at first use."""
    schema: Schema[M] | None = _SCHEMAS.get(model)
    if schema is None:
        schema = _SCHEMAS[model] = Schema(model)
    return schema
