"""Paths and calls."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async._core.call import path
from talkjs_async.errors import ConfigurationError

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda value: value not in {".", ".."}
)


@given(value=ids)
def test_an_id_is_one_segment_whatever_it_holds(value: str) -> None:
    built = path("users", user_id=value)

    assert 2 == built.count("/")
    assert value == unquote(built.removeprefix("/users/"))


def test_slashes_emoji_and_percent_signs_are_encoded() -> None:
    assert "/users/a%2Fb%25%F0%9F%99%82" == path("users", user_id="a/b%🙂")


def test_several_ids_follow_each_other() -> None:
    assert "/reactions/%3Ax%3A/alice" == path("reactions", emoji=":x:", user_id="alice")


@pytest.mark.parametrize("value", ["", ".", "..", 7, None, b"a", "\ud83d"])
def test_what_is_no_id_is_refused_with_the_name_of_the_argument(value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        path("users", user_id=value)

    assert "user_id" == caught.value.argument
