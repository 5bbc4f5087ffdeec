"""JSON with the extra `[speed]`: faster, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async._core import codec

orjson = pytest.importorskip("orjson")

texts = st.text(st.characters())
"""Halves of surrogate pairs included."""

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


def test_orjson_reads_answers_where_it_is_installed() -> None:
    assert orjson.loads is codec._loads


@given(value=values, ensure_ascii=st.booleans())
def test_what_is_read_does_not_depend_on_it(value: Any, ensure_ascii: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")

    assert json.loads(raw) == codec.decode(raw)


def test_half_a_surrogate_pair_survives() -> None:
    assert ["\ud83d"] == codec.decode(b'["\\ud83d"]')
