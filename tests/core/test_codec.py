"""JSON in and out."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async._core import codec
from talkjs_async._core.wire import TOO_DEEP
from talkjs_async.errors import ConfigurationError, DecodeError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53), max_value=2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(value=json_values)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert value == codec.decode(codec.encode(value))


def test_the_output_is_compact_and_not_escaped() -> None:
    assert '{"a":["ü","🙂"]}'.encode() == codec.encode({"a": ["ü", "🙂"]})


@settings(max_examples=20, deadline=None)
@given(items=st.lists(json_values, max_size=4), place=st.integers(0, 4), indent=st.booleans())
def test_what_is_nested_too_deep_spoils_no_other_item(
    items: list[Any], place: int, indent: bool
) -> None:
    """Whatever the others hold: brackets and quotes in texts, blanks between them."""
    rows: list[Any] = [[7, item] for item in items]
    written = [json.dumps(row, indent=2 if indent else None) for row in rows]
    written.insert(place, f"[7, {'[' * 100_000}{']' * 100_000}]")
    rows.insert(place, [7, TOO_DEEP])

    assert rows == codec.decode_cut(f" [{' , '.join(written)}]".encode(), 2)


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_too_many_digits_spoils_nothing_else(sign: str) -> None:
    raw = f'[[0, {{"id": 7}}], [1, {{"id": {sign}{"1" * 5000}}}]]'.encode()
    deep = f"[{raw.decode()}, {'[' * 100_000}{']' * 100_000}]".encode()
    read = [[0, {"id": 7}], [1, {"id": float(f"{sign}inf")}]]

    assert read == codec.decode(raw) == codec.decode_cut(raw, 2)
    assert [read, TOO_DEEP] == codec.decode_cut(deep, 1)


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b"{" * 9, b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"]
)
def test_what_is_no_array_is_not_cut(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        codec.decode_cut(raw, 2)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object(), {"a": b"x"}])
def test_what_has_no_json_form_is_refused_before_sending(value: object) -> None:
    with pytest.raises(ConfigurationError, match="json"):
        codec.encode({"value": value})


def test_half_a_surrogate_pair_travels_as_its_escape() -> None:
    value = ["cut \ud83d", "\ude00 and a \\ before \\\ud83d", "\ud83d\ude00"]

    raw = codec.encode(value)

    assert rb'["cut \ud83d","\ude00 and a \\ before \\\ud83d","\ud83d\ude00"]' == raw
    assert [*value[:2], "\N{GRINNING FACE}"] == codec.decode(raw)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)

    with pytest.raises(ConfigurationError, match="json"):
        codec.encode(loop)


@given(raw=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_decode_error(raw: bytes) -> None:
    with suppress(DecodeError):
        json.dumps(codec.decode(raw))


@pytest.mark.parametrize(
    ("raw", "got"),
    [
        (b"", "an empty body"),
        (b"  \n", "an empty body"),
        (b"<!DOCTYPE html><p>", "an HTML page"),
        (b"<html>", "an HTML page"),
        (b'{"data": [', "10 bytes that are not complete JSON"),
        (b"[" * 200_000, "JSON that is nested too deep"),
        (b"\xff\xfe", "2 bytes that are not complete JSON"),
    ],
)
def test_the_error_says_what_came_instead(raw: bytes, got: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(raw)

    assert got == caught.value.got
