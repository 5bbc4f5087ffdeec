"""What holds for every model that is read from the wire."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async.models._answers import (
    read_email_address,
    read_file_token,
    read_presences,
    read_user_sessions,
)
from talkjs_async.models._event_reader import read_event
from tests.models.samples import JSON, MANGLED, MODELS, place_of_error

Reader = Callable[[Any], Any]

ANY_READER = st.sampled_from(list(MODELS))
ANY_MODEL = ANY_READER.flatmap(lambda read: st.tuples(st.just(read), MODELS[read]))
"""The reader of some model, and JSON that it accepts."""

WHOLE_ANSWERS: list[Reader] = [
    read_event,
    read_presences,
    read_user_sessions,
    read_email_address,
    read_file_token,
]

thorough = settings(max_examples=300)


@thorough
@given(ANY_MODEL)
def test_what_is_read_is_written_and_read_again_the_same(case: tuple[Reader, Any]) -> None:
    read, wire = case

    model = read(wire)

    if hasattr(model, "to_wire"):
        assert repr(model) == repr(read(model.to_wire()))


@thorough
@given(ANY_MODEL)
def test_a_model_keeps_keys_that_it_does_not_know(case: tuple[Reader, Any]) -> None:
    read, wire = case

    model = read(wire)

    if isinstance(wire, dict):
        unknown = {key: value for key, value in wire.items() if key.startswith("new_")}
        assert repr(unknown) == repr(dict(model.extra))


@thorough
@given(ANY_MODEL)
def test_a_model_is_hashable_and_survives_pickling_and_copying(case: tuple[Reader, Any]) -> None:
    read, wire = case

    model = read(wire)

    assert hash(model) == hash(read(wire))
    assert repr(model) == repr(pickle.loads(pickle.dumps(model)))
    assert repr(model) == repr(copy.deepcopy(model))


@thorough
@given(ANY_MODEL)
def test_a_model_is_frozen(case: tuple[Reader, Any]) -> None:
    read, wire = case

    model = read(wire)

    for field in attrs.fields(type(model)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(model, field.name, None)


@thorough
@given(ANY_MODEL)
def test_a_model_that_was_read_equals_one_that_was_made(case: tuple[Reader, Any]) -> None:
    read, wire = case
    model = read(wire)
    values = {field.name: getattr(model, field.name) for field in attrs.fields(type(model))}

    made = type(model)(**values) if values.get("base") != "" else model

    assert repr(made) == repr(model)
    assert hash(made) == hash(model)


@thorough
@given(ANY_READER, JSON | MANGLED)
def test_any_json_gives_a_model_or_our_error(read: Reader, wire: Any) -> None:
    place = place_of_error(read, wire)

    assert place is None or place.startswith("$")


@thorough
@given(ANY_MODEL, st.data())
def test_a_wrong_value_gives_a_model_or_an_error_with_its_place(
    case: tuple[Reader, Any], data: st.DataObject
) -> None:
    read, wire = case
    if not isinstance(wire, dict) or not wire:
        return
    key = data.draw(st.sampled_from(sorted(wire)))
    wire[key] = data.draw(JSON)

    place = place_of_error(read, wire)

    assert place is None or place.startswith(f"$.{key}")


@thorough
@given(st.sampled_from(WHOLE_ANSWERS), JSON | MANGLED)
def test_any_json_as_a_whole_answer_gives_a_result_or_our_error(read: Reader, wire: Any) -> None:
    place = place_of_error(read, wire)

    assert place is None or place.startswith("$")
