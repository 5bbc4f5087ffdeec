"""Filters as TalkJS wants them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.errors import ConfigurationError
from talkjs_async.models.filters import Condition, Filter


@pytest.mark.parametrize(
    ("condition", "wire"),
    [
        (Filter.exists(), "exists"),
        (~Filter.exists(), "!exists"),
        (Filter.equals("open"), ["==", "open"]),
        (~Filter.equals("open"), ["!=", "open"]),
        (Filter.one_of(["open", "held"]), ["oneOf", ["open", "held"]]),
        (~Filter.one_of(["open", "held"]), ["!oneOf", ["open", "held"]]),
        (Filter.one_of([]), ["oneOf", []]),
    ],
)
def test_a_condition_is_written_in_talkjs_grammar(condition: Condition, wire: Any) -> None:
    assert wire == condition.to_wire()
    assert condition == ~~condition


def test_a_filter_is_compact_json_that_is_not_escaped_twice() -> None:
    conversations = Filter(custom={"état": "open", "closedBy": ~Filter.exists()})

    assert '{"custom":{"état":["==","open"],"closedBy":"!exists"}}' == conversations.to_wire()


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_any_texts_survive_the_filter(custom: dict[str, str]) -> None:
    wire = json.loads(Filter(custom=custom).to_wire())

    assert {"custom": {key: ["==", value] for key, value in custom.items()}} == wire


@pytest.mark.parametrize("custom", [None, "state", {"state": 1}, {"": "open"}, {"s": ["==", "x"]}])
def test_a_filter_of_something_else_is_refused(custom: Any) -> None:
    with pytest.raises(ConfigurationError, match="custom"):
        Filter(custom=custom)


@pytest.mark.parametrize("value", [None, 3, "\ud800"])
def test_only_text_can_be_equal(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="value"):
        Filter.equals(value)


@pytest.mark.parametrize("values", [None, "open", [1]])
def test_one_of_takes_texts(values: Any) -> None:
    with pytest.raises(ConfigurationError, match="values"):
        Filter.one_of(values)
