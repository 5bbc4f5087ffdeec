"""The two readers of a model agree, and errors name the place."""

from __future__ import annotations

import importlib
import json
import pkgutil
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async import models
from talkjs_async.errors import DecodeError
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema
from tests.models.samples import JSON, MANGLED, MODELS


@attrs.frozen(kw_only=True, weakref_slot=False)
class Point:
    """A model with one key that must be there and one that seldom is."""

    name: str
    height: float | None = None
    extra: Any = EMPTY


POINT = Schema(
    Point,
    "point",
    name=("theName", field_type.TEXT),
    height=("height", field_type.MAYBE_NUMBER.if_any()),
)


def all_shapes() -> list[Schema[Any]]:
    """The tables of all models."""
    modules = [
        importlib.import_module(f"{models.__name__}.{found.name}")
        for found in pkgutil.iter_modules(models.__path__)
    ]
    tables = [thing for module in modules for thing in vars(module).values()]
    return [table for table in tables if isinstance(table, Schema)]


def outcome(read: Any, wire: Any) -> str:
    """What came of reading, in a form that compares NaN and errors."""
    try:
        return repr(read(wire))
    except DecodeError as error:
        return str(error)


@settings(max_examples=500)
@given(st.sampled_from(all_shapes()), st.one_of(JSON, MANGLED, *MODELS.values()))
def test_the_fast_reader_and_the_careful_one_agree(shape: Schema[Any], wire: Any) -> None:
    fast = outcome(shape.read, wire)

    careful = outcome(shape._read_carefully, wire)

    assert careful == fast


def test_every_attribute_of_every_model_is_in_its_table() -> None:
    for shape in all_shapes():
        attributes = {field.name for field in attrs.fields(shape._model)}

        assert attributes == {field.attribute for field in shape._fields} | {"extra"}


def test_the_tag_and_unknown_keys_are_written() -> None:
    wire = {"type": "point", "theName": "summit", "height": 8, "new": [1]}

    point = POINT.read(wire)

    assert Point(name="summit", height=8, extra={"new": [1]}) == point
    assert wire == POINT.write(point)


def test_a_seldom_key_that_is_null_is_no_unknown_key() -> None:
    point = POINT.read({"type": "point", "theName": "summit", "height": None})

    assert Point(name="summit") == point
    assert point.extra is EMPTY


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
        POINT.read(wire)

    assert said == str(caught.value)


def test_an_error_in_a_list_in_a_map_names_the_whole_path() -> None:
    read = field_type.under_data(field_type.map_of(field_type.array_of(POINT.read)))

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
