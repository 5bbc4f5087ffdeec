"""The two readers of a model agree, and errors name the place."""

from __future__ import annotations

import contextlib
import importlib
import json
import pickle
import pkgutil
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async import models
from talkjs_async.errors import DecodeError
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._declare import Model, model, wire
from talkjs_async.models._event_reader import Envelope
from talkjs_async.models._field_types import NUMBER, TEXT, TEXTS, WHOLE
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Field, Schema, fields_of
from tests.models.samples import JSON, MANGLED, MODELS


@model
class Point(Model):
    """A model with one key that must be there and one that seldom is."""

    type: ClassVar[str] = "point"
    name: str = wire("theName", TEXT)
    height: float | None = wire("height", NUMBER, default=None)
    tags: tuple[str, ...] = wire("tags", TEXTS, default=())


@model
class Summit(Point):
    """A model that inherits its fields."""

    first_ascent: int | None = wire("firstAscent", WHOLE, default=None)


def all_models() -> list[type[Any]]:
    """Every class that is read from the wire."""
    for found in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"{models.__name__}.{found.name}")
    return [*descendants(Model), Envelope]


def descendants(base: type[Any]) -> list[type[Any]]:
    """Every class below a class; attrs leaves behind those that it put slots into."""
    below = [kind for kind in base.__subclasses__() if "__attrs_attrs__" in vars(kind)]
    return below + [kind for child in below for kind in descendants(child)]


def outcome(read: Any, wire: Any) -> str:
    """What came of reading, in a form that compares NaN and errors."""
    try:
        return repr(read(wire))
    except DecodeError as error:
        return str(error)


@settings(max_examples=500)
@given(st.sampled_from(all_models()), st.one_of(JSON, MANGLED, *MODELS.values()))
def test_the_fast_reader_and_the_careful_one_agree(kind: type[Any], wire: Any) -> None:
    schema = Schema(kind)
    fast = outcome(schema.read, wire)

    careful = outcome(schema.read_carefully, wire)

    assert careful == fast


class FastOnly(Schema[Any]):
    """A schema whose generated reader must manage alone."""

    def read_carefully(self, data: Any) -> Any:
        """Refuse to help."""
        raise AssertionError(f"{data} was read twice")


def a_value(of: Field) -> Any:
    """Some JSON that a field accepts."""
    candidates = ["bold", 1, True, {}, []]
    for candidate in candidates:
        with contextlib.suppress(DecodeError):
            of.type.read(candidate)
            return candidate
    raise AssertionError(f"no value for {of.key}")


@pytest.mark.parametrize("null", [True, False], ids=["null", "missing"])
@pytest.mark.parametrize("kind", all_models())
def test_null_and_missing_keys_are_read_once(kind: type[Any], *, null: bool) -> None:
    schema = FastOnly(kind)
    wire = {field.key: a_value(field) for field in schema.fields if field.needed}
    if null:
        wire |= {field.key: None for field in schema.fields if not field.needed}

    read = schema.read(wire)

    assert {f.attribute: f.default for f in schema.fields if not f.needed} == {
        f.attribute: getattr(read, f.attribute) for f in schema.fields if not f.needed
    }
    assert read.extra is EMPTY


def test_every_attribute_of_every_model_declares_its_key() -> None:
    for kind in all_models():
        attributes = {field.name for field in attrs.fields(kind)}

        assert attributes == {field.attribute for field in fields_of(kind)} | {"extra"}


def test_the_tag_and_unknown_keys_are_written() -> None:
    wire = {"type": "point", "theName": "summit", "height": 8, "tags": [], "new": [1]}

    point = Point.from_wire(wire)

    assert Point(name="summit", height=8, extra={"new": [1]}) == point
    assert wire == point.to_wire()


def test_a_model_inherits_fields_and_shows_unknown_keys_last() -> None:
    wire = {"type": "point", "theName": "Eiger", "height": 3967, "tags": ["north"], "new": 1}

    summit = Summit.from_wire({**wire, "firstAscent": 1858})

    assert (
        "Summit(name='Eiger', height=3967, tags=('north',), first_ascent=1858, extra={'new': 1})"
        == repr(summit)
    )
    assert {**wire, "firstAscent": 1858} == summit.to_wire()
    assert summit == pickle.loads(pickle.dumps(summit))
    assert Summit(name="Mönch", first_ascent=1857) == attrs.evolve(
        Summit(name="Eiger", first_ascent=1857), name="Mönch"
    )


def test_the_reader_of_a_model_is_named_and_documented() -> None:
    assert ("Point.from_wire", __name__) == (
        Point.from_wire.__qualname__,
        Point.from_wire.__module__,
    )
    assert "JSON" in (Point.from_wire.__doc__ or "")


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        ({}, "expected a value, got nothing at $.theName"),
        ({"theName": None}, "expected text, got null at $.theName"),
        ({"theName": 3}, "expected text, got a number at $.theName"),
        ({"theName": True}, "expected text, got true or false at $.theName"),
        ({"theName": "", "height": {}}, "expected a finite number, got an object at $.height"),
        (
            {"theName": "", "height": json.loads("NaN")},
            "expected a finite number, got a number at $.height",
        ),
        ([1], "expected an object, got an array at $"),
        ("text", "expected an object, got text at $"),
        (object(), "expected an object, got a Python object at $"),
    ],
)
def test_an_error_says_what_was_expected_where(wire: Any, said: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Point.from_wire(wire)

    assert said == str(caught.value)


def test_an_error_in_a_list_in_a_map_names_the_whole_path() -> None:
    read = field_type.under_data(field_type.map_of(field_type.array_of(Point.from_wire)))

    with pytest.raises(DecodeError) as caught:
        read({"data": {"alps": [{"type": "point", "theName": "a"}, {"theName": 1}]}})

    assert "$.data.alps[1].theName" == caught.value.json_path


def test_php_writes_an_empty_map_as_an_empty_array() -> None:
    assert EMPTY == field_type.TEXT_MAP.read([])
    assert {} == field_type.map_of(field_type.TEXT.read)([])


@pytest.mark.parametrize("wire", [0, "", False, [""], {"a": 1}])
def test_nothing_else_passes_for_a_map_of_texts(wire: Any) -> None:
    with pytest.raises(DecodeError):
        field_type.TEXT_MAP.read(wire)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert 1_700_000_000_000 == field_type.MOMENT.read(1_700_000_000_000.0)
    with pytest.raises(DecodeError):
        field_type.MOMENT.read(1.5)
