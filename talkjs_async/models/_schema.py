"""
How JSON objects become models and back: one table per model, read and written by one engine.

A table says for each attribute under which key TalkJS sends it, and what it may be. Unknown keys
are kept. Knows no noun of the API. Called by the models only.

There are two readers. One is generated from the table and takes what is as it should be, which is
nearly everything. It is the reason that a page of messages costs less than half of what
`json.loads` takes for it. Whatever it stumbles over goes to the other, which looks at one thing
after the other and so can say what is wrong, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

import attrs

from talkjs_async.errors import DecodeError
from talkjs_async.models._field_types import ABSENT, FieldType, frozen, mapping, mismatch, under
from talkjs_async.models._frozen_map import FrozenMap

M = TypeVar("M")


@attrs.frozen
class _Field:
    attribute: str
    key: str
    kind: FieldType[Any]


class Schema(Generic[M]):
    """
    The table of one model.

    Args:
        model: A frozen attrs class with slots, without weak references. Its attributes are those
            of the table, and `extra` for the keys that the table does not know.
        tag: The value of TalkJS's key "type", where all objects of the model have the same.
        fields: For each attribute: TalkJS's key and the kind of its value.
    """

    def __init__(
        self, model: type[M], tag: str | None = None, /, **fields: tuple[str, FieldType[Any]]
    ) -> None:
        self._model = model
        self._draft = _draft_of(model)
        self._fields = [_Field(name, key, kind) for name, (key, kind) in fields.items()]
        self._tag = {} if tag is None else {"type": tag}
        self._keys = {field.key for field in self._fields} | self._tag.keys()

    @cached_property
    def read(self) -> Callable[[Any], M]:
        """
        From a JSON object to the model.

        Raises DecodeError if it is none, or if a value is missing or of a wrong type. The model's
        validators do not run: they are for callers. Generated at first use, not at import: most
        programs use few of the models.
        """
        return self._generate()

    def write(self, model: M) -> dict[str, Any]:
        """Build the JSON object, unknown keys included."""
        extra: Mapping[str, Any] = getattr(model, "extra")  # noqa: B009 - every model here has it
        fields = {f.key: f.kind.write(getattr(model, f.attribute)) for f in self._fields}
        return {**extra, **self._tag, **fields}

    def _read_carefully(self, data: Any) -> M:
        source = mapping(data)
        draft = self._draft()
        for field in self._fields:
            try:
                value = field.kind.or_absent(source.get(field.key))
            except DecodeError as error:
                missing = field.key not in source
                wrong = mismatch("a value", ABSENT) if missing else error
                raise under(f".{field.key}", wrong) from None
            setattr(draft, field.attribute, value)
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
            "read_carefully": self._read_carefully,
            "DecodeError": DecodeError,
        }
        for field in self._fields:
            names[f"read_{field.attribute}"] = field.kind.read
            names[f"absent_{field.attribute}"] = field.kind.absent
        source = "\n".join(self._source())
        # Only names of attributes and keys from our own tables get into it; attrs does the same.
        exec(compile(source, f"<reader of {self._model.__name__}>", "exec"), names)  # noqa: S102
        reader: Callable[[Any], M] = names["read"]
        return reader

    def _source(self) -> Iterator[str]:
        """
        Yield the lines of the generated reader.

        It counts the known keys it meets and looks for unknown ones only if there are more.
        """
        always = sum(not field.kind.sparse for field in self._fields) + len(self._tag)
        yield "def read(data):"
        yield "  try:"
        yield "    draft = Draft()"
        yield f"    known = {always}"
        for field in self._fields:
            name = field.attribute
            value = field.kind.fast.format(read=f"read_{name}", absent=f"absent_{name}")
            if field.kind.sparse:
                yield f"    v = data.get({field.key!r})"
                yield f"    if v is None: draft.{name} = absent_{name}"
                yield f"    else: known += 1; draft.{name} = {value}"
            else:
                yield f"    v = data[{field.key!r}]"
                yield f"    draft.{name} = {value}"
        yield "    draft.extra = EMPTY if len(data) == known else read_rest(data)"
        yield "  except (LookupError, TypeError, AttributeError, DecodeError):"
        yield "    return read_carefully(data)"
        yield "  draft.__class__ = Model"
        yield "  return draft"


def _draft_of(model: type[Any]) -> type[Any]:
    """
    Make a class whose objects can become objects of *model*.

    A frozen class pays object.__setattr__ for every attribute, which is half of the time that
    reading takes. A draft has the same slots and no lock: it is filled, then made a *model* by
    changing its class, which Python allows for classes of one layout. (A slot for weak references
    would come between; the models do without.)
    """
    return type(model.__name__, model.__bases__, {"__slots__": model.__slots__})
